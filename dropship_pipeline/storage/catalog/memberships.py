"""Which product is in which feed: sweeps opened, resumed and merged; memberships begun, missed, ended and held.

A membership ends when two complete sweeps in a row miss the product; a product is off the market when no feed has it
any more. What a sweep saw, whether it is complete, and how many memberships it may end are told by the caller. One
transaction a sweep, in which only rows that differ are written.
"""

# ruff: noqa: S608  what is put into these texts is a number of ours or a quoted literal

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import pyarrow as pa
from sqlalchemy import text

from dropship_pipeline.storage.catalog.merge_sql import OFFLINE
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.storage.server.failures import in_our_words
from dropship_pipeline.storage.server.locks import PATIENCE, Lock, take
from dropship_pipeline.storage.server.staging import Stage
from dropship_pipeline.storage.server.transactions import Transactions
from dropship_pipeline.tables.postgres import literal


@dataclass(frozen=True, slots=True)
class SweepResult:
    """What a sweep came to. `state`: complete, incomplete or held; `listed`: distinct products seen.

    `missing` members were not seen; `missed_once` of them for the first time: gone, if the next sweep misses them too.
    `delisted` memberships ended; in a held sweep, those that would have.
    """

    state: str
    listed: int
    pages: int
    new: int
    missing: int
    missed_once: int
    delisted: int
    reason: str | None


@dataclass(frozen=True, slots=True)
class _Sweep:
    """What the caller knows of a sweep that ended."""

    sweep_id: str
    feed: str
    seen: pa.Table
    pages: int
    reported_total: int | None
    complete: bool
    reason: str | None
    is_held: Callable[[int, int], bool]
    let_through: bool


_OPEN = text("""
    INSERT INTO ops.sweeps (sweep_id, feed, run_id, state, started_at, pages, listed, new, missing, delisted)
    VALUES (:sweep_id, :feed, :run_id, 'running', now(), 0, 0, 0, 0, 0)
""")
_GIVE_UP_OLDER = text("""
    UPDATE ops.sweeps SET state = 'incomplete', ended_at = now(), reason = 'cut short'
    WHERE feed = :feed AND state = 'running'
""")
_RESUMABLE = text("""
    SELECT sweep_id FROM ops.sweeps
    WHERE feed = :feed AND state = 'running' AND started_at > now() - :within
    ORDER BY started_at DESC LIMIT 1
""")
# The newest sweep of the feed, if it left nothing open and no sync has come to its end since
_FINISHED = text("""
    SELECT state, listed, pages, new, missing, 0 AS missed_once, delisted, reason
    FROM (SELECT * FROM ops.sweeps WHERE feed = :feed ORDER BY started_at DESC LIMIT 1) AS s
    WHERE state IN ('complete', 'held') AND ended_at > now() - :within
        AND (state = 'held' OR missing = 0 OR delisted > 0)
        AND NOT EXISTS (SELECT FROM ops.syncs WHERE syncs.ended_at >= s.ended_at)
""")

_STATES = text("""
    SELECT DISTINCT ON (feed) feed, state FROM ops.sweeps
    WHERE feed = ANY (:feeds) AND ended_at >= :since ORDER BY feed, started_at DESC
""")


def open_sweep(database: Database, feed: str, run_id: str) -> str:
    """Note that a sweep begins, and give its ID. One of the feed that is still running was cut short."""
    sweep_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{feed}"
    with database.begin() as connection:
        connection.execute(_GIVE_UP_OLDER, {"feed": feed})
        connection.execute(_OPEN, {"sweep_id": sweep_id, "feed": feed, "run_id": run_id})
    return sweep_id


def resumable_sweep(database: Database, feed: str, within: timedelta) -> str | None:
    """The sweep of the feed that was cut short `within` this time, if there is one."""
    with database.begin() as connection:
        return connection.execute(_RESUMABLE, {"feed": feed, "within": within}).scalar_one_or_none()


def finished_sweep(database: Database, feed: str, within: timedelta) -> SweepResult | None:
    """What the feed's last sweep came to, if it belongs to a sync that was killed `within` this time, after it."""
    with database.begin() as connection:
        row = connection.execute(_FINISHED, {"feed": feed, "within": within}).first()
    return None if row is None else SweepResult(*row)


def sweep_states(database: Database, feeds: Sequence[str], since: datetime) -> dict[str, str]:
    """How the newest sweep of each of these feeds ended, of those that ended since then (UTC)."""
    with database.begin() as connection:
        return {row.feed: row.state for row in connection.execute(_STATES, {"feeds": list(feeds), "since": since})}


def merge_sweep(
    database: Database,
    *,
    sweep_id: str,
    feed: str,
    seen: pa.Table,
    pages: int,
    reported_total: int | None,
    complete: bool,
    reason: str | None,
    is_held: Callable[[int, int], bool],
    let_through: bool,
) -> SweepResult:
    """Merge what a sweep saw (`seen`: product_id, position; each product once), and note how it ended.

    An incomplete sweep begins memberships and ends none; what it sees is not missed any more. A sweep that was merged
    already is left as it is. `is_held(active, would_end)` says whether a person has to look first; `let_through`, that
    one has. Raises `DatabaseProblem`.
    """
    sweep = _Sweep(sweep_id, feed, seen, pages, reported_total, complete, reason, is_held, let_through)
    with in_our_words(database.address), closing(Transactions(database)) as transactions:
        return transactions.run(_prepare, partial(_apply, sweep))


def _prepare(stage: Stage) -> None:
    stage.make("seen", "product_id text, position bigint")
    stage.make("began", "product_id text, position bigint, is_new boolean")
    stage.make("absent", "product_id text, missed_before boolean")


def _apply(sweep: _Sweep, stage: Stage) -> SweepResult:
    stage.load("seen", sweep.seen)
    stage.run("ANALYZE seen")
    stage.run(f"SET LOCAL lock_timeout = '{PATIENCE}'")
    stage.run(take(Lock.OFFER))
    merged = _already_merged(stage, sweep.sweep_id)
    if merged is not None:
        return merged
    feed = literal(sweep.feed)
    names = {"feed": feed, "sweep_id": literal(sweep.sweep_id)}
    active = _count(stage, f"SELECT count(*) FROM catalog.feed_products WHERE feed = {feed} AND delisted_at IS NULL")
    for statement in _BEGIN:
        stage.run(statement.format(**names))
    new = _count(stage, "SELECT count(*) FROM began")
    missing = would_end = 0
    held = False
    if sweep.complete:
        stage.run(_MOVE.format(**names))
        stage.run(_FIND_ABSENT.format(**names))
        [(missing, would_end)] = stage.run("SELECT count(*), count(*) FILTER (WHERE missed_before) FROM absent")
        held = sweep.is_held(active, would_end) and not sweep.let_through
        if not held:
            for statement in _END:
                stage.run(statement.format(**names))
        stage.run(_REMEMBER_ABSENT.format(**names))
    stage.run(_FORGET_SEEN.format(**names))
    state = "held" if held else "complete" if sweep.complete else "incomplete"
    result = SweepResult(
        state=state,
        listed=sweep.seen.num_rows,
        pages=sweep.pages,
        new=new,
        missing=missing,
        missed_once=0 if held else missing - would_end,
        delisted=would_end,
        reason=f"it would end {would_end:,} of {active:,} memberships" if held else sweep.reason,
    )
    stage.run(_close(sweep, result))
    return result


def _count(stage: Stage, statement: str) -> int:
    return int(stage.run(statement)[0][0])


def _already_merged(stage: Stage, sweep_id: str) -> SweepResult | None:
    """What the sweep came to, if another process merged it, or this one did and was not told that it was committed.

    One sweep that is merged twice must not count as two that miss the same products.
    """
    rows = stage.run(f"""
        SELECT state, listed, pages, new, missing,
            CASE WHEN state = 'complete' THEN missing - delisted ELSE 0 END, delisted, reason
        FROM ops.sweeps WHERE sweep_id = {literal(sweep_id)}
    """)
    if not rows:
        raise ValueError(f"there is no sweep {sweep_id}: it was never opened")
    result = SweepResult(*rows[0])
    return result if result.state in ("complete", "held") else None


# What was delisted after this sweep began is gone, though the sweep may have seen it before
_BEGIN = (
    """
    INSERT INTO began (product_id, position, is_new)
    SELECT s.product_id, s.position, t.product_id IS NULL
    FROM seen s LEFT JOIN catalog.feed_products t ON t.feed = {feed} AND t.product_id = s.product_id
    WHERE t.product_id IS NULL
        OR t.delisted_at < (SELECT started_at FROM ops.sweeps WHERE sweep_id = {sweep_id})
    """,
    """
    INSERT INTO catalog.feed_products (feed, product_id, position, first_listed_at, last_listed_at)
    SELECT {feed}, product_id, position, now(), now() FROM began WHERE is_new
    """,
    """
    UPDATE catalog.feed_products t
    SET position = b.position, last_listed_at = now(), delisted_at = NULL
    FROM began b WHERE NOT b.is_new AND t.feed = {feed} AND t.product_id = b.product_id
    """,
    """
    INSERT INTO catalog.listing_changes (feed, product_id, change, observed_at)
    SELECT {feed}, product_id, 'listed', now() FROM began
    """,
    f"""
    UPDATE catalog.products p SET delisted_at = NULL
    FROM began b
    WHERE p.product_id = b.product_id AND p.delisted_at IS NOT NULL AND coalesce(p.status NOT IN {OFFLINE}, true)
    """,
)

_MOVE = """
    UPDATE catalog.feed_products t SET position = s.position
    FROM seen s
    WHERE t.feed = {feed} AND t.product_id = s.product_id AND t.position IS DISTINCT FROM s.position
"""

# A miss counts as the first of two only if this sweep began after it: sweeps side by side may share what hid a product
_FIND_ABSENT = """
    INSERT INTO absent (product_id, missed_before)
    SELECT t.product_id, EXISTS (
        SELECT FROM ops.missed_memberships m
        WHERE m.feed = {feed} AND m.product_id = t.product_id
            AND m.missed_at < (SELECT started_at FROM ops.sweeps WHERE sweep_id = {sweep_id})
    )
    FROM catalog.feed_products t
    WHERE t.feed = {feed} AND t.delisted_at IS NULL
        AND NOT EXISTS (SELECT FROM seen s WHERE s.product_id = t.product_id)
"""

_END = (
    """
    UPDATE catalog.feed_products t SET delisted_at = now()
    FROM absent a WHERE a.missed_before AND t.feed = {feed} AND t.product_id = a.product_id
    """,
    """
    INSERT INTO catalog.listing_changes (feed, product_id, change, observed_at)
    SELECT {feed}, product_id, 'delisted', now() FROM absent WHERE missed_before
    """,
    """
    UPDATE catalog.products p SET delisted_at = now()
    FROM absent a
    WHERE a.missed_before AND p.product_id = a.product_id AND p.delisted_at IS NULL
        AND NOT EXISTS (
            SELECT FROM catalog.feed_products t WHERE t.product_id = p.product_id AND t.delisted_at IS NULL
        )
    """,
    """
    DELETE FROM ops.missed_memberships m USING absent a
    WHERE a.missed_before AND m.feed = {feed} AND m.product_id = a.product_id
    """,
    "DELETE FROM absent WHERE missed_before",
)

_FORGET_SEEN = """
    DELETE FROM ops.missed_memberships m USING seen s WHERE m.feed = {feed} AND m.product_id = s.product_id
"""

_REMEMBER_ABSENT = """
    INSERT INTO ops.missed_memberships (feed, product_id, sweep_id, missed_at)
    SELECT {feed}, product_id, {sweep_id}, now() FROM absent
    ON CONFLICT (feed, product_id) DO NOTHING
"""


def _close(sweep: _Sweep, result: SweepResult) -> str:
    reason = "NULL" if result.reason is None else literal(result.reason)
    total = "NULL" if sweep.reported_total is None else str(sweep.reported_total)
    return f"""
        UPDATE ops.sweeps SET state = {literal(result.state)}, ended_at = now(), pages = {result.pages},
            listed = {result.listed}, reported_total = {total}, new = {result.new}, missing = {result.missing},
            delisted = {result.delisted}, reason = {reason}
        WHERE sweep_id = {literal(sweep.sweep_id)}
    """
