"""Pictures and previews on the assets' pages: small, whole, with their numbers, and deaf to what foreign texts say."""

import json
import re
import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import dagster as dg
import pandas as pd
import pytest
from dagster_runs import fresh_database
from deployment import Deployment
from markdown_it import MarkdownIt
from markdown_it.token import Token
from moment import THEN_MS
from PIL import Image
from sqlalchemy import text

from dropship_pipeline import charts
from dropship_pipeline.orchestration import pictures, thumbnails
from dropship_pipeline.orchestration.previews import docs, markdown_table, preview, snapshot_links
from dropship_pipeline.sandbox.launch import SandboxConfig, start
from dropship_pipeline.storage.lake.snapshots import Snapshot
from dropship_pipeline.storage.reading.ages import AgeBucket, KindAges
from dropship_pipeline.storage.reading.figures import (
    DayOfChanges,
    FeedSize,
    FreightLane,
    PriceBin,
    PriceDistribution,
    StockOrigin,
)
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.tables.catalog import FEED_PRODUCTS, LISTING_CHANGES, PRODUCT_DESCRIPTIONS, PRODUCTS
from dropship_pipeline.tables.dictionary import dictionary
from dropship_pipeline.tables.ops import ACCOUNTS
from dropship_pipeline.tables.registry import ALL_TABLES, PUBLISHED

pytestmark = pytest.mark.xdist_group("pictures")  # what is set up once is set up once

EVENT_LOG_ROOM = 25_000  # characters that an entry may take there
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = (
    "<script>alert(1)</script> a|b `c` ``d`` ![i](http://evil.example/x.png) [l](javascript:alert(2)) "
    "<http://evil.example> www.evil.example \\| \\` **bold** \n\n# heading\n| x | y |\n&lt;b&gt; \u202egnp.exe \x00 \\"
)


def said(metadata: Mapping[str, dg.MetadataValue], name: str) -> str:
    value = metadata[name].value
    assert isinstance(value, str)
    return value


def svg(markdown: str) -> ET.Element:
    """The picture, found as a markdown reader finds it."""
    [picture] = [token for token in everything_in(markdown) if token.type == "image"]
    head, _, body = str(picture.attrs["src"]).partition(",")
    assert head == "data:image/svg+xml"
    return ET.fromstring(unquote(body))


def texts(picture: ET.Element) -> list[str]:
    return [element.text or "" for element in picture.iter(f"{SVG}text")]


def everything_in(markdown: str) -> list[Token]:
    """What a markdown reader finds: every token, inner ones too."""
    # it reads any address, as the UI's does for pictures: what is harmless must be so without its help
    reader = MarkdownIt("commonmark").enable("table")
    reader.validateLink = lambda _: True
    tokens = reader.parse(markdown)
    return [*tokens, *(child for token in tokens for child in token.children or [])]


def cells(markdown: str) -> list[list[str]]:
    """The rows of the table as they read, headings first."""
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    rows: list[list[str]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and rows:
            rows[-1].append("".join(child.content for child in token.children or []))
    return rows


@pytest.fixture(scope="module")
def synced(server: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A merchant with sixty products, who is only looked at."""
    config = SandboxConfig(products=60, orders=0, clock_speed=0.0, clock_start_ms=THEN_MS)
    with fresh_database(server, "dropship_template") as database, start(config) as sandbox:
        merchant = Deployment(tmp_path_factory.mktemp("home"), database, sandbox)
        merchant.sync()
        yield merchant


def test_the_pictures_of_a_synced_catalogue_are_small_whole_and_have_their_numbers(synced: Deployment) -> None:
    metadata = pictures.every_picture(synced.database, ["US"])
    names = ["price_distribution", "freight_by_origin", "staleness", "stock_by_origin", "feed_sizes"]
    assert list(metadata) == [entry for name in names for entry in (name, f"{name}/in_full")]
    for name in names:
        small, whole = said(metadata, name), said(metadata, f"{name}/in_full")
        assert isinstance(metadata[name], dg.MarkdownMetadataValue)
        assert thumbnails.shown_length(small) <= thumbnails.SHOWN_IN_PLACE
        assert texts(svg(small))
        assert len(whole) < EVENT_LOG_ROOM
        encoded = re.match(r"!\[\]\(data:image/png;base64,([\w+/=]+)\)\n\n", whole)
        assert encoded is not None
        with Image.open(BytesIO(b64decode(encoded[1]))) as image:
            assert image.width > 700
            assert len(image.convert("RGB").getcolors(10_000) or []) > 8  # more than an empty page
    prices = cells(said(metadata, "price_distribution/in_full"))
    counted = sum(int(row[3].replace(",", "")) for row in prices[1:])
    assert counted == synced.value(
        "SELECT count(*) FROM (SELECT DISTINCT ON (sku_id) price, product_id FROM catalog.price_tiers"
        " ORDER BY sku_id, min_quantity) f JOIN catalog.products p USING (product_id)"
        " WHERE price IS NOT NULL AND p.delisted_at IS NULL"
    )
    feeds = {row[0]: row[1] for row in cells(said(metadata, "feed_sizes/in_full"))[1:]}
    assert feeds["us_standard"] == str(len(synced.truth("feed?key=us_standard")["product_ids"]))


def test_where_there_is_nothing_yet_words_say_so(database: Database) -> None:
    metadata = pictures.every_picture(database, ["US"])
    assert set(metadata) == {"price_distribution", "freight_by_origin", "staleness", "stock_by_origin", "feed_sizes"}
    assert all(said(metadata, name).startswith("Nothing yet: no ") for name in metadata)
    assert preview(database, PRODUCTS).value == "Nothing yet: the table is empty"


def test_charts_have_titles_axes_and_units() -> None:
    day = timedelta(days=1)
    drawn = {
        "price": charts.price_distribution([PriceDistribution("USD", (PriceBin(Decimal(1), Decimal("1.5"), 3),))]),
        "freight": charts.freight_by_origin(
            [FreightLane(None, "US", "USD", 4, Decimal(1), Decimal(2), Decimal(3))] * 40
        ),
        "read": charts.staleness([KindAges("inventory", day, 3, (AgeBucket(timedelta(0), day, 1),))]),
        "Stock": charts.stock_by_origin([StockOrigin("CN", 1, 2, 3, 4)]),
        "Listed": charts.feed_sizes([FeedSize("local_us", 3, (DayOfChanges(datetime.now(UTC).date(), 1, 2),))]),
    }
    for word, figure in drawn.items():
        assert word in figure.axes[0].get_title()
        assert re.search("USD|%|variants|products", figure.axes[0].get_xlabel())
        assert len(charts.png(figure)) < EVENT_LOG_ROOM
    assert drawn["freight"].axes[0].get_yticklabels()[0].get_text() == "? → US  (4)"
    assert drawn["freight"].get_figheight() < 6  # the lanes that go unshown take no room


def test_a_currency_of_few_variants_takes_no_room_from_that_of_many() -> None:
    bins = (PriceBin(Decimal(1), None, 1000),)
    few = (PriceBin(Decimal(1), None, 49),)
    figure = charts.price_distribution([PriceDistribution("USD", bins), PriceDistribution("MXN", few)])
    assert [axes.get_title() for axes in figure.axes] == ["1,000 variants on offer by price, USD"]


def test_fees_in_different_currencies_do_not_share_an_axis() -> None:
    fees = (Decimal(1), Decimal(2), Decimal(3))
    lanes = [FreightLane(origin, "US", currency, 4, *fees) for origin, currency in (("CN", "USD"), ("MX", "MXN"))]
    figure = charts.freight_by_origin(lanes)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["CN → US  (4)"]
    assert "USD" in figure.axes[0].get_xlabel()


def test_the_smallest_and_the_largest_catalogue_fit_where_pictures_are_shown() -> None:
    widest = thumbnails.histogram("9" * 80, [10**9] * 49, [charts.amount(Decimal(10) ** 14)] * 50)
    assert thumbnails.shown_length(widest) <= thumbnails.SHOWN_IN_PLACE
    assert len(re.findall("v-", svg(widest)[0].attrib["d"])) <= 25
    assert svg(thumbnails.histogram("one", [1], ["1", "2"])) is not None
    rows = [thumbnails.Row("&<>'\"&<>'\"&<>'\"&<>'\"&<>'\"&<>'\"", (0.0, 0.5, 1.0))] * 20
    for draw in (thumbnails.boxes, thumbnails.segments):
        written = draw("&" * 80, rows)
        assert thumbnails.shown_length(written) <= thumbnails.SHOWN_IN_PLACE
        assert rows[0].label.startswith(texts(svg(written))[0].rstrip("…"))


def test_bars_that_are_joined_keep_every_variant() -> None:
    written = thumbnails.histogram("t", [0] * 47 + [10, 30], [str(n) for n in range(50)])
    heights = [int(height) for height in re.findall(r"v-(\d+)", svg(written)[0].attrib["d"])]
    assert heights[-1] == 70
    assert [height for height in heights if height] in ([23, 70], [70])


def test_foreign_words_in_a_picture_are_words() -> None:
    row = thumbnails.Row("</text>)>![x](y) \\ \u202e", (0.1, 0.2, 0.3))
    for draw in (thumbnails.boxes, thumbnails.segments):
        assert "</text>)>![x](y) \\ " in texts(svg(draw("![a](b) </svg>", [row])))


def test_hostile_texts_stay_texts_in_their_cells() -> None:
    markdown = markdown_table(["title", "price"], [[HOSTILE, Decimal("3.6900")], ["plain", None]])
    types = {token.type for token in everything_in(markdown)}
    assert not types & {
        "image",
        "link_open",
        "html_inline",
        "html_block",
        "strong_open",
        "heading_open",
        "text_special",
    }
    heading, hostile, plain = cells(markdown)
    assert heading == ["title", "price"]
    assert plain == ["plain", "–"]
    assert hostile[0].startswith("<script>alert(1)</script> a¦b ˋcˋ")
    assert hostile[1] == "3.6900"
    assert len(hostile[0]) == 40
    for cut in range(len(HOSTILE)):  # whatever the cut leaves at the end, the cell ends after it
        piece = HOSTILE[cut : cut + 8]
        shown, after = cells(markdown_table(["a", "b"], [[piece, "after"]]))[1]
        assert shown.isprintable()  # nothing that cannot be seen, nothing that turns the reading round
        assert after == "after"


def test_a_preview_shows_the_newest_rows_in_the_columns_that_say_something(database: Database) -> None:
    with database.begin() as connection:
        for number in range(12):
            connection.execute(
                text(
                    "INSERT INTO catalog.products (product_id, title, detail_url, wholesale_price, first_seen_at,"
                    " described_at, changed_at) VALUES (:id, :title, 'https://x', 12345.6, :at, :at, :at)"
                ),
                {
                    "id": str(number),
                    "title": HOSTILE.replace("\0", ""),
                    "at": datetime(2026, 3, 1 + number, 9, 30, tzinfo=UTC),
                },
            )
    heading, *rows = cells(str(preview(database, PRODUCTS, rows=3).value))
    assert heading == ["product_id", "title", "wholesale_price", "first_seen_at", "changed_at"]
    assert [row[0] for row in rows] == ["11", "10", "9"]
    assert rows[0][2:] == ["12,345.6000", "2026-03-12 09:30Z", "2026-03-12 09:30Z"]


def test_no_preview_shows_html_or_what_is_not_for_everybody(synced: Deployment) -> None:
    for table in PUBLISHED:
        heading, *rows = cells(str(preview(synced.database, table).value)) or [[]]
        assert not {"html", "url", "detail_url", "main_image_url", "described_at"} & set(heading)
        assert len(rows) <= 8
    assert cells(str(preview(synced.database, PRODUCT_DESCRIPTIONS).value))[0] == ["product_id"]
    assert cells(str(preview(synced.database, LISTING_CHANGES).value))[0][:2] == ["feed", "product_id"]
    assert len(cells(str(preview(synced.database, FEED_PRODUCTS).value))) == 9
    for table in set(ALL_TABLES) - set(PUBLISHED):
        with pytest.raises(ValueError, match="is not published"):
            preview(synced.database, table)
    assert ACCOUNTS not in PUBLISHED


def test_the_line_that_reads_a_snapshot_reads_it(synced: Deployment) -> None:
    newest = synced.home / "lake" / "latest"
    links = snapshot_links(Snapshot(str(newest.resolve()), {}), PRODUCTS)
    line = str(links["read_with_pandas"].value).strip("`")
    frame = eval(line, {"pandas": pd})
    assert len(frame) == synced.value("SELECT count(*) FROM catalog.products") > 0
    assert links["path"].value == str(newest.resolve())


def test_every_table_is_described_where_its_link_says() -> None:
    headings = [line.strip("# ") for line in dictionary().splitlines() if line.startswith("#")]
    anchors = {re.sub(r"[^\w-]", "", heading) for heading in headings}  # as forges make them
    for table in PUBLISHED:
        path, _, anchor = str(docs(table).value).partition("#")
        assert path == "docs/tables.md"
        assert anchor in anchors


def test_whoever_draws_nothing_does_not_wait_for_what_draws() -> None:
    code = (
        "import json, sys; import dropship_pipeline.orchestration.pictures, dropship_pipeline.definitions;"
        "print(json.dumps([name for name in sys.modules if name.partition('.')[0] in ('matplotlib', 'PIL')]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
