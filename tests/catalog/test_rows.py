"""Records become Arrow tables that are exactly what the table definitions say, whatever was answered."""

import dataclasses
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from payloads import DESCRIPTION, FREIGHT, INVENTORY, PRODUCT_ID, damaged

from dropship_pipeline.alibaba.products import Inventory, Level, read_freight_options, read_inventory, read_product
from dropship_pipeline.alibaba.values import Unreadable
from dropship_pipeline.catalog.describe import MERGED, DescriptionRows
from dropship_pipeline.catalog.dispatch import Refusal
from dropship_pipeline.catalog.freight import FreightRows
from dropship_pipeline.catalog.stock import StockRows
from dropship_pipeline.tables.arrow import arrow_schema
from dropship_pipeline.tables.registry import TABLES

NOW = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)
DESCRIBED = {
    "catalog.products",
    "catalog.product_descriptions",
    "catalog.product_images",
    "catalog.delivery_periods",
    "catalog.skus",
    "catalog.sku_attributes",
    "catalog.price_tiers",
}


def check_against_the_definitions(tables: dict[str, pa.Table]) -> None:
    """Columns, types, no NULL where none may be, no key twice, nothing that Postgres or UTF-8 refuses."""
    for name, rows in tables.items():
        table = TABLES[name]
        left_out = MERGED if name == "catalog.products" else frozenset()
        expected = pa.schema([field for field in arrow_schema(table) if field.name not in left_out])
        assert rows.schema.equals(expected)
        rows.validate(full=True)
        for field in rows.schema:
            assert field.nullable or rows[field.name].null_count == 0, f"{name}.{field.name}"
            if field.type == pa.string():
                assert all(value is None or "\0" not in value for value in rows[field.name].to_pylist())
        keys = list(zip(*(rows[column].to_pylist() for column in table.key), strict=True))
        assert len(set(keys)) == len(keys), f"a key of {name} comes twice"


def described(*products, at=NOW):
    rows = DescriptionRows()
    for product in products:
        rows.add(product, at)
    return rows.tables()


def test_a_description_becomes_rows_of_seven_tables():
    tables = described(read_product(DESCRIPTION, PRODUCT_ID))
    assert set(tables) == DESCRIBED
    check_against_the_definitions(tables)
    (product,) = tables["catalog.products"].to_pylist()
    assert product == {
        "product_id": PRODUCT_ID,
        "title": "Sublimation Mug 40oz Tumbler",
        "status": "PRODUCT_ONLINE",
        "category_id": "100003291",
        "category": "Vacuum Flasks & Thermoses",
        "supplier": "Company Name",
        "e_company_id": "cVmhg7/xG8q3UQgcH/5Fag==",
        "currency": "USD",
        "min_order_quantity": 50,
        "wholesale_min_order_quantity": 12,
        "wholesale_price": Decimal("12.3400"),
        "unit_type": "Piece",
        "handling_time_days": 3,
        "mode_id": "AV.YW.DEP.103.L",
        "detail_url": "https://www.alibaba.com/product-detail/1601206892606.html",
        "main_image_url": "https://sc04.alicdn.com/kf/main.jpg",
        "described_at": NOW,
    }
    assert tables["catalog.product_descriptions"].to_pylist() == [
        {"product_id": PRODUCT_ID, "html": "<html>Double wall, <b>40oz</b></html>"}
    ]
    assert tables["catalog.product_images"]["position"].to_pylist() == [0, 1]
    assert tables["catalog.delivery_periods"].to_pylist() == [
        {"product_id": PRODUCT_ID, "quantity": 50, "process_days": 3},
        {"product_id": PRODUCT_ID, "quantity": 500, "process_days": 9},
    ]
    assert tables["catalog.skus"].to_pylist()[0] == {
        "sku_id": "105613018158",
        "product_id": PRODUCT_ID,
        "seller_sku_id": "1601206892606_107152354495",
        "status": "NORMAL",
        "unit": "Piece",
        "image_url": "https://sc04.alicdn.com/kf/sku.jpg",
    }
    assert tables["catalog.sku_attributes"].to_pylist()[1] == {
        "sku_id": "105613018158",
        "position": 1,
        "product_id": PRODUCT_ID,
        "attr_name_id": "2222",
        "attr_value_id": "7",
        "name": "Size",
        "value": "40oz",
        "value_image_url": None,
    }
    assert tables["catalog.price_tiers"].to_pylist()[1] == {
        "sku_id": "105613018158",
        "min_quantity": 500,
        "product_id": PRODUCT_ID,
        "max_quantity": None,
        "price": Decimal("3.1900"),
        "currency": "USD",
    }


def test_no_products_are_tables_without_rows():
    for tables in (described(), StockRows().tables(), FreightRows().tables()):
        check_against_the_definitions(tables)
        assert all(rows.num_rows == 0 for rows in tables.values())


def test_a_product_without_a_description_has_no_row_of_html():
    assert described(read_product({"product_id": "7"}, "7"))["catalog.product_descriptions"].num_rows == 0


def test_a_product_that_comes_twice_counts_as_it_came_last_children_and_all():
    first = read_product(DESCRIPTION, PRODUCT_ID)
    last = read_product({"product_id": PRODUCT_ID, "title": "Other", "images": ["x"]}, PRODUCT_ID)
    assert described(first, last)["catalog.products"].equals(described(last)["catalog.products"])
    assert all(described(first, last)[name].equals(described(last)[name]) for name in DESCRIBED)


def test_a_sku_of_two_products_belongs_to_the_one_that_came_last():
    first = read_product(DESCRIPTION, PRODUCT_ID)
    other = dataclasses.replace(first, product_id="7", skus=first.skus[:1])
    tables = described(first, other)
    check_against_the_definitions(tables)
    owners = {row["sku_id"]: row["product_id"] for row in tables["catalog.skus"].to_pylist()}
    assert owners == {"105613018158": "7", "105613018159": PRODUCT_ID}
    for name in ("catalog.price_tiers", "catalog.sku_attributes"):
        assert all(row["product_id"] == owners[row["sku_id"]] for row in tables[name].to_pylist())


@given(st.lists(damaged(DESCRIPTION), max_size=4))
@settings(max_examples=200, deadline=None)
def test_whatever_could_be_read_of_descriptions_fits_the_definitions(payloads):
    rows = DescriptionRows()
    for number, payload in enumerate(payloads):
        product_id = PRODUCT_ID if number % 2 else str(number)
        if isinstance(payload, dict):
            payload["product_id"] = product_id
        try:
            rows.add(read_product(payload, product_id), NOW + timedelta(seconds=number))
        except Unreadable:
            continue
    check_against_the_definitions(rows.tables())


def test_stock_becomes_levels_and_the_last_reading_counts():
    rows = StockRows()
    rows.add(read_inventory(INVENTORY, PRODUCT_ID), NOW)
    tables = rows.tables()
    check_against_the_definitions(tables)
    levels = tables["catalog.inventory_levels"]
    assert levels.num_rows == 3
    assert levels.to_pylist()[0] == {
        "sku_id": "105613018158",
        "shipping_from": "CN",
        "product_id": PRODUCT_ID,
        "quantity": 1196,
        "unit": "Piece",
        "checked_at": NOW,
    }
    rows.add(Inventory(PRODUCT_ID, (Level("7", "US", PRODUCT_ID, None, None),), ()), NOW + timedelta(hours=1))
    assert rows.tables()["catalog.inventory_levels"]["sku_id"].to_pylist() == ["7"]
    assert len(rows) == 1


@given(st.lists(damaged(INVENTORY), max_size=3))
@settings(max_examples=150, deadline=None)
def test_whatever_could_be_read_of_stock_fits_the_definitions(payloads):
    rows = StockRows()
    for product_id, payload in zip("abc", payloads, strict=False):
        try:
            rows.add(read_inventory(payload, product_id), NOW)
        except Unreadable:
            continue
    check_against_the_definitions(rows.tables())


def quoted(options, refusals=(), at=NOW, rows=None):
    rows = rows or FreightRows()
    rows.add(PRODUCT_ID, "US", 50, "CN", options, refusals, at)
    return rows


def test_freight_becomes_quotes_and_refusals():
    tables = quoted(read_freight_options(FREIGHT), [Refusal("MX", 50, "10012", "no \0route \ud800")]).tables()
    check_against_the_definitions(tables)
    assert tables["catalog.freight_quotes"].to_pylist()[0] == {
        "product_id": PRODUCT_ID,
        "destination_country": "US",
        "quantity": 50,
        "vendor_code": "EX_ASP_Economy_Express_3C",
        "vendor_name": "Alibaba.com Economy Express (3C)",
        "shipping_type": "EXPRESS",
        "trade_term": "DAP",
        "solution_biz_type": "distributionWaybill",
        "dispatch_country": "CN",
        "requested_dispatch": "CN",
        "delivery_days_min": 10,
        "delivery_days_max": 15,
        "fee": Decimal("19.1000"),
        "currency": "USD",
        "quoted_at": NOW,
    }
    assert tables["catalog.freight_failures"].to_pylist() == [
        {
            "product_id": PRODUCT_ID,
            "destination_country": "US",
            "quantity": 50,
            "dispatch_location": "MX",
            "code": "10012",
            "message": "no route \ufffd",
            "failed_at": NOW,
        }
    ]


@pytest.mark.parametrize("fees", [[None, "5", "3", "4"], ["3", "5"], ["5", None, "3"], ["3.0000", "3"]])
def test_of_two_offers_of_one_carrier_the_cheapest_counts(fees):
    (option,) = read_freight_options(FREIGHT[:1])
    offers = [option._replace(fee=None if fee is None else Decimal(fee)) for fee in fees]
    (row,) = quoted(offers).tables()["catalog.freight_quotes"].to_pylist()
    assert row["fee"] == Decimal(3)


def test_a_product_quoted_twice_to_one_destination_counts_as_it_was_quoted_last():
    options = read_freight_options(FREIGHT)
    rows = quoted(options, [Refusal("MX", 50, "1", "")])
    quoted(options[1:], [], NOW + timedelta(hours=1), rows)
    tables = rows.tables()
    assert tables["catalog.freight_quotes"]["vendor_code"].to_pylist() == ["seller_oversea_distributor"]
    assert tables["catalog.freight_failures"].num_rows == 0


@given(damaged(FREIGHT), st.lists(st.builds(Refusal, st.sampled_from(["CN", "US"]), st.just(5), st.text(), st.text())))
@settings(max_examples=150, deadline=None)
def test_whatever_could_be_read_of_freight_fits_the_definitions(payload, refusals):
    try:
        options = read_freight_options(payload)
    except Unreadable:
        options = []
    check_against_the_definitions(quoted(options, refusals).tables())
