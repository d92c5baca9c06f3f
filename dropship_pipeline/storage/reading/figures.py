"""What the catalogue looks like in numbers: the data behind pictures and the report, one query each. No drawing here;
how old things are is in `ages.py`.

Every function takes a connection, so that several figures can be read from one transaction, and tells what holds now.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import groupby

from sqlalchemy import Connection, Row, text

PRICE_EDGES = (
    *(Decimal(step).scaleb(power) for power in range(-2, 6) for step in ("1", "1.5", "2", "3", "5", "7")),
    Decimal("1e6"),
)
"""Where one price bin ends and the next begins: about equally wide on a logarithmic scale, and round numbers."""


@dataclass(frozen=True, slots=True)
class PriceBin:
    """Variants whose unit price is at least `low` and below `high`; None: no upper bound."""

    low: Decimal
    high: Decimal | None
    skus: int


@dataclass(frozen=True, slots=True)
class PriceDistribution:
    """How many variants on offer cost what, in one currency (None: the API named none). Bins adjoin, empty ones too."""

    currency: str | None
    bins: tuple[PriceBin, ...]

    @property
    def skus(self) -> int:
        """All variants in it."""
        return sum(one.skus for one in self.bins)


@dataclass(frozen=True, slots=True)
class FreightLane:
    """What it costs to ship the smallest order of a product from one country to another, by the cheapest carrier.

    `lower`, `median`, `upper` are quartiles over `products` products, in `currency`, each a fee that was quoted.
    """

    dispatch_country: str | None
    destination_country: str
    currency: str | None
    products: int
    lower: Decimal
    median: Decimal
    upper: Decimal


@dataclass(frozen=True, slots=True)
class StockOrigin:
    """What is in stock in one country: products and variants on offer that are kept there, and units."""

    shipping_from: str
    products: int
    skus_in_stock: int
    skus_out_of_stock: int
    units: int


@dataclass(frozen=True, slots=True)
class DayOfChanges:
    """Products that entered and left a feed on one day (UTC)."""

    day: date
    listed: int
    delisted: int


@dataclass(frozen=True, slots=True)
class FeedSize:
    """Products that a feed lists now, and what changed on each of the last days, oldest first."""

    feed: str
    products: int
    days: tuple[DayOfChanges, ...]


# The first tier is found by walking the primary key. What is delisted is left out by an anti join, which stays cheap
# however many products are.
_PRICES = text("""
    SELECT first.currency, width_bucket(first.price, CAST(:edges AS numeric[])) AS bin, count(*) AS skus
    FROM (
        SELECT DISTINCT ON (sku_id) product_id, currency, price FROM catalog.price_tiers ORDER BY sku_id, min_quantity
    ) first
    WHERE first.price IS NOT NULL AND NOT EXISTS (
        SELECT FROM catalog.products p WHERE p.product_id = first.product_id AND p.delisted_at IS NOT NULL
    )
    GROUP BY 1, 2
    ORDER BY sum(count(*)) OVER (PARTITION BY first.currency) DESC, first.currency, bin
""")

_FREIGHT = text("""
    SELECT cheapest.dispatch_country, cheapest.destination_country, cheapest.currency, count(*) AS products,
           percentile_disc(ARRAY[0.25, 0.5, 0.75]) WITHIN GROUP (ORDER BY cheapest.fee) AS quartiles
    FROM (
        SELECT product_id, dispatch_country, destination_country, currency, min(fee) AS fee
        FROM catalog.freight_quotes WHERE fee IS NOT NULL
        GROUP BY 1, 2, 3, 4
    ) cheapest
    WHERE NOT EXISTS (
        SELECT FROM catalog.products p WHERE p.product_id = cheapest.product_id AND p.delisted_at IS NOT NULL
    )
    GROUP BY 1, 2, 3
    ORDER BY count(*) DESC, 1, 2, 3
""")

_STOCK = text("""
    SELECT stocked.shipping_from, count(*) AS products, CAST(sum(stocked.some) AS bigint) AS skus_in_stock,
           CAST(sum(stocked.none) AS bigint) AS skus_out_of_stock,
           CAST(coalesce(sum(stocked.units), 0) AS bigint) AS units
    FROM (
        SELECT product_id, shipping_from, count(*) FILTER (WHERE quantity > 0) AS some,
               count(*) FILTER (WHERE quantity <= 0) AS none, sum(quantity) AS units
        FROM catalog.inventory_levels
        GROUP BY 1, 2
    ) stocked
    WHERE NOT EXISTS (
        SELECT FROM catalog.products p WHERE p.product_id = stocked.product_id AND p.delisted_at IS NOT NULL
    )
    GROUP BY 1
    ORDER BY 5 DESC, 1
""")

_FEEDS = text("""
    WITH days AS (
        SELECT CAST(now() AT TIME ZONE 'UTC' AS date) - ago AS day FROM generate_series(0, :days - 1) AS ago
    ),
    listed AS (SELECT feed, count(*) AS products FROM catalog.feed_products WHERE delisted_at IS NULL GROUP BY 1),
    moved AS (
        SELECT feed, CAST(observed_at AT TIME ZONE 'UTC' AS date) AS day,
               count(*) FILTER (WHERE change = 'listed') AS listed,
               count(*) FILTER (WHERE change = 'delisted') AS delisted
        FROM catalog.listing_changes
        WHERE observed_at >= (SELECT min(day) FROM days) AT TIME ZONE 'UTC' AND feed IS NOT NULL
        GROUP BY 1, 2
    )
    SELECT asked.feed, coalesce(listed.products, 0) AS products, days.day,
           coalesce(moved.listed, 0) AS listed, coalesce(moved.delisted, 0) AS delisted
    FROM unnest(CAST(:feeds AS text[])) WITH ORDINALITY AS asked (feed, place)
    CROSS JOIN days
    LEFT JOIN listed ON listed.feed = asked.feed
    LEFT JOIN moved ON moved.feed = asked.feed AND moved.day = days.day
    ORDER BY asked.place, days.day
""")


def price_distribution(connection: Connection) -> list[PriceDistribution]:
    """The first-tier unit prices of the variants on offer: one a currency, that of most variants first."""
    rows = connection.execute(_PRICES, {"edges": list(PRICE_EDGES)})
    return [_distribution(currency, list(bins)) for currency, bins in groupby(rows, lambda row: row.currency)]


def freight_by_origin(connection: Connection) -> list[FreightLane]:
    """What the smallest order of the products on offer costs to ship, by lane: the lane of most products first."""
    return [
        FreightLane(origin, destination, currency, products, *quartiles)
        for origin, destination, currency, products, quartiles in connection.execute(_FREIGHT)
    ]


def stock_by_origin(connection: Connection) -> list[StockOrigin]:
    """The stock of the products on offer by the country that it ships from: most units first."""
    return [StockOrigin(*row) for row in connection.execute(_STOCK)]


def feed_sizes(connection: Connection, feeds: Sequence[str], days: int = 14) -> list[FeedSize]:
    """The size of each of these feeds, in this order, and its changes on each of the last `days` days, today's too."""
    rows = connection.execute(_FEEDS, {"feeds": list(feeds), "days": days})
    return [
        FeedSize(feed, products, tuple(DayOfChanges(row.day, row.listed, row.delisted) for row in of_feed))
        for (feed, products), of_feed in groupby(rows, lambda row: (row.feed, row.products))
    ]


def _distribution(currency: str | None, rows: Sequence[Row[tuple[str | None, int, int]]]) -> PriceDistribution:
    counts = {row.bin: row.skus for row in rows}
    lows, highs = (Decimal(0), *PRICE_EDGES), (*PRICE_EDGES, None)
    bins = range(min(counts), max(counts) + 1)
    return PriceDistribution(currency, tuple(PriceBin(lows[n], highs[n], counts.get(n, 0)) for n in bins))
