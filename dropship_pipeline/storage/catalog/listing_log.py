"""Memberships as the log of listings tells them: `catalog.feed_products` made what `catalog.listing_changes` says.

Every membership that began or ended is in the log, at the moment at which the row was written: a row that was altered,
or is gone, follows from it. Only the position is not: it comes from the sweeps.
"""

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.storage.server.failures import in_our_words
from dropship_pipeline.storage.server.locks import PATIENCE, Lock, take
from dropship_pipeline.storage.server.staging import Stage
from dropship_pipeline.storage.server.transactions import Transactions
from dropship_pipeline.tables.postgres import literal


@dataclass(frozen=True, slots=True)
class PastSweep:
    """A sweep that came to its end. `state`: complete, incomplete or held; times are UTC; `listed`: products seen."""

    sweep_id: str
    feed: str
    run_id: str
    state: str
    started_at: datetime
    ended_at: datetime
    pages: int
    listed: int


@dataclass(frozen=True, slots=True)
class ToldSweep:
    """A sweep with what it saw (product_id, position). `recorded`: whether `ops.sweeps` has it."""

    sweep: PastSweep
    seen: pa.Table
    recorded: bool


def mend_memberships(database: Database, feed: str, newest_first: Callable[[], Iterable[ToldSweep]]) -> int:
    """Make the memberships of a feed what its log says, each with the position where a sweep saw it last.

    `newest_first` is called again if the transaction has to be. Gives how many rows were written. Raises
    `DatabaseProblem`.
    """

    def work(stage: Stage) -> int:
        for told in newest_first():
            stage.run("DELETE FROM seen")
            stage.load("seen", told.seen)
            began = _BEGAN.format(feed=literal(feed), at=literal(told.sweep.ended_at.isoformat()))
            stage.run(_SEEN_AT + (began if told.sweep.state == "incomplete" else "") + _UNLESS_SEEN_LATER)
        wait_for_turn(stage)
        return mend_from_log(stage, feed)

    with in_our_words(database.address), closing(Transactions(database)) as transactions:
        return transactions.run(prepare_places, work)


def prepare_places(stage: Stage) -> None:
    """Make sure of `seen`, for what a sweep saw, and `places`, from which `mend_from_log` takes the positions."""
    stage.make("seen", "product_id text, position bigint")
    stage.make("places", "product_id text PRIMARY KEY, position bigint")


def wait_for_turn(stage: Stage) -> None:
    """From here on, until the transaction ends, nobody else decides what is listed."""
    stage.run(f"SET LOCAL lock_timeout = '{PATIENCE}'")
    stage.run(take(Lock.OFFER))


def mend_from_log(stage: Stage, feed: str) -> int:
    """Within a transaction: write the memberships that differ from what the log says; how many."""
    stage.run("ANALYZE places")
    return count(stage, _MEND.format(feed=literal(feed)))


def count(stage: Stage, statement: str) -> int:
    """What a statement gives that gives one number."""
    return int(stage.run(statement)[0][0])


# An incomplete sweep gives a position to the memberships that it began, and to no other
_SEEN_AT = "INSERT INTO places (product_id, position) SELECT s.product_id, s.position FROM seen s"
_BEGAN = """
    JOIN catalog.listing_changes l
        ON l.feed = {feed} AND l.product_id = s.product_id AND l.observed_at = {at} AND l.change = 'listed'
"""
_UNLESS_SEEN_LATER = " ON CONFLICT (product_id) DO NOTHING"

# A log that does not know how some membership began was cut off once: the older of the two beginnings stands then.
_MEND = """
    WITH told AS (
        SELECT product_id,
            min(observed_at) FILTER (WHERE change = 'listed') AS first_listed_at,
            max(observed_at) FILTER (WHERE change = 'listed') AS last_listed_at,
            max(observed_at) FILTER (WHERE change = 'delisted') AS last_ended_at
        FROM catalog.listing_changes WHERE feed = {feed} GROUP BY product_id
    ), log AS (
        SELECT NOT EXISTS (
            SELECT FROM catalog.feed_products t LEFT JOIN told USING (product_id)
            WHERE t.feed = {feed} AND told.first_listed_at IS NULL
        ) AS is_whole
    ), target AS (
        SELECT product_id, t.product_id IS NOT NULL AS is_there,
            coalesce(p.position, t.position) AS position, t.position AS old_position,
            CASE WHEN told.product_id IS NULL THEN t.first_listed_at
                WHEN log.is_whole THEN told.first_listed_at
                ELSE coalesce(least(t.first_listed_at, told.first_listed_at), told.last_ended_at)
            END AS first_listed_at,
            coalesce(told.last_listed_at, t.last_listed_at, told.last_ended_at) AS last_listed_at,
            CASE WHEN told.product_id IS NULL THEN t.delisted_at
                WHEN told.last_listed_at IS NULL OR told.last_ended_at > told.last_listed_at
                THEN told.last_ended_at END AS delisted_at,
            t.first_listed_at AS old_first, t.last_listed_at AS old_last, t.delisted_at AS old_delisted
        FROM told
        FULL JOIN (SELECT * FROM catalog.feed_products WHERE feed = {feed}) t USING (product_id)
        LEFT JOIN places p USING (product_id)
        CROSS JOIN log
    ), written AS (
        INSERT INTO catalog.feed_products (feed, product_id, position, first_listed_at, last_listed_at, delisted_at)
        SELECT {feed}, product_id, position, first_listed_at, last_listed_at, delisted_at FROM target
        WHERE NOT is_there OR (position, first_listed_at, last_listed_at, delisted_at)
            IS DISTINCT FROM (old_position, old_first, old_last, old_delisted)
        ON CONFLICT (feed, product_id) DO UPDATE SET
            position = excluded.position, first_listed_at = excluded.first_listed_at,
            last_listed_at = excluded.last_listed_at, delisted_at = excluded.delisted_at
        RETURNING 1
    )
    SELECT count(*) FROM written
"""
