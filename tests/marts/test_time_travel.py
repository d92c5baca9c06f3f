"""Prices and stock as of a moment: of the dozen by hand; of a shop that drifts, against what was there at the time."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from deployment import Deployment
from dozen import Books

from dropship_pipeline.sync.request import SyncRequest
from dropship_pipeline.sync.session import Session
from dropship_pipeline.sync.stages.describe import describe
from dropship_pipeline.sync.stages.discover import discover
from dropship_pipeline.sync.stages.stock import take_stock

PRICES_NOW = "SELECT sku_id, min_quantity, product_id, price, currency FROM catalog.price_tiers WHERE price IS NOT NULL"
STOCK_NOW = (
    "SELECT sku_id, shipping_from, product_id, quantity FROM catalog.inventory_levels WHERE quantity IS NOT NULL"
)


def prices(books: Books, days: float, product: str = "P11") -> list[tuple[object, ...]]:
    query = """
        SELECT sku_id, min_quantity, price, currency FROM marts.prices_as_of(:moment) WHERE product_id = :product
        ORDER BY sku_id, min_quantity"""
    return books.ask(query, moment=books.ago(days), product=product)


def stock(books: Books, days: float, product: str = "P12") -> list[tuple[object, ...]]:
    query = """
        SELECT sku_id, shipping_from, quantity FROM marts.stock_as_of(:moment) WHERE product_id = :product
        ORDER BY sku_id, shipping_from"""
    return books.ask(query, moment=books.ago(days), product=product)


def test_as_of_now_is_what_the_tables_say(books: Books):
    assert books.ask("SELECT * FROM marts.prices_as_of(now()) ORDER BY 1, 2") == books.ask(
        f"{PRICES_NOW} ORDER BY 1, 2"
    )
    assert books.ask("SELECT * FROM marts.stock_as_of(now()) ORDER BY 1, 2") == books.ask(f"{STOCK_NOW} ORDER BY 1, 2")


def test_a_price_is_what_it_was_before_the_first_change_that_came_later(books: Books):
    four_days_ago = [
        ("S111", 1, Decimal(10), "USD"),
        ("S112", 1, Decimal(70), "MXN"),
        ("S113", 1, Decimal("2.2"), "USD"),
        ("S113", 5, Decimal(0), "USD"),
        ("S113", 20, Decimal(5), "USD"),  # 5 to 6 to 7 in one moment, later
    ]
    assert prices(books, 4) == four_days_ago
    assert prices(books, 25) == [
        ("S111", 1, Decimal(8), "USD"),
        ("S112", 1, Decimal(4), "USD"),
        ("S112", 50, Decimal(3), "USD"),  # gone since
        ("S113", 1, Decimal(2), "USD"),
        ("S113", 5, Decimal(0), "USD"),
        ("S113", 20, Decimal(5), "USD"),
    ]


def test_a_change_seen_at_that_very_moment_has_happened(books: Books):
    def of(rows: list[tuple[object, ...]], sku: str) -> list[tuple[object, ...]]:
        return [row for row in rows if row[0] == sku]

    assert of(prices(books, 5), "S112") == [("S112", 1, Decimal(70), "MXN")]
    assert of(prices(books, 5.0001), "S112") == [("S112", 1, Decimal(4), "USD")]
    assert of(stock(books, 2), "S122") == [("S122", "MX", 300)]
    assert of(stock(books, 2.0001), "S122") == [("S122", "MX", 370)]


def test_stock_is_what_it_was_before_the_first_change_that_came_later(books: Books):
    assert stock(books, 5) == [
        ("S121", "CN", 10),
        ("S121", "TR", 3),  # not stocked there any more
        ("S121", "US", 7),  # and not yet in Mexico
        ("S122", "MX", 370),
        ("S123", "MX", 371),
    ]
    assert ("S121", "US", 0) in stock(books, 25)  # out for the first time


@pytest.mark.parametrize("days", [2, 2.5])
def test_nothing_is_known_of_a_product_before_it_was_first_described(books: Books, days: float):
    known = days <= 2
    assert prices(books, days, "P04") == [("S041", 1, Decimal("1.0001"), "USD")] * known
    assert stock(books, days, "P04") == [("S041", "CN", 8)] * known


def test_a_shop_that_drifts_is_found_as_it_was_after_each_sync(deploy: Callable[..., Deployment]):
    merchant = deploy(products=80)
    seen = []
    for _ in range(4):
        merchant.sync(SyncRequest(force=True), stages=read_prices_and_stock)
        # what was read after this moment is later; what was read before it is in the tables
        moment = merchant.value("SELECT clock_timestamp()")
        seen.append((moment, rows(merchant, PRICES_NOW), rows(merchant, STOCK_NOW)))
        merchant.sandbox.control("clock", {"advance_s": 5 * 86_400})
    assert len({frozenset(prices) for _, prices, _ in seen}) == len({frozenset(stock) for _, _, stock in seen}) == 4
    for moment, prices_then, stock_then in seen:
        assert rows(merchant, f"SELECT * FROM marts.prices_as_of('{moment}')") == prices_then
        assert rows(merchant, f"SELECT * FROM marts.stock_as_of('{moment}')") == stock_then


def read_prices_and_stock(session: Session, request: SyncRequest) -> None:
    discover(session, request)
    describe(session, request)
    take_stock(session, request)


def rows(merchant: Deployment, query: str) -> list[tuple[object, ...]]:
    return sorted(tuple(row.values()) for row in merchant.rows(query))
