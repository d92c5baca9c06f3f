"""A first sync, whole: the tables equal the catalogue of the server, value for value."""

from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow.parquet as pq
import pytest
from deployment import Deployment
from moment import THEN_MS
from oracle import expected_feeds, expected_tables, stored_feeds, stored_tables, truth

from dropship_pipeline.sandbox.launch import SandboxConfig, start
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.storage.server.statistics import look_again
from dropship_pipeline.sync.request import SyncRequest
from dropship_pipeline.sync.session import Session
from dropship_pipeline.sync.stages.describe import describe
from dropship_pipeline.sync.stages.discover import discover
from dropship_pipeline.sync.stages.quote import quote
from dropship_pipeline.sync.stages.stock import take_stock

Deploy = Callable[..., Deployment]


@pytest.fixture(scope="module")
def synced(
    make_shared_database: Callable[[], Database], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """A merchant after a first sync of 120 products. Only looked at: a module shares it."""
    with start(SandboxConfig(products=120, orders=0, clock_speed=0.0, clock_start_ms=THEN_MS)) as sandbox:
        merchant = Deployment(tmp_path_factory.mktemp("home"), make_shared_database(), sandbox)
        assert merchant.sync().problems == []
        yield merchant


def test_after_a_first_sync_the_tables_equal_the_catalogue_value_for_value(synced: Deployment) -> None:
    check_tables(synced)


def test_so_they_do_where_the_live_dialect_is_spoken(deploy: Deploy) -> None:
    merchant = deploy(dialect="live", products=120)
    assert merchant.sync().problems == []
    check_tables(merchant)


def check_tables(merchant: Deployment) -> None:
    """Every table is what its server says, value for value."""
    listed = expected_feeds(merchant)
    assert stored_feeds(merchant) == {key: ids for key, ids in listed.items() if ids}
    reachable = {product_id for ids in listed.values() for product_id in ids}
    expected = expected_tables({key: told for key, told in truth(merchant).items() if key in reachable})
    stored = stored_tables(merchant)
    for table, rows in expected.items():
        assert stored[table] == rows, table
        assert rows, f"{table} is empty at the server: the test shows nothing"


def test_after_a_sync_the_planner_knows_what_is_in_the_tables(synced: Deployment) -> None:
    assert look_again(synced.database) == []


def test_every_product_is_described_once_however_many_feeds_list_it(synced: Deployment) -> None:
    memberships = synced.value("SELECT count(*) FROM catalog.feed_products")
    for path in ("/eco/buyer/product/description", "/eco/buyer/product/inventory"):
        calls = synced.calls(path)
        assert len(calls) < memberships
        assert set(calls.values()) == {1}


def without_stock(session: Session, request: SyncRequest) -> None:
    """A sync that is told nothing of where a product is stocked: it has to find out by trying."""
    discover(session, request)
    describe(session, request)
    take_stock(session, request)
    with session.database.begin() as connection:
        connection.exec_driver_sql("TRUNCATE catalog.inventory_levels")
    quote(session, request)


def test_freight_options_are_those_of_the_first_dispatch_location_that_works_and_it_is_tried_first_next_time(
    deploy: Deploy,
) -> None:
    merchant = deploy(products=200, variables={"DROPSHIP_DESTINATIONS": "US:90001,MX"})
    summary = merchant.sync(stages=without_stock)
    quotes: dict[tuple[str, str], dict[str, Any]] = {}
    for row in merchant.rows("SELECT * FROM catalog.freight_quotes"):
        quotes.setdefault((row["product_id"], row["destination_country"]), {})[row["vendor_code"]] = row
    failures: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in merchant.rows("SELECT * FROM catalog.freight_failures"):
        failures.setdefault((row["product_id"], row["destination_country"]), []).append(row)
    needed_a_second = quotes.keys() & failures.keys()
    assert len(needed_a_second) > 10
    assert summary.stages[-1].fallbacks == len(needed_a_second)
    assert failures.keys() - quotes.keys(), "no product was refused everywhere: the test shows nothing"
    for (product_id, destination), carriers in quotes.items():
        quoted = next(iter(carriers.values()))
        answers = freight_truth(merchant, product_id, destination, quoted["quantity"])
        offered = {option["vendor_code"]: option for option in answers[quoted["requested_dispatch"]]["value"]}
        assert carriers.keys() == offered.keys()
        for vendor_code, row in carriers.items():
            assert row["fee"] == Decimal(offered[vendor_code]["fee"]["amount"])
            assert row["dispatch_country"] == offered[vendor_code]["dispatch_country"]
            assert row["vendor_name"] == offered[vendor_code]["vendor_name"]
    for (product_id, destination), refused in failures.items():
        answers = freight_truth(merchant, product_id, destination, refused[0]["quantity"])
        for row in refused:
            assert row["code"] == answers[row["dispatch_location"]].get("code", "NO_OPTIONS")

    merchant.sandbox.control("stats/reset", {})
    again = merchant.sync(SyncRequest(force=True), stages=only_quotes)
    assert again.stages[-1].fallbacks == 0
    refused_everywhere = len(failures.keys() - quotes.keys())
    assert sum(merchant.calls("/shipping/freight/calculate").values()) <= len(quotes) + 3 * refused_everywhere


def freight_truth(merchant: Deployment, product_id: str, destination: str, quantity: int) -> dict[str, Any]:
    """What each dispatch location answers."""
    zip_code = "&zip=90001" if destination == "US" else ""
    told = merchant.truth(f"freight?id={product_id}&quantity={quantity}&destination={destination}{zip_code}")
    answers: dict[str, Any] = told["answers"]
    return answers


def only_quotes(session: Session, request: SyncRequest) -> None:
    """Freight and nothing else."""
    quote(session, request)


def test_parquet_and_postgres_are_equal_row_for_row(synced: Deployment) -> None:
    latest = synced.home / "lake" / "latest" / "catalog"
    files = sorted(latest.glob("*.parquet"))
    assert len(files) == 14
    for file in files:
        stored = synced.rows(f"SELECT * FROM catalog.{file.stem}")
        published = pq.read_table(file).to_pylist()
        assert published or file.stem in {"price_changes", "inventory_changes"}, file.stem
        assert sorted(map(as_text, published)) == sorted(map(as_text, stored)), file.stem


def as_text(row: dict[str, Any]) -> str:
    """A row as text, so that rows with NULLs can be sorted; times in UTC whatever their zone is called."""
    return repr([value.isoformat() if isinstance(value, datetime) else value for value in row.values()])


def test_a_second_sync_of_a_fresh_catalogue_makes_no_detail_call_and_changes_no_row(deploy: Deploy) -> None:
    merchant = deploy(products=120)
    merchant.sync()
    tables = [row["t"] for row in merchant.rows("SELECT tablename AS t FROM pg_tables WHERE schemaname = 'catalog'")]
    before = {table: merchant.rows(f"SELECT xmin::text, * FROM catalog.{table}") for table in tables}
    merchant.sandbox.control("stats/reset", {})
    summary = merchant.sync()
    assert summary.problems == []
    called = {
        path for path, outcomes in merchant.sandbox.control("stats")["endpoints"].items() if any(outcomes.values())
    }
    assert all(path.endswith("/product/check") for path in called), called
    after = {table: merchant.rows(f"SELECT xmin::text, * FROM catalog.{table}") for table in tables}
    for table in tables:
        assert sorted(map(as_text, after[table])) == sorted(map(as_text, before[table])), table
