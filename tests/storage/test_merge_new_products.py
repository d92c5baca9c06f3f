"""Products that nothing is known of: they are written without a look at what is there, and end as if it had been."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from merge_rows import Goods, ask, at, descriptions, freight, inventory, ledger, tell

from dropship_pipeline.storage.catalog.merge import MergeCounts, Merger
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.storage.server.failures import DatabaseProblem

FLASK = Goods("P1", skus={"S1": {1: "3.69", 100: "3.10"}, "S2": {1: "4.00"}})
MUG = Goods("P2", skus={"S3": {1: "2.00"}}, title="Mug")


@pytest.fixture
def merger(database: Database) -> Iterator[Merger]:
    with Merger(database) as merger:
        yield merger


def describe(merger: Merger, goods: list[Goods], hours: float) -> MergeCounts:
    return merger.merge_descriptions(
        descriptions(goods, at(hours)), ledger("description", [g.product_id for g in goods], at(hours))
    )


def take_stock(merger: Merger, levels: dict[str, dict[tuple[str, str], int | None]], hours: float) -> MergeCounts:
    return merger.merge_inventory(inventory(levels, at(hours)), ledger("inventory", levels, at(hours)))


def test_a_batch_of_new_and_known_products_does_right_by_both(database: Database, merger: Merger) -> None:
    describe(merger, [FLASK], 0)
    counts = describe(merger, [Goods("P1", skus={"S1": {1: "3.50", 100: "3.10"}}), MUG], 1)
    assert (counts.new, counts.changed) == (1, 1)
    assert ask(database, "SELECT sku_id, min_quantity, price FROM catalog.price_tiers ORDER BY 1, 2") == [
        ("S1", 1, Decimal("3.5000")),
        ("S1", 100, Decimal("3.1000")),
        ("S3", 1, Decimal("2.0000")),
    ]
    assert ask(database, "SELECT sku_id, old_price, new_price FROM catalog.price_changes ORDER BY 1") == [
        ("S1", Decimal("3.6900"), Decimal("3.5000")),
        ("S2", Decimal("4.0000"), None),
    ], "a first price is no move"


def test_a_sku_that_moves_to_a_new_product_takes_everything_with_it(database: Database, merger: Merger) -> None:
    describe(merger, [FLASK], 0)
    take_stock(merger, {"P1": {("S1", "CN"): 5}}, 0)
    counts = describe(merger, [MUG, Goods("P3", skus={"S1": {1: "3.50"}})], 1)
    assert (counts.products, counts.new, counts.rejected) == (2, 2, 0)
    for table in ("skus", "sku_attributes", "price_tiers", "inventory_levels"):
        assert ask(database, f"SELECT DISTINCT product_id FROM catalog.{table} WHERE sku_id = 'S1'") == [("P3",)]
    assert ask(database, "SELECT min_quantity, price FROM catalog.price_tiers WHERE sku_id = 'S1'") == [
        (1, Decimal("3.5000"))
    ]
    assert ask(database, "SELECT sku_id FROM catalog.skus ORDER BY 1") == [("S1",), ("S2",), ("S3",)]


def test_stock_that_was_another_products_is_that_of_the_new_one(database: Database, merger: Merger) -> None:
    take_stock(merger, {"P1": {("S1", "CN"): 5, ("S2", "CN"): 6}}, 0)
    counts = take_stock(merger, {"P3": {("S1", "CN"): 7, ("S9", "US"): 8}}, 1)
    assert (counts.new, counts.rejected) == (1, 0)
    assert ask(database, "SELECT sku_id, product_id, quantity FROM catalog.inventory_levels ORDER BY 1") == [
        ("S1", "P3", 7),
        ("S2", "P1", 6),
        ("S9", "P3", 8),
    ]


@pytest.mark.parametrize("table", ["product_images", "skus"])
def test_what_is_left_of_a_product_that_was_removed_by_hand_goes(
    database: Database, merger: Merger, table: str
) -> None:
    describe(merger, [Goods("P1", skus=FLASK.skus, images=("1.jpg", "2.jpg", "3.jpg"))], 0)
    others = {"product_descriptions", "product_images", "delivery_periods", "skus", "sku_attributes", "price_tiers"}
    tell(database, *(f"TRUNCATE catalog.{name}" for name in ("products", *(others - {table}))))
    tell(database, f"DELETE FROM catalog.{table} WHERE ctid = (SELECT min(ctid) FROM catalog.{table})")
    assert describe(merger, [Goods("P1", skus={"S1": {1: "3.69"}}, images=("1.jpg",))], 1).new == 1
    assert ask(database, "SELECT position, url FROM catalog.product_images") == [(0, "1.jpg")]
    assert ask(database, "SELECT sku_id FROM catalog.skus") == [("S1",)]


def test_a_first_quote_beside_failures_of_which_the_ledger_knows_nothing_replaces_them(
    database: Database, merger: Merger
) -> None:
    refused = freight([], [("P1", "US", 1, "MX", "NO_OPTIONS")], at(0))
    merger.merge_freight(refused, ledger("freight", ["P1"], at(0), "refused", "US", code="NO_OPTIONS"))
    tell(database, "TRUNCATE ops.fetches")
    quoted = freight([("P1", "US", 1, "DHL", "9.90")], [], at(1))
    assert merger.merge_freight(quoted, ledger("freight", ["P1"], at(1), destination="US")).new == 1
    assert ask(database, "SELECT vendor_code FROM catalog.freight_quotes") == [("DHL",)]
    assert ask(database, "SELECT * FROM catalog.freight_failures") == []


def test_new_products_that_several_read_at_once_are_there_once(database: Database) -> None:
    goods = [Goods(f"P{n}", skus={f"S{n}-{k}": {1: "3.69"} for k in range(5)}) for n in range(50)]

    def work(_: int) -> MergeCounts:
        with Merger(Database(database.libpq_url)) as merger:
            return describe(merger, goods, 0)

    with ThreadPoolExecutor(3) as pool:
        counts = list(pool.map(work, range(3)))
    assert sorted(count.new for count in counts) == [0, 0, 50]
    assert sum(count.unchanged for count in counts) == 100
    assert sum(sum(count.rows_written.values()) for count in counts) == 50 * (1 + 1 + 2 + 2 + 5 + 5 + 5)


@pytest.mark.parametrize("type_", ["double precision", "integer", "numeric"])
def test_a_column_that_somebody_gave_another_type_takes_new_rows_as_before(
    database: Database, merger: Merger, type_: str
) -> None:
    tell(database, f"ALTER TABLE catalog.delivery_periods ALTER process_days TYPE {type_}")
    assert describe(merger, [FLASK], 0).new == 1
    query = "SELECT quantity, process_days::text FROM catalog.delivery_periods ORDER BY 1"
    assert ask(database, query) == [(100, "7"), (1000, "15")]


def test_a_table_that_is_altered_under_a_sync_is_named(database: Database, merger: Merger) -> None:
    describe(merger, [FLASK], 0)
    tell(database, "ALTER TABLE catalog.price_tiers RENAME currency TO money")
    with pytest.raises(DatabaseProblem, match=r"lacks a column .*currency.* Run `dropship db upgrade`"):
        describe(merger, [MUG], 0)
