"""A dozen products made by hand, each there for something: what the marts answer about them is computed in the tests.

Times are days before `now`, the moment at which the transaction began: it is the same for what is written and for the
views that are read in the same transaction.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text


@dataclass(frozen=True)
class Books:
    """A connection in the transaction in which everything happens."""

    connection: Connection
    now: datetime

    def ago(self, days: float) -> datetime:
        return self.now - timedelta(days=days)

    def write(self, table: str, columns: str, rows: Iterable[tuple[Any, ...]]) -> None:
        names = columns.replace(",", "").split()
        marks = ", ".join(f":{name}" for name in names)
        statement = text(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})")
        self.connection.execute(statement, [dict(zip(names, row, strict=True)) for row in rows])

    def ask(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self.connection.execute(text(query), values)]

    def rows(self, query: str, **values: Any) -> list[Mapping[str, Any]]:
        return [dict(row) for row in self.connection.execute(text(query), values).mappings()]


def open_books(connection: Connection) -> Books:
    return Books(connection, connection.execute(text("SELECT now()")).scalar_one())


def write_the_dozen(books: Books) -> None:
    ago = books.ago
    books.write(
        "catalog.products",
        "product_id, title, supplier, category_id, currency, min_order_quantity, wholesale_min_order_quantity, "
        "wholesale_price, handling_time_days, first_seen_at, described_at, changed_at, delisted_at",
        [
            (*product, ago(1), ago(2), ago(10) if product[0] == "P08" else None)
            for product in [
                ("P01", "plain", "Acme", "c1", "USD", 1, 1, "5.0000", 2, ago(60)),
                ("P02", "sold by the dozen before its first tier", "Acme", "c1", "USD", 50, 12, "12.34", 4, ago(60)),
                ("P03", "tiers without an upper bound", "Borg", "c1", "USD", 10, None, None, None, ago(60)),
                ("P04", "carriers that are equal", "Borg", "c1", "USD", 1, None, None, 1, ago(2)),
                ("P05", "prices and stock that could not be read", "Borg", "c1", "USD", 1, 1, "9.99", 3, ago(60)),
                (
                    "P06",
                    "neither tiers nor stock nor feed nor supplier",
                    None,
                    None,
                    None,
                    None,
                    None,
                    None,
                    None,
                    ago(60),
                ),
                ("P07", "pesos", "Borg", "c2", "MXN", 1, None, None, 8, ago(60)),
                ("P08", "gone", "Acme", "c1", "USD", 1, None, None, 9, ago(60)),
                ("P09", "goes to Mexico alone", "Borg", "c2", "USD", 1, None, None, 5, ago(60)),
                ("P10", "stock read, and none", "Borg", "c2", "USD", 1, None, None, 5, ago(60)),
                ("P11", "prices that moved", "Borg", "c2", "USD", 1, None, None, 5, ago(60)),
                ("P12", "sells", "Borg", "c2", "USD", 1, None, None, 5, ago(60)),
            ]
        ],
    )
    books.write(
        "catalog.skus",
        "sku_id, product_id",
        [
            (sku, f"P{sku[1:3]}")
            for sku in (
                *("S011", "S012", "S021", "S031", "S041", "S051", "S061", "S071", "S081", "S091", "S101"),
                *("S111", "S112", "S113", "S121", "S122", "S123"),
            )
        ],
    )
    books.write(
        "catalog.price_tiers",
        "sku_id, product_id, min_quantity, max_quantity, price, currency",
        [
            (sku, f"P{sku[1:3]}", *tier)
            for sku, *tier in [
                ("S011", 1, 49, "5.0", "USD"),
                ("S011", 50, None, "4.5", "USD"),
                ("S012", 1, 49, "4.5", "USD"),
                ("S012", 50, None, "4.5", "USD"),  # as cheap as the first: fewer units win
                ("S021", 50, 499, "3.69", "USD"),
                ("S031", 1, None, "3", "USD"),
                ("S031", 10, None, "2", "USD"),
                ("S031", 100, None, "1", "USD"),
                ("S041", 1, None, "1.0001", "USD"),
                ("S051", 1, None, None, "USD"),
                ("S071", 1, None, "100", "MXN"),
                ("S081", 1, None, "7", "USD"),
                ("S091", 1, None, "6", "USD"),
                ("S101", 1, None, "6", "USD"),
                ("S111", 1, 49, "10", "USD"),
                ("S111", 50, None, "9", "USD"),
                ("S112", 1, None, "70", "MXN"),
                ("S113", 1, 4, "2.2", "USD"),
                ("S113", 5, 19, "1", "USD"),
                ("S113", 20, None, "7", "USD"),
                ("S121", 1, None, "2", "USD"),
                ("S122", 1, None, "2", "USD"),
                ("S123", 1, None, "2", "USD"),
            ]
        ],
    )
    books.write(
        "catalog.inventory_levels",
        "sku_id, product_id, shipping_from, quantity, checked_at",
        [
            (sku, f"P{sku[1:3]}", *level)
            for sku, *level in [
                ("S011", "CN", 10, ago(0.1)),
                ("S011", "US", 5, ago(0.2)),  # read before the other: the SKU is as fresh as that
                ("S012", "CN", 0, ago(0.1)),
                ("S021", "TR", 100, ago(0.1)),
                ("S031", "CN", 1, ago(0.1)),
                ("S041", "CN", 4, ago(0.1)),
                ("S051", "CN", None, ago(0.1)),
                ("S081", "CN", 0, ago(0.1)),
                ("S091", "CN", 9, ago(0.1)),
                ("S111", "CN", 9, ago(0.1)),
                ("S112", "CN", 9, ago(0.1)),
                ("S113", "CN", 9, ago(0.1)),
                ("S121", "CN", 25, ago(0.1)),
                ("S121", "US", 0, ago(0.1)),
                ("S121", "MX", 40, ago(0.1)),
                ("S122", "MX", 300, ago(0.1)),
                ("S123", "MX", 301, ago(0.1)),
            ]
        ],
    )
    books.write(
        "ops.fetches",
        "kind, product_id, destination, fetched_at, outcome, changed_at",
        [
            ("inventory", "P01", "", ago(0.1), "answered", ago(0.1)),
            ("inventory", "P05", "", ago(0.1), "answered", ago(0.1)),
            ("inventory", "P07", "", ago(0.3), "refused", ago(0.3)),  # no reading: S071 may be in stock or not
            ("inventory", "P10", "", ago(0.3), "answered", ago(0.3)),
        ],
    )
    books.write(
        "catalog.feed_products",
        "feed, product_id, first_listed_at, last_listed_at, delisted_at",
        [
            (feed, product, ago(60), ago(60), ago(5) if product in gone.split() else None)
            for feed, products, gone in [
                ("local_regular", "P02", ""),
                ("us_standard", "P01 P02 P03 P04 P06 P08", "P06 P08"),
                ("local_us", "P01 P05 P07", ""),
                ("cross_border", "P09 P10 P11 P12 P01", ""),
                ("mx_dropship", "P08", "P08"),  # lists nothing any more
            ]
            for product in products.split()
        ],
    )
    books.write(
        "catalog.freight_quotes",
        "product_id, destination_country, quantity, vendor_code, delivery_days_min, delivery_days_max, fee, currency, "
        "dispatch_country, requested_dispatch, quoted_at",
        [
            (*quote, "CN", "CN", ago(1))
            for quote in [
                ("P01", "US", 1, "SLOW", 10, 40, "2", "USD"),
                ("P01", "US", 1, "QUICK", 3, 5, "6", "USD"),
                ("P02", "US", 12, "ONLY", 8, 12, "24", "USD"),
                ("P02", "US", 500, "ONLY", 8, 12, "500", "USD"),  # more than its last tier goes up to
                ("P03", "MX", 10, "A", 5, 9, "5", "USD"),
                ("P03", "MX", 10, "B", 5, 7, "5", "USD"),  # as cheap as A, and sooner
                ("P03", "US", 10, "SLOW", 35, 45, "1", "USD"),
                ("P03", "US", 10, "SLOWER", 36, 46, "0.5", "USD"),
                ("P04", "US", 1, "Z", 5, 9, "2", "USD"),
                ("P04", "US", 1, "Y", 5, 9, "2", "USD"),  # equal in all: by code
                ("P04", "US", 1, "X", None, None, None, "USD"),  # says nothing
                ("P05", "US", 1, "ONLY", 8, 60, "3", "USD"),
                ("P05", "GB", 1, "MUTE", None, None, "3", "USD"),  # may be quick enough
                ("P06", "US", 1, "ONLY", 8, 12, "3", "USD"),
                ("P07", "US", 1, "DOLLARS", 3, 5, "5", "USD"),
                ("P07", "US", 1, "PESOS", 8, 12, "90", "MXN"),
                ("P07", "GB", 1, "DOLLARS", 3, 5, "5", "USD"),
                ("P08", "US", 1, "ONLY", 8, 12, "3", "USD"),
                ("P09", "MX", 3, "ONLY", 8, 12, "1", "USD"),  # a third of a dollar each: rounded to 4 decimals
            ]
        ],
    )
    books.write(
        "catalog.freight_failures",
        "product_id, destination_country, quantity, dispatch_location, code, failed_at",
        [
            ("P09", "US", 1, "CN", "4015", ago(1)),
            ("P09", "US", 1, "MX", "10010", ago(1)),
            ("P09", "US", 1, "US", "4015", ago(1)),
            ("P09", "MX", 3, "CN", "10010", ago(1)),  # refused from there, and shipped from elsewhere
            ("P08", "MX", 1, "CN", "4015", ago(1)),
        ],
    )
    books.write(
        "orders.orders",
        "trade_id, account, status, created_at, shipped_at, fetched_at",
        [
            (trade, "buyer", status, ago(created), None if shipped is None else ago(shipped), ago(0))
            for trade, status, created, shipped in [
                ("T1", "delivering", 10, 8),
                ("T2", "frozen", 20, 16),
                ("T3", "charge_back", 100, 99),  # too long ago
                ("T4", "unpay", 20, None),  # and of a product that is not known
            ]
        ],
    )
    books.write(
        "orders.order_lines",
        "trade_id, line, product_id",
        [
            *[("T1", 1, "P01"), ("T1", 2, "P02")],  # two lines of one supplier
            *[("T2", 1, "P01"), ("T2", 2, "P04"), ("T2", 3, "P06"), ("T2", 4, None)],
            *[("T3", 1, "P01"), ("T4", 1, "P99")],
        ],
    )
    books.write(
        "catalog.price_changes",
        "sku_id, product_id, min_quantity, old_price, new_price, currency, observed_at",
        [
            (sku, "P11", quantity, old, new, currency, ago(days))
            for sku, quantity, days, old, new, currency in [
                ("S111", 1, 10, "8", "10", "USD"),
                ("S111", 1, 3, "10", "12", "USD"),
                ("S111", 1, 0.5, "12", "10", "USD"),
                ("S111", 50, 2, None, "9", "USD"),
                ("S112", 1, 5, "4", None, "USD"),  # another currency is another price
                ("S112", 1, 5, None, "70", "MXN"),
                ("S112", 50, 20, "3", None, "USD"),
                ("S113", 1, 40, "1", "2", "USD"),
                ("S113", 1, 7, "2", "2.2", "USD"),  # at the very start of the week: before it
                ("S113", 5, 2, "0", "1", "USD"),
                ("S113", 20, 1.5, "5", "6", "USD"),
                ("S113", 20, 1.5, "6", "7", "USD"),  # of the same moment, written after
            ]
        ],
    )
    books.write(
        "catalog.inventory_changes",
        "sku_id, product_id, shipping_from, old_quantity, new_quantity, observed_at",
        [
            (sku, f"P{sku[1:3]}", place, old, new, ago(days))
            for sku, place, days, old, new in [
                ("S011", "CN", 8, 30, 10),  # longer ago than the trend looks back
                ("S041", "CN", 1, 8, 4),
                ("S121", "CN", 6, 20, 10),
                ("S121", "CN", 4, 10, 50),
                ("S121", "CN", 1, 50, 25),
                ("S121", "US", 30, 4, 0),
                ("S121", "US", 20, 0, 7),
                ("S121", "US", 3, 7, 0),
                ("S121", "MX", 2, None, 40),
                ("S121", "TR", 2, 3, None),
                ("S122", "MX", 2, 370, 300),
                ("S123", "MX", 2, 371, 301),
            ]
        ],
    )
