"""A first sync, whole: the tables equal the catalogue of the server, value for value."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow.parquet as pq
import pytest
from deployment import Deployment
from oracle import expected_feeds, expected_tables, stored_feeds, stored_tables, truth

Deploy = Callable[..., Deployment]


@pytest.mark.parametrize("dialect", ["guide", "live"])
def test_after_a_first_sync_the_tables_equal_the_catalogue_value_for_value(deploy: Deploy, dialect: str) -> None:
    merchant = deploy(dialect=dialect, products=120)
    summary = merchant.sync()
    assert summary.problems == []
    listed = expected_feeds(merchant)
    assert stored_feeds(merchant) == {key: ids for key, ids in listed.items() if ids}
    reachable = {product_id for ids in listed.values() for product_id in ids}
    expected = expected_tables({key: told for key, told in truth(merchant).items() if key in reachable})
    stored = stored_tables(merchant)
    for table, rows in expected.items():
        assert stored[table] == rows, table
        assert rows, f"{table} is empty at the server: the test shows nothing"


def test_every_product_is_described_once_however_many_feeds_list_it(deploy: Deploy) -> None:
    merchant = deploy(products=120)
    merchant.sync()
    memberships = merchant.value("SELECT count(*) FROM catalog.feed_products")
    for path in ("/eco/buyer/product/description", "/eco/buyer/product/inventory"):
        calls = merchant.calls(path)
        assert len(calls) < memberships
        assert set(calls.values()) == {1}


def test_freight_options_are_those_of_the_first_dispatch_location_that_works(deploy: Deploy) -> None:
    merchant = deploy(products=120, variables={"DROPSHIP_DESTINATIONS": "US:90001,MX"})
    merchant.sync()
    quotes: dict[tuple[str, str], dict[str, Any]] = {}
    for row in merchant.rows("SELECT * FROM catalog.freight_quotes"):
        quotes.setdefault((row["product_id"], row["destination_country"]), {})[row["vendor_code"]] = row
    assert quotes
    fallbacks = 0
    for (product_id, destination), carriers in quotes.items():
        any_quote = next(iter(carriers.values()))
        zip_code = "&zip=90001" if destination == "US" else ""
        answers = merchant.truth(
            f"freight?id={product_id}&quantity={any_quote['quantity']}&destination={destination}{zip_code}"
        )["answers"]
        offered = {option["vendor_code"]: option for option in answers[any_quote["requested_dispatch"]]["value"]}
        assert carriers.keys() == offered.keys()
        for vendor_code, row in carriers.items():
            assert row["fee"] == Decimal(offered[vendor_code]["fee"]["amount"])
            assert row["dispatch_country"] == offered[vendor_code]["dispatch_country"]
            assert row["vendor_name"] == offered[vendor_code]["vendor_name"]
        refused = merchant.rows(
            f"SELECT * FROM catalog.freight_failures WHERE product_id = '{product_id}' AND destination_country = '{destination}'"
        )
        fallbacks += bool(refused)
        for failure in refused:
            if failure["code"] != "4027":
                said = answers[failure["dispatch_location"]]
                assert failure["code"] == said.get("code", "NO_OPTIONS")
    assert fallbacks, "no product needed a second dispatch location: the test shows nothing"


def test_parquet_and_postgres_are_equal_row_for_row(deploy: Deploy) -> None:
    merchant = deploy(products=120)
    merchant.sync()
    latest = merchant.home / "lake" / "latest" / "catalog"
    files = sorted(latest.glob("*.parquet"))
    assert len(files) == 14
    for file in files:
        stored = merchant.rows(f"SELECT * FROM catalog.{file.stem}")
        published = pq.read_table(file).to_pylist()
        assert sorted(map(repr, published)) == sorted(map(repr, stored)), file.stem


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
        assert sorted(map(repr, after[table])) == sorted(map(repr, before[table])), table
