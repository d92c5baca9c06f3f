"""A shop whose every word is chosen to do harm: a sync keeps its words in the tables as they are, and obeys none.

What the UI and the report make of such words is in `orchestration/test_pictures.py`, `browser/` and `report/`; what a
spreadsheet and a terminal are given, in `cli/test_sql_command.py` and `cli/test_terminal.py`.
"""

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deployment import Deployment
from hand_made_catalogue import Attribute, Carrier, Catalogue, Product, Tier, Trade, Variant, d
from server import Stranger
from telling import Manner

from dropship_pipeline import lake
from dropship_pipeline.catalog.feeds import FEEDS
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.sync.request import SyncRequest

IDS = (
    "../../../../../tmp/dropship-escaped",
    "/etc/dropship-escaped",
    "..",
    "x'); DROP TABLE catalog.products; --",
    "x\\'); DROP TABLE catalog.products; --",
    "{feed} %s :sweep_id $1",
    "$(touch /tmp/dropship-escaped)",
    "=1+1",
    "a%00b%2e%2e%2f",
    "\u202egnp.exe",
    "CON",
)
WORDS = """<script>alert(1)</script>=HYPERLINK("http://x") '"; \\ %s {x} :y $1 \x1b[2J \u202e ../../x | `a` """
PLAIN_PATH = re.compile(r"[A-Za-z0-9_.=:+-]+")


def hostile(number: int, product_id: str) -> Product:
    tier, attribute = Tier(1, None, d("9.5"), "USD"), Attribute(WORDS, WORDS, WORDS, WORDS)
    sku = Variant(f"{product_id}:sku", (tier,), (attribute,), WORDS, WORDS, WORDS, WORDS)
    carrier = Carrier(f"{WORDS}{number}", WORDS, (3, 9), d("4.25"), kind=WORDS, term=WORDS, business=WORDS)
    return Product(
        product_id, WORDS, (sku,), html=WORDS, category_id=WORDS, category=WORDS, supplier=WORDS, company=WORDS,
        model=WORDS, url=WORDS, main_image=WORDS, images=(WORDS,), trade=Trade(1, d("9.5"), WORDS),
        stock={"CN": ((f"{product_id}:sku", 7, WORDS),), "../US'": ((f"{product_id}:sku", 7, WORDS),)},
        freight={("US", "CN"): (carrier,), ("US", "../US'".upper()): (carrier,)},
    )  # fmt: skip


def files_under(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*") if not path.is_dir()}


def test_the_words_of_a_hostile_shop_are_kept_and_never_obeyed(
    tmp_path: Path, make_database: Callable[..., Database]
) -> None:
    products = {product_id: hostile(number, product_id) for number, product_id in enumerate(IDS)}
    shop = Catalogue(products, {feed.key: list(IDS) for feed in FEEDS})
    with Stranger(shop, Manner()) as stranger:
        sandbox: Any = stranger
        merchant = Deployment(tmp_path / "home", make_database(), sandbox)
        assert merchant.sync().problems == []
        # what is asked for by name, and what is read a second time
        assert merchant.sync(SyncRequest(product_ids=IDS, force=True)).problems == []
        shop.feeds["local_us"] = list(IDS[1:])  # what ends, and is found again, goes by its name too
        merchant.sync()

    rows = merchant.rows("SELECT product_id, title, supplier, category FROM catalog.products")
    # as they came: nothing is trimmed, nothing is escaped
    assert {row["product_id"]: row["title"] for row in rows} == dict.fromkeys(IDS, WORDS)
    assert {(row["supplier"], row["category"]) for row in rows} == {(WORDS, WORDS)}
    assert merchant.value("SELECT count(DISTINCT sku_id) FROM catalog.skus") == len(IDS)
    assert merchant.value("SELECT count(*) FROM catalog.inventory_levels") == 2 * len(IDS)
    assert merchant.value("SELECT count(*) FROM catalog.freight_quotes") > 0
    assert merchant.value("SELECT count(*) FROM catalog.product_descriptions WHERE html <> ''") == len(IDS)
    assert merchant.rows("SELECT * FROM ops.rejected_records") == []

    in_the_lake = files_under(merchant.home / "lake")
    assert in_the_lake
    assert not [path for path in in_the_lake if not all(PLAIN_PATH.fullmatch(part) for part in path.parts)]
    assert {path.parts[0] for path in files_under(tmp_path)} == {"home"}
    assert not list(Path("/tmp").glob("dropship-escaped*"))
    assert not Path("/etc/dropship-escaped").exists()

    read = lake.read("products", lake=str(merchant.home / "lake"))
    assert sorted(read.product_id) == sorted(IDS)
    sheet = merchant.dropship("sql", "--excel", "SELECT product_id, title FROM catalog.products ORDER BY 1").stdout
    cells = [cell for row in csv.reader(io.StringIO(sheet.removeprefix("\ufeff"), newline="")) for cell in row]
    assert not [cell for cell in cells if cell.lstrip(" \t\r\n'\"").startswith(tuple("=+-@")) and cell[0] != "'"]
    assert "'=1+1" in cells
    assert merchant.dropship("report").returncode == 0
    page = next((merchant.home / "lake").glob("reports/*.html")).read_text()
    assert "<script>" not in page
