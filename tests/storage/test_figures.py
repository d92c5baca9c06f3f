"""The figures behind pictures and the report, over catalogues small enough to count by hand."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from dropship_pipeline.catalog.freshness import MAX_AGES
from dropship_pipeline.storage.reading import figures
from dropship_pipeline.storage.reading.ages import staleness
from dropship_pipeline.storage.reading.figures import DayOfChanges, FreightLane, PriceBin, StockOrigin
from dropship_pipeline.storage.server.database import Database

NOW = datetime.now(UTC)
GONE = NOW - timedelta(days=2)


class Catalogue:
    """Rows in few words."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def add(self, table: str, **row: Any) -> None:
        places = ", ".join("%s" for _ in row)
        with self.database.begin() as connection:
            connection.exec_driver_sql(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", tuple(row.values()))

    def product(self, product_id: str, *feeds: str, delisted_at: datetime | None = None) -> None:
        self.add(
            "catalog.products",
            product_id=product_id,
            first_seen_at=NOW,
            described_at=NOW,
            changed_at=NOW,
            delisted_at=delisted_at,
        )
        for feed in feeds:
            self.member(feed, product_id)

    def member(self, feed: str, product_id: str, delisted_at: datetime | None = None) -> None:
        self.add(
            "catalog.feed_products",
            feed=feed,
            product_id=product_id,
            first_listed_at=NOW,
            last_listed_at=NOW,
            delisted_at=delisted_at,
        )

    def tier(self, sku: str, min_quantity: int, price: str | None, currency: str | None = "USD") -> None:
        product_id = sku.partition("-")[0]
        self.add(
            "catalog.price_tiers",
            sku_id=sku,
            min_quantity=min_quantity,
            product_id=product_id,
            price=price,
            currency=currency,
        )

    def stock(self, sku: str, origin: str, quantity: int | None) -> None:
        product_id = sku.partition("-")[0]
        self.add(
            "catalog.inventory_levels",
            sku_id=sku,
            shipping_from=origin,
            product_id=product_id,
            quantity=quantity,
            checked_at=NOW,
        )

    def quote(self, product_id: str, origin: str | None, fee: str | None, vendor: str = "V", to: str = "US") -> None:
        self.add(
            "catalog.freight_quotes",
            product_id=product_id,
            destination_country=to,
            quantity=1,
            vendor_code=vendor,
            dispatch_country=origin,
            requested_dispatch=origin or "CN",
            fee=fee,
            currency="USD",
            quoted_at=NOW,
        )

    def read(self, kind: str, product_id: str, ago: timedelta, destination: str = "") -> None:
        self.add(
            "ops.fetches",
            kind=kind,
            product_id=product_id,
            destination=destination,
            fetched_at=NOW - ago,
            outcome="answered",
            changed_at=NOW,
        )

    def moved(self, feed: str | None, change: str, at: datetime) -> None:
        self.add("catalog.listing_changes", feed=feed, product_id="p", change=change, observed_at=at)


@pytest.fixture
def catalogue(database: Database) -> Catalogue:
    return Catalogue(database)


def test_every_variant_on_offer_is_counted_once_by_the_price_of_its_first_tier(catalogue: Catalogue) -> None:
    catalogue.product("a")
    catalogue.product("b")
    catalogue.product("gone", delisted_at=GONE)
    catalogue.tier("a-1", 10, "4.99")
    catalogue.tier("a-1", 100, "0.02")  # a later tier
    catalogue.tier("a-2", 1, "5.00")  # the first price of its bin
    catalogue.tier("a-3", 1, "15")
    catalogue.tier("a-4", 1, None)  # no price
    catalogue.tier("b-1", 1, "5.50")
    catalogue.tier("gone-1", 1, "5.50")
    with catalogue.database.begin() as connection:
        [usd] = figures.price_distribution(connection)
    assert usd.currency == "USD"
    assert usd.skus == 4
    assert usd.bins == (
        PriceBin(Decimal(3), Decimal(5), 1),
        PriceBin(Decimal(5), Decimal(7), 2),
        PriceBin(Decimal(7), Decimal(10), 0),
        PriceBin(Decimal(10), Decimal(15), 0),
        PriceBin(Decimal(15), Decimal(20), 1),
    )


def test_currencies_are_not_mixed_and_that_of_most_variants_comes_first(catalogue: Catalogue) -> None:
    catalogue.product("a")
    catalogue.tier("a-1", 1, "1", "EUR")
    catalogue.tier("a-2", 1, "1", "USD")
    catalogue.tier("a-3", 1, "900", "USD")
    catalogue.tier("a-4", 1, "1", None)
    with catalogue.database.begin() as connection:
        found = figures.price_distribution(connection)
    assert [(one.currency, one.skus) for one in found] == [("USD", 2), ("EUR", 1), (None, 1)]


def test_no_price_is_too_low_or_too_high_to_be_counted(catalogue: Catalogue) -> None:
    catalogue.product("a")
    catalogue.tier("a-1", 1, "0")
    catalogue.tier("a-2", 1, "99999999999999.9999")
    with catalogue.database.begin() as connection:
        [usd] = figures.price_distribution(connection)
    assert usd.bins[0] == PriceBin(Decimal(0), Decimal("0.01"), 1)
    assert usd.bins[-1] == PriceBin(Decimal(1_000_000), None, 1)
    assert usd.skus == 2
    assert all(below.high == above.low for below, above in zip(usd.bins, usd.bins[1:], strict=False))


def test_freight_of_a_lane_is_that_of_the_cheapest_carrier_over_its_products(catalogue: Catalogue) -> None:
    for number, fee in enumerate(["1", "2", "3", "4", "50"]):
        catalogue.product(f"p{number}")
        catalogue.quote(f"p{number}", "CN", fee)
        catalogue.quote(f"p{number}", "CN", "100", vendor="DEARER")
    catalogue.quote("p0", "CN", None, vendor="NO FEE")
    catalogue.quote("p0", "US", "7", vendor="LOCAL")
    catalogue.quote("p1", "CN", "9", to="MX")
    catalogue.product("gone", delisted_at=GONE)
    catalogue.quote("gone", "CN", "0.01")
    with catalogue.database.begin() as connection:
        lanes = figures.freight_by_origin(connection)
    assert lanes == [
        FreightLane("CN", "US", "USD", 5, Decimal(2), Decimal(3), Decimal(4)),
        FreightLane("CN", "MX", "USD", 1, Decimal(9), Decimal(9), Decimal(9)),
        FreightLane("US", "US", "USD", 1, Decimal(7), Decimal(7), Decimal(7)),
    ]


def test_ages_are_counted_over_the_products_that_a_feed_lists_each_once(catalogue: Catalogue) -> None:
    hour, day = timedelta(hours=1), timedelta(days=1)
    catalogue.product("fresh", "us_standard", "local_us")
    catalogue.product("old", "us_standard")
    catalogue.product("offline", "us_standard", delisted_at=GONE)
    catalogue.product("unlisted")
    catalogue.member("us_standard", "new")
    catalogue.member("local_us", "left", delisted_at=GONE)
    for product_id, ago in {"fresh": hour / 2, "old": 2 * day, "offline": 40 * day, "unlisted": hour}.items():
        catalogue.read("description", product_id, ago)
        catalogue.read("freight", product_id, ago, "US")
    with catalogue.database.begin() as connection:
        description, inventory, to_us, to_mx = staleness(connection, MAX_AGES, ["US", "MX:01000"])
    assert (description.kind, description.max_age, description.offered) == ("description", day, 4)
    assert {bucket.at_least: bucket.products for bucket in description.buckets if bucket.products} == {
        timedelta(0): 1,
        day: 1,
        30 * day: 1,
    }
    assert (description.fresh, description.stale, description.never_read) == (1, 2, 1)
    assert (inventory.fresh, inventory.stale, inventory.never_read) == (0, 0, 4)
    # freight is asked for what is described and not offline; two days are young for it
    assert (to_us.kind, to_us.fresh, to_us.stale, to_us.never_read) == ("freight to US", 2, 0, 0)
    assert (to_mx.kind, to_mx.fresh, to_mx.stale, to_mx.never_read) == ("freight to MX:01000", 0, 0, 2)


def test_a_maximum_age_is_the_edge_of_a_bucket_whatever_it_is(catalogue: Catalogue) -> None:
    catalogue.product("a", "us_standard")
    catalogue.read("inventory", "a", timedelta(hours=10))
    for hours, stale in ((9, 1), (11, 0)):
        with catalogue.database.begin() as connection:
            [ages] = staleness(connection, {"inventory": timedelta(hours=hours)}, [])
        assert (ages.stale, ages.fresh) == (stale, 1 - stale)
        assert any(bucket.at_least == timedelta(hours=hours) for bucket in ages.buckets)


def test_stock_is_counted_by_the_country_that_it_ships_from(catalogue: Catalogue) -> None:
    catalogue.product("a")
    catalogue.product("b")
    catalogue.product("gone", delisted_at=GONE)
    catalogue.stock("a-1", "CN", 10)
    catalogue.stock("a-2", "CN", 0)
    catalogue.stock("b-1", "CN", None)  # not known
    catalogue.stock("a-1", "US", 40)
    catalogue.stock("gone-1", "US", 1000)
    with catalogue.database.begin() as connection:
        found = figures.stock_by_origin(connection)
    assert found == [StockOrigin("US", 1, 1, 0, 40), StockOrigin("CN", 2, 1, 1, 10)]


def test_feeds_come_with_every_one_of_the_last_days(catalogue: Catalogue) -> None:
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    just_before = midnight - timedelta(microseconds=1)
    catalogue.member("local_us", "a")
    catalogue.member("local_us", "b")
    catalogue.member("local_us", "left", delisted_at=GONE)
    catalogue.moved("local_us", "listed", midnight)
    catalogue.moved("local_us", "listed", just_before)
    catalogue.moved("local_us", "delisted", just_before)
    catalogue.moved("local_us", "delisted", midnight - timedelta(days=9))
    catalogue.moved(None, "delisted", midnight)  # the product itself, of no feed
    with catalogue.database.begin() as connection:
        empty, local_us = figures.feed_sizes(connection, ["us_standard", "local_us"], days=3)
    today = midnight.date()
    assert (empty.feed, empty.products, local_us.feed, local_us.products) == ("us_standard", 0, "local_us", 2)
    assert local_us.days == (
        DayOfChanges(today - timedelta(days=2), 0, 0),
        DayOfChanges(today - timedelta(days=1), 1, 1),
        DayOfChanges(today, 1, 0),
    )
    assert [(day.listed, day.delisted) for day in empty.days] == [(0, 0)] * 3


def test_an_empty_catalogue_has_no_figures_and_nothing_that_was_read(catalogue: Catalogue) -> None:
    with catalogue.database.begin() as connection:
        assert figures.price_distribution(connection) == []
        assert figures.freight_by_origin(connection) == []
        assert figures.stock_by_origin(connection) == []
        assert [ages.offered for ages in staleness(connection, MAX_AGES, ["US"])] == [0, 0, 0]
