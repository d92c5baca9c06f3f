"""A table that was altered by hand is named with its difference; one that we wrote ourselves never is."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from merge_rows import Goods, Landed, ask, at, descriptions, inventory, ledger, tell
from sqlalchemy import Connection

from dropship_pipeline.storage.catalog.memberships import merge_sweep
from dropship_pipeline.storage.catalog.merge import Merger
from dropship_pipeline.storage.catalog.sweeps import open_sweep
from dropship_pipeline.storage.lake.place import Lake
from dropship_pipeline.storage.lake.published import find
from dropship_pipeline.storage.lake.snapshots import publish
from dropship_pipeline.storage.reading.alterations import in_definition, in_log, since_snapshot
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.storage.server.transactions import Transactions


def never(active: int, would_end: int) -> bool:
    return False


@pytest.fixture
def catalogue(database: Database) -> Database:
    """Some hours of a small catalogue: prices, a currency and stock that move, SKUs and products that come and go."""
    goods = [Goods(f"P{n}", skus={f"S{n}": {1: "3.69", 100: "3.10"}, f"T{n}": {1: "5.00"}}) for n in range(4)]
    told = [
        goods,
        [replace(one, skus={f"S{n}": {1: "3.00"}}) for n, one in enumerate(goods)],
        [replace(one, currency="EUR", skus={f"S{n}": {1: "2.00"}}) for n, one in enumerate(goods)],
        goods,
    ]
    with Merger(database) as merger, closing(Transactions(database)) as transactions:
        for hour, (described, listed) in enumerate(zip(told, ["ABC", "AB", "A", "ABD"], strict=True)):
            seen = pa.table({"product_id": list(listed), "position": pa.array(range(len(listed)), pa.int64())})
            merge_sweep(
                transactions, open_sweep(database, "us_standard", "run", 100), seen=seen, pages=1, reported_total=None,
                complete=True, reason=None, is_held=never, let_through=False,
            )  # fmt: skip
            ids = [one.product_id for one in described]
            files = [Landed(f"raw/{hour}")]
            merger.merge_descriptions(
                descriptions(described, at(hour)), ledger("description", ids, at(hour)), None, files
            )
            stock = {
                one: {(f"S{n}", "CN"): 7 * hour} | ({} if hour == 2 else {(f"S{n}", "US"): 1})
                for n, one in enumerate(ids)
            }
            merger.merge_inventory(inventory(stock, at(hour)), ledger("inventory", ids, at(hour)))
    return database


def found(connection: Connection) -> list[str]:
    return [one.said for one in (*in_definition(connection), *in_log(connection))]


def test_what_we_wrote_ourselves_is_no_alteration(catalogue: Database) -> None:
    with catalogue.begin() as connection:
        assert found(connection) == []
    for log in ("price_changes", "inventory_changes", "listing_changes"):
        assert ask(catalogue, f"SELECT count(*) > 4 FROM catalog.{log}") == [(True,)]


ALTERED = (
    ("ALTER TABLE catalog.skus DROP COLUMN unit", "catalog.skus: column unit is gone"),
    ("ALTER TABLE catalog.skus ALTER unit TYPE varchar(9)", "skus: column unit is character varying(9)"),
    ("ALTER TABLE catalog.delivery_periods ALTER process_days TYPE text", "process_days is text, not integer"),
    ("ALTER TABLE catalog.skus ALTER product_id DROP NOT NULL", "catalog.skus: column product_id may be NULL"),
    ("ALTER TABLE catalog.skus ADD margin numeric", "catalog.skus: there is a column margin of somebody else"),
    ("ALTER TABLE catalog.skus DROP CONSTRAINT skus_pkey", "catalog.skus: its primary key is gone or another"),
    ("DROP INDEX catalog.listing_changes_observed_at", "catalog.listing_changes: its index on observed_at is gone"),
    ("DROP TABLE catalog.freight_quotes CASCADE", "catalog.freight_quotes: the table is gone"),
    ("UPDATE catalog.price_tiers SET price = 1 WHERE sku_id = 'S1'", "catalog.price_tiers: 2 rows are not what"),
    ("DELETE FROM catalog.price_tiers WHERE sku_id = 'S2'", "catalog.price_tiers: 2 rows are not what"),
    ("UPDATE catalog.inventory_levels SET quantity = 99 WHERE sku_id = 'S1'", "catalog.inventory_levels: 2 rows"),
    ("UPDATE catalog.feed_products SET delisted_at = now() WHERE product_id = 'A'", "feed_products: 1 row is"),
    ("DELETE FROM catalog.feed_products WHERE product_id = 'A'", "catalog.feed_products: 1 row is not"),
    ("INSERT INTO catalog.feed_products VALUES ('us_standard', 'X', 1, now(), now())", "feed_products: 1 row is"),
    ("DELETE FROM catalog.listing_changes WHERE product_id = 'D'", "catalog.feed_products: 1 row is not what"),
)


def test_a_table_altered_by_hand_is_named_with_its_difference(catalogue: Database) -> None:
    for statement, said in ALTERED:
        with catalogue.sqlalchemy.connect() as connection:
            connection.exec_driver_sql(statement)
            told = found(connection)
            connection.rollback()
        assert len(told) == 1, statement
        assert said in told[0], statement


def test_rows_of_which_no_log_is_kept_are_held_against_the_newest_snapshot(catalogue: Database, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    publish(catalogue, lake, "run", keep=7)
    snapshot = find(lake)
    assert since_snapshot(catalogue, snapshot) == []
    tell(
        catalogue,
        "UPDATE catalog.products SET title = title || '!' WHERE product_id = 'P1'",
        "DELETE FROM catalog.product_images WHERE product_id = 'P2'",
        "INSERT INTO catalog.skus (sku_id, product_id) VALUES ('MINE', 'P1')",
    )
    said = [one.said for one in since_snapshot(catalogue, snapshot)]
    assert [line.partition(":")[0] for line in said] == ["catalog.products", "catalog.product_images", "catalog.skus"]
    assert "title: bytes is " in said[0]
    assert "rows is 9 in Postgres and 8 in Parquet" in said[2]
    with Merger(catalogue) as merger:  # what we write ourselves since then is no alteration
        rows = descriptions([Goods("P1", skus={"NEW": {1: "1.00"}})], at(9))
        merger.merge_descriptions(rows, ledger("description", ["P1"], at(9)), None, [Landed("raw/9")])
    assert since_snapshot(catalogue, snapshot) == []
