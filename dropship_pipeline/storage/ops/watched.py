"""Watched products: the merchant's list, `ops.watched_products`; and how their offers differ from what people know.

Reads and writes rows. Which difference is news, and its words, are decided in `sync.alerts.watching`.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, text

from dropship_pipeline.storage.server.database import Database


@dataclass(frozen=True, slots=True)
class Difference:
    """How a variant of a watched product (`sku_id` '': the product itself) differs from what people know of it.

    `was_known`: there is a row of `ops.watched_offers`; `is_there`: it is on offer. The old price is the one that
    people know, as of `priced_at`; `has_moved`: the new one is further from it than `maximum_move` percent, or in
    another currency. `is_low`: it fell below `minimum_stock`, and there is not twice that again. None: not known, or
    no rule says.
    """

    product_id: str
    sku_id: str
    title: str | None
    is_watched: bool
    was_known: bool
    is_there: bool
    old_price: Decimal | None
    old_currency: str | None
    priced_at: datetime | None
    new_price: Decimal | None
    new_currency: str | None
    has_moved: bool
    maximum_move: float | None
    was_low: bool | None
    is_low: bool | None
    stock: int | None
    minimum_stock: int | None


@dataclass(frozen=True, slots=True)
class Watched:
    """A watched product as it stands. `state`: `on offer`, `gone` or `not read yet`; `news`: what was last told."""

    product_id: str
    title: str | None
    state: str
    price: Decimal | None
    currency: str | None
    stock: int | None
    news: str | None
    news_at: datetime | None
    importance: float
    note: str | None


# Prices and stock as `marts.current_offers` has them: that view would be read product by product, or whole. Of several
# rules that apply, the strictest.
_OFFERS = """
    WITH watched AS MATERIALIZED (
        SELECT w.product_id, p.title, p.currency, p.wholesale_price,
            p.product_id IS NOT NULL AND p.delisted_at IS NULL AS on_offer,
            p.product_id IS NOT NULL AS described,
            limits.maximum_move, limits.minimum_stock
        FROM ops.watched_products w
        LEFT JOIN catalog.products p ON p.product_id = w.product_id
        CROSS JOIN LATERAL (
            SELECT min(r.maximum_move) AS maximum_move, max(r.minimum_stock) AS minimum_stock
            FROM ops.hold_rules r
            WHERE (r.product_id IS NULL OR r.product_id = w.product_id)
                AND (r.category_id IS NULL OR r.category_id = p.category_id)
        ) limits
    ), prices AS (
        SELECT DISTINCT ON (product_id, sku_id) product_id, sku_id, price, currency
        FROM catalog.price_tiers
        WHERE product_id = ANY (ARRAY(SELECT product_id FROM watched))
        ORDER BY product_id, sku_id, min_quantity
    ), stocks AS (
        SELECT product_id, sku_id, CAST(sum(quantity) AS bigint) AS stock
        FROM catalog.inventory_levels
        WHERE product_id = ANY (ARRAY(SELECT product_id FROM watched))
        GROUP BY product_id, sku_id
    ), offers AS (
        SELECT w.product_id, s.sku_id,
            CASE WHEN t.sku_id IS NULL THEN w.wholesale_price ELSE t.price END AS price,
            coalesce(t.currency, w.currency) AS currency,
            CASE WHEN l.sku_id IS NULL AND f.outcome = 'answered' THEN 0 ELSE l.stock END AS stock
        FROM watched w
        JOIN catalog.skus s ON s.product_id = w.product_id
        LEFT JOIN prices t ON t.product_id = s.product_id AND t.sku_id = s.sku_id
        LEFT JOIN stocks l ON l.product_id = s.product_id AND l.sku_id = s.sku_id
        LEFT JOIN ops.fetches f ON f.kind = 'inventory' AND f.destination = '' AND f.product_id = s.product_id
        WHERE w.on_offer
    )
"""

_DIFFERENCES = text(f"""
    {_OFFERS}, standing AS (
        SELECT product_id, '' AS sku_id, CAST(NULL AS numeric) AS price, CAST(NULL AS text) AS currency,
            CAST(NULL AS bigint) AS stock
        FROM watched WHERE on_offer
        UNION ALL
        SELECT product_id, sku_id, price, currency, stock FROM offers
    ), compared AS (
        SELECT product_id, sku_id, w.title, w.product_id IS NOT NULL AS is_watched,
            b.product_id IS NOT NULL AS was_known, n.product_id IS NOT NULL AS is_there,
            b.price AS old_price, b.currency AS old_currency, b.priced_at,
            n.price AS new_price, n.currency AS new_currency,
            coalesce(b.price IS NOT NULL AND n.price IS NOT NULL AND n.currency IS NOT NULL AND (
                b.currency IS DISTINCT FROM n.currency
                OR abs(n.price - b.price) * 100 > b.price * CAST(w.maximum_move AS numeric)), false) AS has_moved,
            w.maximum_move, b.is_low AS was_low,
            CASE WHEN w.minimum_stock IS NULL THEN NULL
                WHEN n.stock IS NULL THEN b.is_low
                WHEN n.stock < w.minimum_stock THEN true
                WHEN n.stock >= 2 * w.minimum_stock THEN false
                ELSE coalesce(b.is_low, false) END AS is_low,
            n.stock, w.minimum_stock
        FROM standing n
        FULL JOIN ops.watched_offers b USING (product_id, sku_id)
        LEFT JOIN watched w USING (product_id)
    )
    SELECT * FROM compared
    WHERE NOT (was_known AND is_there) OR has_moved OR is_low IS DISTINCT FROM was_low
        OR (old_price IS NULL AND new_price IS NOT NULL)
    ORDER BY product_id, sku_id
""")  # noqa: S608  our own words

# those that are gone, and those of products that nobody watches any more
_FORGET = text("""
    DELETE FROM ops.watched_offers known
    USING jsonb_to_recordset(CAST(:rows AS jsonb)) AS row (product_id text, sku_id text)
    WHERE known.product_id = row.product_id AND known.sku_id = row.sku_id
""")
_KNOW = text("""
    INSERT INTO ops.watched_offers (product_id, sku_id, price, currency, is_low, priced_at)
    SELECT product_id, sku_id, price, currency, is_low, priced_at
    FROM jsonb_populate_recordset(NULL::ops.watched_offers, CAST(:rows AS jsonb))
    ON CONFLICT (product_id, sku_id) DO UPDATE SET
        price = excluded.price, currency = excluded.currency, is_low = excluded.is_low, priced_at = excluded.priced_at
""")

_WATCHED = text(f"""
    {_OFFERS}
    SELECT w.product_id, w.title,
        CASE WHEN w.on_offer THEN 'on offer' WHEN w.described THEN 'gone' ELSE 'not read yet' END AS state,
        cheapest.price, cheapest.currency, stocked.stock,
        a.detail AS news, a.last_at AS news_at, listed.importance, listed.note
    FROM watched w
    JOIN ops.watched_products listed USING (product_id)
    LEFT JOIN LATERAL (
        SELECT o.price, o.currency FROM offers o
        WHERE o.product_id = w.product_id AND o.price IS NOT NULL ORDER BY o.price, o.currency LIMIT 1
    ) cheapest ON true
    LEFT JOIN (SELECT product_id, CAST(sum(stock) AS bigint) AS stock FROM offers GROUP BY 1) stocked
        ON stocked.product_id = w.product_id
    LEFT JOIN ops.alerts a ON a.key = 'watch:' || w.product_id
    ORDER BY a.last_at DESC NULLS LAST, listed.importance DESC, w.product_id
    LIMIT :limit
""")  # noqa: S608  our own words

_ADD = text("""
    INSERT INTO ops.watched_products AS w (product_id, importance, note)
    SELECT product_id, coalesce(:importance, 1), :note FROM unnest(CAST(:product_ids AS text[])) AS product_id
    ON CONFLICT (product_id) DO UPDATE SET
        importance = coalesce(:importance, w.importance), note = coalesce(:note, w.note)
""")
_REMOVE = text("DELETE FROM ops.watched_products WHERE product_id = ANY (:product_ids) RETURNING product_id")


def differences(database: Database) -> list[Difference]:
    """What of the watched products is not as people know it, in the order of their IDs; most often nothing.

    What was not read yet is no difference, nor is a price or a stock that could not be read this time.
    """
    with database.begin() as connection:
        return [Difference(*row) for row in connection.execute(_DIFFERENCES)]


def note_told(database: Database, found: Sequence[Difference], now: datetime) -> None:
    """Note that people know of these differences, so that they are none any more."""
    gone = [row for row in found if not (row.is_there and row.is_watched)]
    there = [row for row in found if row.is_there and row.is_watched]
    with database.begin() as connection:
        if gone:
            rows = [{"product_id": row.product_id, "sku_id": row.sku_id} for row in gone]
            connection.execute(_FORGET, {"rows": json.dumps(rows)})
        if there:
            connection.execute(_KNOW, {"rows": json.dumps([asdict(_known(row, now)) for row in there], default=str)})


@dataclass(frozen=True, slots=True)
class _Known:
    """A row of `ops.watched_offers`."""

    product_id: str
    sku_id: str
    price: Decimal | None
    currency: str | None
    is_low: bool | None
    priced_at: datetime | None


def _known(found: Difference, now: datetime) -> _Known:
    """A price that has not moved far enough to be told stays the old one: small steps add up until they are."""
    price, currency, priced_at = found.old_price, found.old_currency, found.priced_at
    if found.has_moved or (price is None and found.new_price is not None):
        price, currency, priced_at = found.new_price, found.new_currency, now
    return _Known(found.product_id, found.sku_id, price, currency, found.is_low, priced_at)


def watch(
    database: Database, product_ids: Sequence[str], importance: float | None = None, note: str | None = None
) -> None:
    """Watch these products. None leaves what is noted of one that is watched already; a new one weighs 1."""
    given = {"product_ids": list(dict.fromkeys(product_ids)), "importance": importance, "note": note}
    with database.begin() as connection:
        connection.execute(_ADD, given)


def unwatch(database: Database, product_ids: Sequence[str]) -> list[str]:
    """Watch these products no more; those of them that were watched."""
    with database.begin() as connection:
        return sorted(connection.execute(_REMOVE, {"product_ids": list(product_ids)}).scalars())


def watched(connection: Connection, limit: int | None = None) -> list[Watched]:
    """The watched products, those with the newest news first, then the most important; at most `limit`."""
    return [Watched(*row) for row in connection.execute(_WATCHED, {"limit": limit})]
