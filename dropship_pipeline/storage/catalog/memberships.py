"""Which product is in which feed: sweeps merged; memberships begun, missed, ended and held.

A membership ends when two complete sweeps in a row miss the product; a product is off the market when no feed has it
any more. What a sweep saw, whether it is complete, and how many memberships it may end are told by the caller. One
transaction a sweep, in which only rows that differ are written.
"""

# ruff: noqa: S608  what is put into these texts is a number of ours or a quoted literal

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from dropship_pipeline.storage.catalog.merge_sql import OFFLINE
from dropship_pipeline.storage.catalog.reject_sql import RESOLVE_PAGES
from dropship_pipeline.storage.catalog.sweeps import LeaseLost, SweepLease, SweepResult
from dropship_pipeline.storage.server.failures import in_our_words
from dropship_pipeline.storage.server.locks import PATIENCE, Lock, take
from dropship_pipeline.storage.server.staging import Stage
from dropship_pipeline.storage.server.transactions import Transactions
from dropship_pipeline.tables.postgres import literal


@dataclass(frozen=True, slots=True)
class _Sweep:
    """What the caller knows of a sweep that ended."""

    lease: SweepLease
    seen: pa.Table
    pages: int
    reported_total: int | None
    complete: bool
    reason: str | None
    is_held: Callable[[int, int], bool]
    let_through: bool


def merge_sweep(
    transactions: Transactions,
    lease: SweepLease,
    *,
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
    one has. Raises `DatabaseProblem`, and `LeaseLost` if somebody else writes for it now: nothing is merged then.
    """
    sweep = _Sweep(lease, seen, pages, reported_total, complete, reason, is_held, let_through)
    with in_our_words(transactions.address):
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
    merged = _already_merged(stage, sweep.lease)
    if merged is not None:
        return merged
    feed = literal(sweep.lease.feed)
    names = {"feed": feed, "sweep_id": literal(sweep.lease.sweep_id)}
    active = _count(stage, f"SELECT count(*) FROM catalog.feed_products WHERE feed = {feed} AND delisted_at IS NULL")
    for statement in _BEGIN:
        stage.run(statement.format(**names))
    new = _count(stage, "SELECT count(*) FROM began")
    missing = would_end = 0
    held = False
    if sweep.complete:
        stage.run(RESOLVE_PAGES.format(**names))
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


def _already_merged(stage: Stage, lease: SweepLease) -> SweepResult | None:
    """What the sweep came to, if this process merged it already and was not told that it was committed.

    One sweep that is merged twice must not count as two that miss the same products. From here on until the transaction
    ends nobody takes the sweep over.
    """
    rows = stage.run(f"""
        SELECT fence, state, listed, pages, new, missing,
            CASE WHEN state = 'complete' THEN missing - delisted ELSE 0 END, delisted, reason
        FROM ops.sweeps WHERE sweep_id = {literal(lease.sweep_id)} FOR UPDATE
    """)
    if not rows:
        raise ValueError(f"there is no sweep {lease.sweep_id}: it was never opened")
    [(fence, *came_to)] = rows
    if fence != lease.fence:
        raise LeaseLost(lease)
    result = SweepResult(*came_to)
    return None if result.state == "running" else result


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
        WHERE sweep_id = {literal(sweep.lease.sweep_id)}
    """
