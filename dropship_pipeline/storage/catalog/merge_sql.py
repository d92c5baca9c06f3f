"""The statements of a merge, generated from the table definitions. Text only: nothing here runs anything.

Rows wait in `staged_<table>` (see `staging`). `fresh` holds what this merge may touch (see `fresh_sql`). Everything in
the public tables below a fresh product that the fresh payload lacks goes; what is equal is not touched; what differs is
written, once, and noted in `changed`.

No statistics exist for a temporary table, so the planner guesses. `product_id = ANY (ARRAY(SELECT …))` makes it read
the public tables by their product_id index whatever it guesses, be there a thousand products or a million; `OFFSET 0`
makes it look each row up in a log, rather than read all of the log.
"""

# ruff: noqa: S608  every name in these texts comes from the table definitions, none from outside

from collections.abc import Sequence

from dropship_pipeline.storage.server.staging import comma, staged
from dropship_pipeline.tables.catalog import INVENTORY_LEVELS, PRICE_TIERS, PRODUCTS, SKUS
from dropship_pipeline.tables.model import Table

CHANGED = "product_id text"
MOVED = "sku_id text, product_id text"

OFFLINE = "('PRODUCT_OFFLINE', 'PRODUCT_DELETE')"  # guide §4 status; live facts: Answers
OWN_OF_MERGE = ("first_seen_at", "changed_at", "delisted_at")  # of catalog.products: no payload holds them

_FRESH_PRODUCTS = "ANY (ARRAY(SELECT product_id FROM fresh))"

# A first answer is no change (ADR 0005), nor is one like the one before. A refusal has no payload: the hash before it
# is kept.
WRITE_LEDGER = """
INSERT INTO ops.fetches AS f
    (kind, product_id, destination, fetched_at, outcome, code, payload_hash, raw_file)
SELECT kind, product_id, destination, fetched_at, outcome, code, payload_hash, raw_file
FROM staged_fetches
ORDER BY kind, product_id, destination
ON CONFLICT (kind, product_id, destination) DO UPDATE SET
    fetched_at = excluded.fetched_at,
    outcome = excluded.outcome,
    code = excluded.code,
    payload_hash = coalesce(excluded.payload_hash, f.payload_hash),
    changed_at = CASE
        WHEN (f.outcome, f.code) IS NOT DISTINCT FROM (excluded.outcome, excluded.code)
            AND f.payload_hash IS NOT DISTINCT FROM coalesce(excluded.payload_hash, f.payload_hash)
        THEN f.changed_at ELSE excluded.fetched_at END,
    raw_file = excluded.raw_file
WHERE excluded.fetched_at > f.fetched_at
    OR excluded.fetched_at = f.fetched_at
        AND (excluded.outcome, excluded.code, excluded.payload_hash, excluded.raw_file)
            IS DISTINCT FROM (f.outcome, f.code, f.payload_hash, f.raw_file)
"""

WRITE_RAW_FILES = """
INSERT INTO ops.raw_files (path, kind, run_id, sweep_id, answers, merged_at)
SELECT path, kind, run_id, sweep_id, answers, clock_timestamp() FROM staged_raw_files
ON CONFLICT (path) DO NOTHING
"""

# A price in another currency is another price: the old one went, the new one came. What was logged at a moment is not
# logged for that moment again, however often its answers are replayed.
_LOG_PRICES = """\
    INSERT INTO catalog.price_changes
        (sku_id, product_id, min_quantity, old_price, new_price, currency, observed_at)
    SELECT d.sku_id, d.product_id, d.min_quantity, move.old_price, move.new_price, move.currency, fresh.read_at
    FROM differing d
    JOIN fresh USING (product_id)
    CROSS JOIN LATERAL (VALUES
        (d.old_price, CASE WHEN d.old_currency <> d.currency THEN NULL ELSE d.price END,
            coalesce(d.old_currency, d.currency)),
        (NULL, CASE WHEN d.old_currency <> d.currency THEN d.price END, d.currency)
    ) AS move (old_price, new_price, currency)
    WHERE fresh.known AND NOT fresh.again AND move.old_price IS DISTINCT FROM move.new_price
        AND NOT EXISTS (
            SELECT FROM catalog.price_changes was
            WHERE was.sku_id = d.sku_id AND was.observed_at = fresh.read_at AND was.min_quantity = d.min_quantity
                AND (was.old_price, was.new_price) IS NOT DISTINCT FROM (move.old_price, move.new_price)
            OFFSET 0
        )"""

_LOG_STOCK = """\
    INSERT INTO catalog.inventory_changes
        (sku_id, product_id, shipping_from, old_quantity, new_quantity, observed_at)
    SELECT d.sku_id, d.product_id, d.shipping_from, d.old_quantity, d.quantity, fresh.read_at
    FROM differing d
    JOIN fresh USING (product_id)
    WHERE fresh.known AND NOT fresh.again AND d.old_quantity IS DISTINCT FROM d.quantity
        AND NOT EXISTS (
            SELECT FROM catalog.inventory_changes was
            WHERE was.sku_id = d.sku_id AND was.observed_at = fresh.read_at AND was.shipping_from = d.shipping_from
            OFFSET 0
        )"""

# A SKU that is new to its product may be another product's: see `REHOME`.
_NOTE_MOVED_SKUS = """\
    INSERT INTO moved (sku_id, product_id)
    SELECT d.sku_id, d.product_id FROM differing d JOIN catalog.skus t USING (sku_id) WHERE d.arrived"""

# table -> what to note of the rows that differ, and the old values that it takes
_NOTES: dict[str, tuple[str, tuple[str, ...]]] = {
    PRICE_TIERS.full_name: (_LOG_PRICES, ("price", "currency")),
    INVENTORY_LEVELS.full_name: (_LOG_STOCK, ("quantity",)),
    SKUS.full_name: (_NOTE_MOVED_SKUS, ()),
}


def merge_children(table: Table, scope: Sequence[str] = ("product_id",)) -> str:
    """Make the rows below the fresh products those that are staged. Gives (rows removed, rows written).

    `scope`: the columns by which a fresh payload is complete; what it lacks within them goes.
    """
    note, old_values = _NOTES.get(table.full_name, ("", ()))
    rest = [name for name in table.column_names if name not in (*table.key, table.parent)]
    compared = [name for name in table.column_names if name not in (*table.key, *table.observed)]
    first = table.key[0]
    selected = [
        comma(table.key),
        *([f"coalesce(s.{table.parent}, o.{table.parent}) AS {table.parent}"] if table.parent not in table.key else []),
        *([comma(rest, "s.")] if rest else []),
        *(f"o.{name} AS old_{name}" for name in old_values),
        f"s.{first} IS NULL AS gone",
        f"o.{first} IS NULL AS arrived",
    ]
    differs = "\n        OR ".join(f"s.{name} IS DISTINCT FROM o.{name}" for name in compared) or "false"
    noted = f"), noted AS (\n{note}\n" if note else ""
    return f"""
WITH old AS (
    SELECT t.* FROM {table.full_name} t
    WHERE t.product_id = {_FRESH_PRODUCTS}{_within_scope(scope)}
), differing AS MATERIALIZED (
    SELECT {("," + chr(10) + "        ").join(selected)}
    FROM {staged(table)} s
    FULL JOIN old o USING ({comma(table.key)})
    WHERE s.{first} IS NULL OR o.{first} IS NULL
        OR {differs}
), removed AS (
    DELETE FROM {table.full_name} t USING differing d
    WHERE d.gone AND t.{first} = ANY (ARRAY(SELECT {first} FROM differing WHERE gone)) AND {_equal(table.key, "t", "d")}
    RETURNING 1
), written AS (
    INSERT INTO {table.full_name} ({comma(table.column_names)})
    SELECT {comma(table.column_names)} FROM differing WHERE NOT gone
    ON CONFLICT ({comma(table.key)}) DO UPDATE SET {_overwrite(table)}
    RETURNING 1
), noted_products AS (
    INSERT INTO changed (product_id) SELECT DISTINCT product_id FROM differing
{noted})
SELECT (SELECT count(*) FROM removed), (SELECT count(*) FROM written)
"""


def count_known(tables: Sequence[Table], scope: Sequence[str] = ("product_id",)) -> str:
    """(fresh products, how much is known of them: products and rows; 0 where all of it is new).

    Rows are counted, since the planner takes a search for one to end at once; where products are known they are not.
    """
    rows = "\n        + ".join(
        f"(SELECT count(*) FROM {table.full_name} t WHERE t.product_id = {_FRESH_PRODUCTS}{_within_scope(scope)})"
        for table in tables
    )
    return f"""
SELECT fresh.products, CASE WHEN fresh.known > 0 THEN fresh.known ELSE {rows} END
FROM (SELECT count(*) AS products, count(*) FILTER (WHERE known) AS known FROM fresh) fresh
"""


def look_again(table: Table) -> str:
    """Say that the staged rows which differ in nothing were seen again: write their `observed` columns."""
    return f"""
UPDATE {table.full_name} t
SET {", ".join(f"{name} = s.{name}" for name in table.observed)}
FROM {staged(table)} s
WHERE t.product_id = {_FRESH_PRODUCTS} AND {_equal(table.key, "t", "s")}
    AND ({comma(table.observed, "t.")}) IS DISTINCT FROM ({comma(table.observed, "s.")})
"""


def prune(table: Table, scope: Sequence[str] = ("product_id",)) -> str:
    """Drop staged rows of products that are not fresh: something newer than this answer is in the tables already."""
    return f"""
DELETE FROM {staged(table)} s
WHERE NOT EXISTS (SELECT FROM fresh WHERE {_equal(scope, "fresh", "s")})
"""


def rehome(table: Table) -> str:
    """Give the children of a SKU that moved to another product to that product, before they are compared."""
    return f"UPDATE {table.full_name} t SET product_id = m.product_id FROM moved m WHERE m.sku_id = t.sku_id"


def merge_products() -> str:
    """Write the fresh products, after their children. Gives (products, new ones, changed ones).

    A product is off the market when it says so itself, or when no feed that ever listed it lists it now.
    """
    payload = [name for name in PRODUCTS.column_names if name not in OWN_OF_MERGE]
    compared = [name for name in payload if name not in (*PRODUCTS.key, *PRODUCTS.observed)]
    differs = "\n            OR ".join(f"s.{name} IS DISTINCT FROM o.{name}" for name in compared)
    return f"""
WITH listed AS (
    SELECT product_id, bool_or(delisted_at IS NULL) AS now, max(delisted_at) AS until
    FROM catalog.feed_products WHERE product_id = {_FRESH_PRODUCTS}
    GROUP BY product_id
), compared AS (
    SELECT {comma(payload, "s.")},
        o.product_id IS NULL AS arrived,
        o.product_id IS NOT NULL AND (s.product_id IN (SELECT product_id FROM changed)
            OR {differs}) AS differs,
        coalesce(s.status IN {OFFLINE}, false) AS offline,
        coalesce(o.status IN {OFFLINE}, false) AS was_offline,
        coalesce(listed.now, true) AS listed_now, listed.until AS listed_until, fresh.again,
        o.first_seen_at AS old_first_seen_at, o.described_at AS old_described_at,
        o.changed_at AS old_changed_at, o.delisted_at AS old_delisted_at
    FROM staged_products s
    JOIN fresh USING (product_id)
    LEFT JOIN (SELECT * FROM catalog.products WHERE product_id = {_FRESH_PRODUCTS}) o USING (product_id)
    LEFT JOIN listed USING (product_id)
), decided AS MATERIALIZED (
    SELECT *,
        coalesce(old_first_seen_at, described_at) AS first_seen_at,
        CASE WHEN arrived OR (differs AND NOT again) THEN described_at ELSE old_changed_at END AS changed_at,
        CASE WHEN offline THEN coalesce(old_delisted_at, described_at)
            WHEN NOT listed_now THEN coalesce(old_delisted_at, listed_until) END AS delisted_at
    FROM compared
), written AS (
    INSERT INTO catalog.products ({comma(PRODUCTS.column_names)})
    SELECT {comma(PRODUCTS.column_names)} FROM decided
    WHERE arrived OR differs OR described_at <> old_described_at OR delisted_at IS DISTINCT FROM old_delisted_at
    ON CONFLICT (product_id) DO UPDATE SET {_overwrite(PRODUCTS)}
), logged AS (
    INSERT INTO catalog.listing_changes (feed, product_id, change, observed_at)
    SELECT NULL, product_id, CASE WHEN offline THEN 'delisted' ELSE 'listed' END, described_at
    FROM decided
    WHERE offline <> was_offline AND NOT again
        AND NOT EXISTS (
            SELECT FROM catalog.listing_changes was
            WHERE was.product_id = decided.product_id AND was.observed_at = decided.described_at AND was.feed IS NULL
            OFFSET 0
        )
)
SELECT count(*), count(*) FILTER (WHERE arrived), count(*) FILTER (WHERE differs) FROM decided
"""


# (read, read for the first time, changed): of stock and freight, where no row of the product itself is written
COUNT_FRESH = """
SELECT count(*), count(*) FILTER (WHERE NOT known),
    count(*) FILTER (WHERE known AND product_id IN (SELECT product_id FROM changed))
FROM fresh
"""


def _within_scope(scope: Sequence[str]) -> str:
    if tuple(scope) == ("product_id",):
        return ""
    return f"\n        AND ({comma(scope, 't.')}) IN (SELECT {comma(scope)} FROM fresh)"


def _equal(columns: Sequence[str], left: str, right: str) -> str:
    return " AND ".join(f"{left}.{name} = {right}.{name}" for name in columns)


def _overwrite(table: Table) -> str:
    return ", ".join(f"{name} = excluded.{name}" for name in table.column_names if name not in table.key)
