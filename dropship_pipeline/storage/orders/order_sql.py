"""The statements by which orders get into the tables, from the table definitions. Text only: nothing here runs any.

Rows wait in `staged_<table>` (see `staging`). `fresh` holds the orders that this merge may touch: an answer older than
what is in the tables is not among them. What is equal is not written; what differs is noted in `changed`.
"""

# ruff: noqa: S608  every name in these texts comes from the table definitions, none from outside

from dropship_pipeline.orders.statuses import STATUSES, Irregularity, judge
from dropship_pipeline.storage.server.staging import comma, staged
from dropship_pipeline.tables.model import Table
from dropship_pipeline.tables.orders import (
    ORDER_LINES,
    ORDERS,
    PAYMENTS,
    RECIPIENTS,
    SHIPMENTS,
    TRACKING_EVENTS,
)
from dropship_pipeline.tables.postgres import literal

FRESH = "trade_id text"
CHANGED = "trade_id text"

CHILDREN = (ORDER_LINES, SHIPMENTS, TRACKING_EVENTS, PAYMENTS, RECIPIENTS)
"""What hangs on an order and is read with it."""

_REPLACED = frozenset({ORDER_LINES.full_name})  # an order that names lines names all of them
_FILLED_IN = frozenset({SHIPMENTS.full_name})  # one of its two answers may be missing: what it told before stays

# What an answer does not tell is as it was told before; the list's word for what no detail tells is in it already.
FILL_IN = """
UPDATE staged_orders s SET
    status = coalesce(s.status, o.status),
    created_at = coalesce(s.created_at, o.created_at),
    modified_at = coalesce(s.modified_at, o.modified_at),
    shipped_at = coalesce(s.shipped_at, o.shipped_at)
FROM orders.orders o WHERE o.trade_id = s.trade_id
"""

FIND_FRESH = """
INSERT INTO fresh (trade_id)
SELECT s.trade_id FROM staged_orders s LEFT JOIN orders.orders o USING (trade_id)
WHERE o.trade_id IS NULL OR (s.fetched_at >= o.fetched_at AND coalesce(s.modified_at >= o.modified_at, true))
"""


def log_changes() -> str:
    """Log the changes of status, before the orders are written. Gives (changes, skipped, backwards, unknown)."""
    pairs = [
        f"({literal(old)}, {literal(new)}, {literal(verdict) if verdict else 'NULL'})"
        for old in STATUSES
        for new in STATUSES
        for verdict in [judge(old, new)]
    ]
    counts = ", ".join(f"count(*) FILTER (WHERE irregularity = {literal(kind)})" for kind in Irregularity)
    return f"""
WITH judged (old_status, new_status, irregularity) AS (VALUES {", ".join(pairs)}), logged AS (
    INSERT INTO orders.order_status_changes (trade_id, old_status, new_status, observed_at, irregularity)
    SELECT s.trade_id, o.status, s.status, s.fetched_at,
        CASE WHEN j.old_status IS NULL THEN {literal(Irregularity.UNKNOWN)} ELSE j.irregularity END
    FROM staged_orders s JOIN fresh USING (trade_id) JOIN orders.orders o USING (trade_id)
    LEFT JOIN judged j ON j.old_status = o.status AND j.new_status = s.status
    WHERE o.status <> s.status
    RETURNING irregularity
)
SELECT count(*), {counts} FROM logged
"""


def merge_children(table: Table) -> str:
    """Write what hangs on the fresh orders, where it differs. Gives (rows removed or written)."""
    rest = [name for name in table.column_names if name not in table.key]
    new = {
        name: f"coalesce(excluded.{name}, t.{name})" if table.full_name in _FILLED_IN else f"excluded.{name}"
        for name in rest
    }
    removed = f"""
    DELETE FROM {table.full_name} t
    USING (SELECT DISTINCT trade_id FROM {staged(table)} JOIN fresh USING (trade_id)) told
    WHERE t.trade_id = told.trade_id AND NOT EXISTS (
        SELECT FROM {staged(table)} s WHERE {" AND ".join(f"s.{name} = t.{name}" for name in table.key)}
    )
    RETURNING t.trade_id"""
    return f"""
WITH removed AS ({removed if table.full_name in _REPLACED else "SELECT NULL::text AS trade_id WHERE false"}
), written AS (
    INSERT INTO {table.full_name} AS t ({comma(table.column_names)})
    SELECT {comma(table.column_names, "s.")} FROM {staged(table)} s JOIN fresh USING (trade_id)
    ON CONFLICT ({comma(table.key)}) DO UPDATE SET {", ".join(f"{name} = {value}" for name, value in new.items())}
    WHERE ({comma(rest, "t.")}) IS DISTINCT FROM ({", ".join(new.values())})
    RETURNING t.trade_id
), touched AS (SELECT trade_id FROM removed UNION ALL SELECT trade_id FROM written
), noted AS (INSERT INTO changed (trade_id) SELECT DISTINCT trade_id FROM touched)
SELECT count(*) FROM touched
"""


def merge_orders() -> str:
    """Write the fresh orders, after what hangs on them. Gives (orders, new ones, changed ones)."""
    compared = [name for name in ORDERS.column_names if name not in (*ORDERS.key, *ORDERS.observed)]
    overwrite = ", ".join(f"{name} = excluded.{name}" for name in ORDERS.column_names if name not in ORDERS.key)
    return f"""
WITH compared AS (
    SELECT s.*, o.trade_id IS NULL AS arrived,
        o.trade_id IS NOT NULL AND (
            ({comma(compared, "s.")}) IS DISTINCT FROM ({comma(compared, "o.")})
            OR s.trade_id IN (SELECT trade_id FROM changed)
        ) AS differs
    FROM staged_orders s JOIN fresh USING (trade_id) LEFT JOIN orders.orders o USING (trade_id)
), written AS (
    INSERT INTO orders.orders ({comma(ORDERS.column_names)})
    SELECT {comma(ORDERS.column_names)} FROM compared
    ON CONFLICT (trade_id) DO UPDATE SET {overwrite}
)
SELECT count(*), count(*) FILTER (WHERE arrived), count(*) FILTER (WHERE differs) FROM compared
"""


# What the list said meanwhile is still due: only what it had said when the order was asked for is settled.
WRITE_LEDGER = """
INSERT INTO ops.order_fetches AS f (trade_id, account, listed_status, listed_created_at, listed_modified_at,
    look_again_at, fetched_at, outcome, code)
SELECT trade_id, account, listed_status, listed_created_at, listed_modified_at, look_again_at, fetched_at, outcome, code
FROM staged_order_fetches ORDER BY trade_id
ON CONFLICT (trade_id) DO UPDATE SET
    look_again_at = excluded.look_again_at,
    fetched_at = excluded.fetched_at,
    outcome = excluded.outcome,
    code = excluded.code,
    due_since = CASE
        WHEN (f.listed_status, f.listed_modified_at)
            IS DISTINCT FROM (excluded.listed_status, excluded.listed_modified_at)
        THEN f.due_since END
WHERE f.fetched_at IS NULL OR excluded.fetched_at >= f.fetched_at
"""

# A list that is behind what another one said is not believed; what it says for the first time makes the order due.
WRITE_SIGHTINGS = """
WITH noted AS (
    INSERT INTO ops.order_fetches AS f
        (trade_id, account, listed_status, listed_created_at, listed_modified_at, due_since)
    SELECT trade_id, account, listed_status, listed_created_at, listed_modified_at, clock_timestamp()
    FROM staged_order_fetches ORDER BY trade_id
    ON CONFLICT (trade_id) DO UPDATE SET
        account = excluded.account,
        listed_status = excluded.listed_status,
        listed_created_at = coalesce(excluded.listed_created_at, f.listed_created_at),
        listed_modified_at = excluded.listed_modified_at,
        due_since = excluded.due_since
    WHERE (f.listed_status, f.listed_modified_at)
            IS DISTINCT FROM (excluded.listed_status, excluded.listed_modified_at)
        AND coalesce(excluded.listed_modified_at >= f.listed_modified_at, true)
    RETURNING 1
)
SELECT count(*) FROM noted
"""

# What differs: the list says something, and the tables something else that is not newer.
COMPARE = """
SELECT s.trade_id, o.trade_id IS NULL AS missing
FROM staged_order_fetches s LEFT JOIN orders.orders o USING (trade_id)
WHERE o.trade_id IS NULL OR (
    (s.listed_status <> o.status OR s.listed_modified_at IS DISTINCT FROM o.modified_at)
    AND s.listed_modified_at IS NOT NULL AND coalesce(s.listed_modified_at >= o.modified_at, true)
)
ORDER BY s.trade_id
"""
