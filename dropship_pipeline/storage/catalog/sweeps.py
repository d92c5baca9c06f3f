"""Sweeps as rows of `ops.sweeps`: begun, taken over, given up; and who may still write for one, by a fencing number.

Whoever reads a feed holds a lease on its sweep. Each time that somebody else takes the sweep over or begins another,
its `fence` moves on, and what is written for it names the fence in the same transaction: a process that was stopped for
however long cannot write over what came after it. What a sweep does to the memberships is in `memberships.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.catalog.rejects import RejectRow, note_pages
from dropship_pipeline.storage.lake.raw import RawFile, record
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.storage.server.locks import OURS


@dataclass(frozen=True, slots=True)
class SweepLease:
    """The right to write for a sweep, until somebody else has it: then `fence` is not the row's any more.

    `page_size`: how many products are asked for a page. Pages of two sizes are no pages of one sweep.
    """

    sweep_id: str
    feed: str
    fence: int
    page_size: int


class LeaseLost(Problem):
    """Somebody else reads the feed now. Nothing was written."""

    def __init__(self, lease: SweepLease) -> None:
        super().__init__(
            f"Another run has taken over the reading of feed {lease.feed}",
            "What it reads is in the tables when it is done: run the sync again if anything is missing then",
        )


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


# Two that begin at once must see each other: the second gives up the sweep of the first
_ONE_BY_ONE = text("SELECT pg_advisory_xact_lock(:ours, hashtext('sweep of ' || :feed))")
_OPEN = text("""
    INSERT INTO ops.sweeps
        (sweep_id, feed, run_id, state, started_at, pages, listed, new, missing, delisted, fence, renewed_at,
        page_size)
    VALUES (:sweep_id, :feed, :run_id, 'running', clock_timestamp(), 0, 0, 0, 0, 0, 1, clock_timestamp(), :page_size)
""")
_GIVE_UP_OLDER = text("""
    UPDATE ops.sweeps
    SET state = 'incomplete', ended_at = clock_timestamp(), reason = 'cut short', fence = coalesce(fence, 0) + 1
    WHERE feed = :feed AND state = 'running'
""")
_TAKE_OVER = text("""
    UPDATE ops.sweeps SET fence = coalesce(fence, 0) + 1, renewed_at = clock_timestamp()
    WHERE state = 'running' AND sweep_id = (
        SELECT sweep_id FROM ops.sweeps
        WHERE feed = :feed AND state = 'running' AND page_size IS NOT NULL AND started_at > now() - :within
        ORDER BY started_at DESC LIMIT 1
    )
    RETURNING sweep_id, feed, fence, page_size
""")
_RENEW = text("""
    UPDATE ops.sweeps SET renewed_at = clock_timestamp()
    WHERE sweep_id = :sweep_id AND fence = :fence AND state = 'running'
""")
_IS_STIRRING = text("""
    SELECT EXISTS (
        SELECT FROM ops.sweeps WHERE feed = :feed AND coalesce(ended_at, renewed_at) > clock_timestamp() - :within
    )
""")
# The newest sweep of the feed, if it left nothing open, and no sync has come to its end since or it ended just now
_FINISHED = text("""
    SELECT state, listed, pages, new, missing, 0 AS missed_once, delisted, reason
    FROM (SELECT * FROM ops.sweeps WHERE feed = :feed ORDER BY started_at DESC LIMIT 1) AS s
    WHERE state IN ('complete', 'held') AND ended_at > now() - :within
        AND (state = 'held' OR missing = 0 OR delisted > 0)
        AND (s.ended_at >= :since OR NOT EXISTS (SELECT FROM ops.syncs WHERE syncs.ended_at >= s.ended_at))
""")
_STATES = text("""
    SELECT DISTINCT ON (feed) feed, state FROM ops.sweeps
    WHERE feed = ANY (:feeds) AND ended_at >= :since ORDER BY feed, started_at DESC
""")


def open_sweep(database: Database, feed: str, run_id: str, page_size: int) -> SweepLease:
    """Note that a sweep begins. One of the feed that is still running was cut short: nobody writes for it any more."""
    with database.begin() as connection:
        connection.execute(_ONE_BY_ONE, {"ours": OURS, "feed": feed})
        sweep_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{feed}"
        connection.execute(_GIVE_UP_OLDER, {"feed": feed})
        connection.execute(_OPEN, {"sweep_id": sweep_id, "feed": feed, "run_id": run_id, "page_size": page_size})
    return SweepLease(sweep_id, feed, 1, page_size)


def take_over(database: Database, feed: str, within: timedelta) -> SweepLease | None:
    """The sweep of the feed that was cut short `within` this time, from now on ours; None if there is none."""
    with database.begin() as connection:
        row = connection.execute(_TAKE_OVER, {"feed": feed, "within": within}).one_or_none()
    return None if row is None else SweepLease(*row)


def record_pages(database: Database, lease: SweepLease, file: RawFile, unread: Sequence[RejectRow] = ()) -> None:
    """Note in `ops.raw_files` that pages of the sweep were landed, and those of them that could not be read.

    Raises `LeaseLost`, having noted nothing.
    """
    with database.begin() as connection:
        if not connection.execute(_RENEW, {"sweep_id": lease.sweep_id, "fence": lease.fence}).rowcount:
            raise LeaseLost(lease)
        record(connection, file)
        note_pages(connection, unread)


def is_stirring(database: Database, feed: str, within: timedelta) -> bool:
    """Whether anybody has begun, continued or ended a sweep of the feed `within` this time."""
    with database.begin() as connection:
        return bool(connection.execute(_IS_STIRRING, {"feed": feed, "within": within}).scalar_one())


def finished_sweep(database: Database, feed: str, within: timedelta, since: datetime) -> SweepResult | None:
    """What the feed's last sweep came to, if there is no need for another.

    It ended `since` then (UTC), or belongs to a sync that goes on, or was killed `within` this time.
    """
    with database.begin() as connection:
        row = connection.execute(_FINISHED, {"feed": feed, "within": within, "since": since}).first()
    return None if row is None else SweepResult(*row)


def sweep_states(database: Database, feeds: Sequence[str], since: datetime) -> dict[str, str]:
    """How the newest sweep of each of these feeds ended, of those that ended since then (UTC)."""
    with database.begin() as connection:
        return {row.feed: row.state for row in connection.execute(_STATES, {"feeds": list(feeds), "since": since})}
