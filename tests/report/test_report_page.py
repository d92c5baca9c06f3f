"""The report's page: it says what the tables say, of one moment; nothing in it is obeyed; it needs nothing else."""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
from harm import HOSTILE
from sqlalchemy import text

from dropship_pipeline.report.numbers import Numbers, gather
from dropship_pipeline.settings import Settings
from dropship_pipeline.storage.ops.alerts import save_alerts
from dropship_pipeline.storage.ops.watched import differences, note_told, watch
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.sync.alerts.rules import judged
from dropship_pipeline.sync.alerts.watching import news

Make = Callable[[Database], str]

SECTIONS = [
    "feeds",
    "moves",
    "watched",
    "holds",
    "landed",
    "prices",
    "freight",
    "stock",
    "freshness",
    "orders",
    "quality",
]
_VOID = {"meta", "img", "source"}


@dataclass
class Page(HTMLParser):
    """The page as a browser takes it in: what stands open at the end was never closed."""

    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    tables: dict[str, list[list[str]]] = field(default_factory=dict)
    _rows: list[list[str]] = field(default_factory=list)
    _said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in _VOID:
            self.open.append(tag)
        if tag == "tr":
            self._rows.append([])
        if tag in {"td", "th", "caption"}:
            self._said = []

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag in {"td", "th"}:
            self._rows[-1].append("".join(self._said).strip())
        if tag == "caption":
            self._rows = []
            self.tables["".join(self._said)] = self._rows

    def handle_data(self, data: str) -> None:
        self._said.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def read(html: str) -> Page:
    page = Page()
    page.feed(html)
    page.close()
    assert page.open == []
    return page


def pictures(page: Page) -> list[str]:
    """The SVG of each picture, wide and narrow."""
    addresses = [one["src"] for one in page.all("img")] + [one["srcset"] for one in page.all("source")]
    begin = "data:image/svg+xml;base64,"
    assert all(address.startswith(begin) for address in addresses)
    return [base64.b64decode(address.removeprefix(begin)).decode() for address in addresses]


def test_the_page_has_every_section_with_the_numbers_behind_each_picture(page_of_the_dozen: str) -> None:
    page = read(page_of_the_dozen)
    assert [one["id"] for one in page.all("section")] == SECTIONS
    assert [one["href"] for one in page.all("a")] == [f"#{key}" for key in SECTIONS]
    tables = page.tables
    assert tables["Feeds: Feeds"][0] == ["feed", "listed now", "came in 14 days", "went"]
    assert ["us_standard", "4", "0", "0"] in tables["Feeds: Feeds"]
    assert ["USD", "–", "1", "low_stock"] not in tables["On hold: Reasons"]
    assert ["low_stock", "default", "2", "2"] in tables["On hold: Reasons"]
    assert ["offline", "–", "1", "1"] in tables["On hold: Reasons"]
    assert any(
        row[0] == "low_stock" and row[3] == "0 in stock, at least 1 wanted"
        for row in tables["On hold: The first of each"]
    )
    assert tables["Stock by origin: Stock"][1][0] == "MX"
    assert [row[:2] for row in tables["Orders: Now"][1:]] == [
        ["charge_back", "1"], ["delivering", "1"], ["frozen", "1"], ["unpay", "1"]
    ]  # fmt: skip


def test_every_number_of_a_table_is_what_the_marts_say(shared_dozen: Database, page_of_the_dozen: str) -> None:
    page = read(page_of_the_dozen)
    moves = page.tables["What moved most: The furthest"]
    with shared_dozen.begin() as connection:
        rows = connection.execute(text("""
            SELECT product_id, max(abs(change_percent)) FROM marts.price_moves WHERE days = 7 AND change_percent <> 0
            GROUP BY 1 ORDER BY 2 DESC""")).all()  # fmt: skip
        landed = connection.execute(
            text("""
            SELECT count(DISTINCT (sku_id, destination_country)) FROM marts.landed_costs
            WHERE landed_unit_cost IS NOT NULL""")
        ).scalar_one()
    assert [(row[1], abs(float(row[7]))) for row in moves[1:]] == [
        (key, pytest.approx(most, abs=0.06)) for key, most in rows
    ]
    counted = sum(int(cell) for row in page.tables["Landed cost against stock: Landed cost"][1:] for cell in row[4:])
    assert counted == landed > 5


def test_a_hostile_text_stays_a_text_wherever_it_comes(page_of_the_harmed: str) -> None:
    page = read(page_of_the_harmed)
    assert page.all("script") == []
    assert {name for _, attributes in page.tags for name in attributes if name.startswith("on")} == set()
    assert "49" not in "".join(row[0] for row in page.tables["What moved most: The furthest"])
    assert page.tables["What moved most: The furthest"][1][0] == HOSTILE
    assert HOSTILE in [row[0] for row in page.tables["Stock by origin: Stock"]]
    assert HOSTILE in [row[0] for row in page.tables["Freight: Lanes"]]
    assert HOSTILE in [row[0] for row in page.tables["Orders: Now"]]
    assert HOSTILE in [row[1] for row in page.tables["On hold: Reasons"]]
    for drawn in pictures(page):
        names = {element.tag.rpartition("}")[2] for element in ET.fromstring(drawn).iter()}
        assert names <= {
            "svg",
            "style",
            "defs",
            "g",
            "path",
            "rect",
            "use",
            "clipPath",
            "text",
            "tspan",
            "metadata",
            "RDF",
        }


def test_the_page_reaches_for_nothing_outside_of_itself(page_of_the_dozen: str) -> None:
    html = page_of_the_dozen
    page = read(html)
    policy = next(one["content"] for one in page.all("meta") if one.get("http-equiv") == "Content-Security-Policy")
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert {one["href"][0] for one in page.all("a")} == {"#"}
    assert page.all("link") == page.all("script") == page.all("iframe") == []
    style = (html.split("<style>")[1]).split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
    for drawn in pictures(page):
        assert re.findall(r"(?:href|src)=\"(?!#)[^\"]*\"", drawn) == []
    assert len(html.encode()) < 1_500_000


def test_every_picture_says_what_it_shows_fits_a_phone_and_turns_dark(page_of_the_dozen: str) -> None:
    page = read(page_of_the_dozen)
    images = page.all("img")
    assert len(images) == 9
    assert all(len(one["alt"]) > 30 and one["alt"].endswith(".") for one in images)
    assert [one["media"] for one in page.all("source")] == ["(max-width: 640px)"] * 9
    widths = [float(re.findall(r'width="([\d.]+)pt"', drawn)[0]) for drawn in pictures(page)]
    assert min(widths[:9]) > max(widths[9:])
    for drawn in pictures(page):
        assert "prefers-color-scheme: dark" in drawn
        assert re.search(r"fill: #(?:2b3440|000000)", drawn) is None, "ink of paper on a dark screen"
        assert "<text" in drawn, "texts are texts"


def test_a_table_can_be_read_without_eyes(page_of_the_dozen: str) -> None:
    page = read(page_of_the_dozen)
    assert all(one["scope"] == "col" for one in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table")) == len(page.all("details"))
    named = {one["id"] for one in page.all("h2")}
    assert {one["aria-labelledby"] for one in page.all("section")} == named
    assert page.all("html") == [{"lang": "en"}]
    assert any(one.get("name") == "viewport" for one in page.all("meta"))


def test_an_empty_catalogue_has_a_page_that_says_what_there_is_not_yet(database: Database, make_page: Make) -> None:
    html = make_page(database)
    page = read(html)
    assert page.all("img") == []
    assert html.count('class="nothing"') == len(SECTIONS) - 1
    assert "Nothing yet: no feed lists a product." in html


def test_what_forbids_publishing_stands_at_the_top_of_the_findings(page_of_the_harmed: str) -> None:
    found = read(page_of_the_harmed).tables["Data quality: Findings"][1:]
    [grave] = [row for row in found if row[1:3] == ["catalog.price_tiers", "money_positive"]]
    assert grave[0] == "stops publishing"
    assert grave[3].startswith("2 of 23 rows of catalog.price_tiers have a price of nothing or less")


def test_watched_products_stand_there_with_what_people_were_told(dozen: Database, make_page: Make) -> None:
    watch(dozen, ["P01", "P08", "P99"])
    found = differences(dozen)
    note_told(dozen, found, datetime(2026, 3, 1, 12, tzinfo=UTC))
    with dozen.begin() as connection:
        connection.exec_driver_sql("UPDATE catalog.skus SET product_id = 'P02' WHERE sku_id = 'S012'")
    [seen] = news(differences(dozen), datetime(2026, 3, 2, 9, 30, tzinfo=UTC))
    save_alerts(dozen, judged([], [seen], [], seen.at))
    tables = read(make_page(dozen)).tables
    assert tables["Watched products: News"][1:] == [["plain", "1 variant gone: S012", "2026-03-02 09:30 UTC"]]
    assert tables["Watched products: As they are"][1:] == [
        ["plain", "P01", "on offer", "5.00", "USD", "15"],
        ["gone", "P08", "gone", "–", "–", "–"],
        ["–", "P99", "not read yet", "–", "–", "–"],
    ]


def test_a_simulated_catalogue_is_told_from_a_real_one(page_of_the_dozen: str, page_of_the_harmed: str) -> None:
    assert "simulated Alibaba.com" not in page_of_the_dozen
    assert "simulated Alibaba.com" in page_of_the_harmed


def test_all_numbers_are_of_one_moment(dozen: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of the reading, everything is deleted and committed."""
    from dropship_pipeline.report import numbers

    whole = gather(dozen, settings)
    prices = numbers.figures.price_distribution

    def prices_after_all_is_gone(connection: object) -> object:
        with dozen.begin() as other:
            other.exec_driver_sql("DELETE FROM catalog.feed_products")
            other.exec_driver_sql("DELETE FROM catalog.freight_quotes")
            other.exec_driver_sql("DELETE FROM orders.orders")
        return prices(connection)  # type: ignore[arg-type]

    monkeypatch.setattr(numbers.figures, "price_distribution", prices_after_all_is_gone)
    beside = gather(dozen, settings)
    assert told(beside) == told(whole)
    monkeypatch.undo()
    assert told(gather(dozen, settings)) != told(whole)


def told(numbers: Numbers) -> list[object]:
    """All that two readings within a moment agree in: ages are as old as the reading."""
    return [getattr(numbers, one.name) for one in fields(Numbers) if one.name not in ("totals", "ages")]
