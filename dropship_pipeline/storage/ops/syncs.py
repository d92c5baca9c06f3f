"""Syncs and what they came to: rows of `ops.syncs`, and the counts by feed and table that a closing summary shows."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy import table as sql_table

from dropship_pipeline.alibaba.values import clean
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.tables.registry import PUBLISHED

_OPEN = text("""
    INSERT INTO ops.syncs (run_id, started_at, outcome) VALUES (:run_id, clock_timestamp(), 'running')
    ON CONFLICT (run_id) DO UPDATE SET outcome = 'running', ended_at = NULL
    RETURNING started_at
""")

_CLOSE = text("""
    INSERT INTO ops.syncs (run_id, started_at, ended_at, outcome, summary)
    VALUES (:run_id, clock_timestamp(), clock_timestamp(), :outcome, CAST(:summary AS jsonb))
    ON CONFLICT (run_id) DO UPDATE SET
        ended_at = excluded.ended_at, outcome = excluded.outcome, summary = excluded.summary
""")

_LAST = text("""
    SELECT run_id, started_at, ended_at, outcome, summary FROM ops.syncs ORDER BY started_at DESC, run_id DESC LIMIT :n
""")

# A quote that changed leaves no change log: the ledger knows when an answer last differed from the one before.
_FEED_COUNTS = text("""
    WITH touched AS (
        SELECT product_id FROM catalog.products WHERE changed_at >= :since
        UNION SELECT product_id FROM catalog.price_changes WHERE observed_at >= :since
        UNION SELECT product_id FROM catalog.inventory_changes WHERE observed_at >= :since
        UNION SELECT product_id FROM ops.fetches WHERE kind = 'freight' AND changed_at >= :since
    ), changed AS (
        SELECT product_id FROM touched JOIN catalog.products USING (product_id) WHERE first_seen_at < :since
    ), rejected AS (
        SELECT DISTINCT record_key AS product_id FROM ops.rejected_records
        WHERE last_seen_at >= :since AND discarded_at IS NULL AND kind IN ('description', 'inventory', 'freight')
    )
    SELECT f.feed,
           count(m.product_id) FILTER (WHERE m.delisted_at IS NULL) AS listed,
           count(m.product_id) FILTER (WHERE m.delisted_at IS NULL AND m.last_listed_at >= :since) AS new,
           count(c.product_id) FILTER (WHERE m.delisted_at IS NULL) AS changed,
           count(m.product_id) FILTER (WHERE m.delisted_at >= :since) AS delisted,
           count(r.product_id) FILTER (WHERE m.delisted_at IS NULL) AS rejected
    FROM unnest(CAST(:feeds AS text[])) WITH ORDINALITY AS f (feed, place)
    LEFT JOIN catalog.feed_products m ON m.feed = f.feed
    LEFT JOIN changed c ON c.product_id = m.product_id
    LEFT JOIN rejected r ON r.product_id = m.product_id
    GROUP BY f.feed, f.place ORDER BY f.place
""")


@dataclass(frozen=True, slots=True)
class SyncRow:
    """One sync. Times are UTC; `ended_at` None: it still goes or was killed. `outcome`: `running`, `done`, `failed`."""

    run_id: str
    started_at: datetime
    ended_at: datetime | None
    outcome: str
    summary: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class FeedCounts:
    """A feed and what happened to it: products listed now; and of these new, changed, rejected; and those that left."""

    feed: str
    listed: int
    new: int
    changed: int
    delisted: int
    rejected: int


def open_sync(database: Database, run_id: str) -> datetime:
    """Note that a run has begun, or goes on; since when (UTC), by the clock that the tables' times come from."""
    with database.begin() as connection:
        started_at: datetime = connection.execute(_OPEN, {"run_id": run_id}).scalar_one()
        return started_at


def close_sync(database: Database, run_id: str, outcome: str, summary: Mapping[str, object]) -> None:
    """Note how a run ended: `done` or `failed`, with its closing summary."""
    with database.begin() as connection:
        connection.execute(_CLOSE, {"run_id": run_id, "outcome": outcome, "summary": json.dumps(_plain(summary))})


def last_syncs(database: Database, n: int) -> list[SyncRow]:
    """The last `n` syncs, newest first."""
    with database.begin() as connection:
        return [SyncRow(*row) for row in connection.execute(_LAST, {"n": n})]


def feed_counts(database: Database, since: datetime, feeds: Sequence[str]) -> list[FeedCounts]:
    """What happened to these feeds since that moment (UTC), in their order; from the tables, however it came about.

    Changed: described before, and since then its row, a child of it, a price, a stock level or its freight differs.
    """
    with database.begin() as connection:
        return [FeedCounts(*row) for row in connection.execute(_FEED_COUNTS, {"since": since, "feeds": list(feeds)})]


def table_counts(database: Database) -> dict[str, int]:
    """The rows of each public table, counted at one moment."""
    counts = [select(func.count()).select_from(sql_table(t.name, schema=t.schema)).scalar_subquery() for t in PUBLISHED]
    with database.begin() as connection:
        row = connection.execute(select(*counts)).one()
    return dict(zip((table.full_name for table in PUBLISHED), row, strict=True))


def _plain(value: object) -> object:
    """What jsonb can hold: no NUL, no lone surrogate, no infinity."""
    match value:
        case str():
            return clean(value)
        case float() if not math.isfinite(value):
            return None
        case Mapping():
            return {clean(str(key)): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case None | bool() | int() | float():
            return value
    return clean(str(value))
