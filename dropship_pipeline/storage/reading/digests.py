"""The marts in a few rows each, for the report: what a person can take in. Pictures' numbers are in `figures.py`.

Every function takes a connection, so that all are read from one transaction, and tells what holds now. Texts of the API
are as they came: whoever shows them escapes them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby

from sqlalchemy import Connection, Row, text

from dropship_pipeline.storage.reading.figures import PRICE_EDGES

STOCK_CLASSES = ("none", "1–9", "10–99", "100 and more", "not known")
"""How much of a variant is in stock, in all warehouses: the classes in which it is counted."""

_TOP = 15
_HOLDS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Totals:
    """The size of everything, and when it was looked at (UTC). `origin`: `simulated`, `alibaba`; None: no sync yet."""

    taken_at: datetime
    origin: str | None
    products: int
    delisted: int
    suppliers: int
    skus: int
    skus_in_stock: int
    skus_out_of_stock: int
    products_on_hold: int
    orders: int


@dataclass(frozen=True, slots=True)
class LandedBin:
    """Variants whose landed unit cost is at least `low` and below `high`, by how much of them is in stock."""

    low: Decimal
    high: Decimal | None
    skus: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class LandedCosts:
    """What units cost at the door, to one destination, in one currency. Bins adjoin, empty ones too."""

    destination_country: str
    currency: str
    bins: tuple[LandedBin, ...]

    @property
    def skus(self) -> int:
        """All variants in it."""
        return sum(sum(one.skus.values()) for one in self.bins)


@dataclass(frozen=True, slots=True)
class MovesOfDays:
    """Prices (of a SKU in a tier) that moved within the last days. `median_percent`: half moved no further."""

    days: int
    rose: int
    fell: int
    came: int
    went: int
    median_percent: float | None


@dataclass(frozen=True, slots=True)
class Move:
    """The price of a product that moved furthest within a week."""

    product_id: str
    title: str | None
    sku_id: str
    min_quantity: int
    currency: str
    old_price: Decimal
    new_price: Decimal
    change_percent: float
    last_moved_at: datetime


@dataclass(frozen=True, slots=True)
class Hold:
    """One product that should not be sold now, and why."""

    product_id: str
    title: str | None
    why: str


@dataclass(frozen=True, slots=True)
class Holds:
    """What is on hold for one reason, by one rule (None: it needs none): so many offers of so many products; some."""

    reason: str
    rule: str | None
    offers: int
    products: int
    shown: tuple[Hold, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """How orders leave a status, or (`next_status` None) how many are in it and how many of those are stuck."""

    status: str
    next_status: str | None
    orders: int
    median_hours: float | None
    p95_hours: float | None
    stuck_orders: int | None
    oldest_since: datetime | None


_TOTALS = text("""
    SELECT now() AS taken_at, (SELECT origin FROM ops.origin) AS origin, p.products, p.delisted, p.suppliers,
        o.skus, o.skus_in_stock, o.skus_out_of_stock,
        (SELECT count(DISTINCT h.product_id) FROM marts.on_hold h WHERE h.reason <> 'offline') AS products_on_hold,
        (SELECT count(*) FROM orders.orders) AS orders
    FROM (
        SELECT count(*) FILTER (WHERE delisted_at IS NULL) AS products, count(delisted_at) AS delisted,
            count(DISTINCT supplier) FILTER (WHERE delisted_at IS NULL) AS suppliers
        FROM catalog.products
    ) p
    CROSS JOIN (
        SELECT count(*) AS skus, count(*) FILTER (WHERE stock > 0) AS skus_in_stock,
            count(*) FILTER (WHERE stock <= 0) AS skus_out_of_stock
        FROM marts.current_offers
    ) o
""")

# of several quantities that freight was quoted for, the smallest order
_LANDED = text("""
    SELECT l.destination_country, l.currency, width_bucket(l.landed_unit_cost, CAST(:edges AS numeric[])) AS bin,
        CASE WHEN o.stock IS NULL THEN 5 ELSE width_bucket(o.stock, ARRAY[1, 10, 100]::bigint[]) + 1 END AS class,
        count(*) AS skus
    FROM (
        SELECT DISTINCT ON (sku_id, destination_country)
            product_id, sku_id, destination_country, currency, landed_unit_cost
        FROM marts.landed_costs
        WHERE landed_unit_cost IS NOT NULL AND currency IS NOT NULL
        ORDER BY sku_id, destination_country, quantity
    ) l
    JOIN marts.current_offers o ON o.product_id = l.product_id AND o.sku_id = l.sku_id
    GROUP BY 1, 2, 3, 4
    ORDER BY sum(count(*)) OVER (PARTITION BY l.destination_country, l.currency) DESC, 1, 2, 3, 4
""")

_MOVES = text("""
    SELECT days, count(*) FILTER (WHERE change > 0) AS rose, count(*) FILTER (WHERE change < 0) AS fell,
        count(*) FILTER (WHERE old_price IS NULL AND new_price IS NOT NULL) AS came,
        count(*) FILTER (WHERE new_price IS NULL AND old_price IS NOT NULL) AS went,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(change_percent)) FILTER (WHERE change <> 0) AS median_percent
    FROM marts.price_moves
    GROUP BY days
    ORDER BY days
""")

_TOP_MOVES = text("""
    SELECT top.product_id, p.title, top.sku_id, top.min_quantity, top.currency, top.old_price, top.new_price,
        top.change_percent, top.last_moved_at
    FROM (
        SELECT DISTINCT ON (product_id) * FROM marts.price_moves
        WHERE days = 7 AND change_percent <> 0
        ORDER BY product_id, abs(change_percent) DESC, sku_id, min_quantity
    ) top
    JOIN catalog.products p ON p.product_id = top.product_id AND p.delisted_at IS NULL
    ORDER BY abs(top.change_percent) DESC, top.product_id
    LIMIT :top
""")

_HOLDS = text("""
    SELECT h.*, p.title
    FROM (
        SELECT reason, rule, product_id, why, count(*) OVER (PARTITION BY reason, rule) AS offers,
            row_number() OVER (PARTITION BY reason, rule ORDER BY product_id, sku_id) AS place,
            dense_rank() OVER (PARTITION BY reason, rule ORDER BY product_id)
                + dense_rank() OVER (PARTITION BY reason, rule ORDER BY product_id DESC) - 1 AS products
        FROM marts.on_hold
    ) h
    LEFT JOIN catalog.products p ON p.product_id = h.product_id
    WHERE h.place <= :shown
    ORDER BY h.products DESC, h.reason, h.rule, h.place
""")

_FUNNEL = text("""
    SELECT status, next_status, orders, median_hours, p95_hours, stuck_orders, oldest_since
    FROM marts.order_funnel
    ORDER BY status, next_status NULLS FIRST
""")


def totals(connection: Connection) -> Totals:
    """The size of everything."""
    return Totals(*connection.execute(_TOTALS).one())


def landed_costs(connection: Connection) -> list[LandedCosts]:
    """The variants on offer by what a unit costs at the door, the smallest order that freight was quoted for.

    One a destination and currency, that of most variants first.
    """
    rows = connection.execute(_LANDED, {"edges": list(PRICE_EDGES)})
    found = []
    for (country, currency), of_lane in groupby(rows, lambda row: (row.destination_country, row.currency)):
        counts = {(row.bin, STOCK_CLASSES[row[3] - 1]): row.skus for row in of_lane}
        lows, highs = (Decimal(0), *PRICE_EDGES), (*PRICE_EDGES, None)
        places = [place for place, _ in counts]
        bins = tuple(
            LandedBin(lows[n], highs[n], {name: counts.get((n, name), 0) for name in STOCK_CLASSES})
            for n in range(min(places), max(places) + 1)
        )
        found.append(LandedCosts(country, currency, bins))
    return found


def moves(connection: Connection) -> list[MovesOfDays]:
    """How many prices moved within the last day, week and month: those windows in which any did."""
    return [MovesOfDays(*row) for row in connection.execute(_MOVES)]


def top_moves(connection: Connection) -> list[Move]:
    """The products on offer whose prices moved furthest within a week, fifteen at most: of each the price that did."""
    return [Move(*row) for row in connection.execute(_TOP_MOVES, {"top": _TOP})]


def holds(connection: Connection) -> list[Holds]:
    """What is on hold by reason and rule, the most products first, with the first few of each."""
    rows = connection.execute(_HOLDS, {"shown": _HOLDS_SHOWN})
    return [
        Holds(reason, rule, first.offers, first.products, (_hold(first), *map(_hold, rest)))
        for (reason, rule), group in groupby(rows, lambda row: (row.reason, row.rule))
        for first, *rest in [list(group)]
    ]


def funnel(connection: Connection) -> list[Step]:
    """From which status orders go to which, and how many wait."""
    return [Step(*row) for row in connection.execute(_FUNNEL)]


def _hold(row: Row[tuple[object, ...]]) -> Hold:
    return Hold(row.product_id, row.title, row.why)
