"""Dead letters, `ops.rejected_records`: found, counted, shown and given up. Merges write and resolve them.

A row is there as long as the last answer about its record could not be read. One that a person discarded stays, and
counts for nothing until its payload changes.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from dropship_pipeline.storage.catalog.batches import REJECTS_SCHEMA
from dropship_pipeline.storage.catalog.reject_sql import WRITE_PAGE
from dropship_pipeline.storage.server.database import Database

RejectRow = tuple[Any, ...]
"""What could not be read, as a merge is told of it: the columns of `REJECTS_SCHEMA`."""

_COLUMNS = """kind, record_key, destination, account, reason, message, attempts, first_seen_at, last_seen_at, raw_file,
    discarded_at, discarded_by"""

_CHOSEN = """
    (:kinds = '{}' OR kind = ANY (:kinds)) AND (:reasons = '{}' OR reason = ANY (:reasons))
    AND (:keys = '{}' OR record_key = ANY (:keys)
        OR concat_ws(' to ', record_key, nullif(destination, '')) = ANY (:keys))
    AND (CAST(:since AS timestamptz) IS NULL OR last_seen_at >= :since)
    AND (CAST(:discarded AS boolean) IS NULL OR (discarded_at IS NOT NULL) = :discarded)
"""

_LIST = text(f"""
    SELECT {_COLUMNS} FROM ops.rejected_records WHERE {_CHOSEN}
    ORDER BY last_seen_at DESC, kind, record_key, destination LIMIT :n
""")  # noqa: S608  texts of ours
_COUNTS = text(f"""
    SELECT kind, reason, count(*), sum(attempts)::bigint, min(first_seen_at), max(last_seen_at)
    FROM ops.rejected_records WHERE {_CHOSEN}
    GROUP BY kind, reason ORDER BY count(*) DESC, kind, reason
""")  # noqa: S608  texts of ours
_PAYLOAD = text("""
    SELECT payload FROM ops.rejected_records
    WHERE (kind, record_key, destination) = (:kind, :record_key, :destination)
""")
_DISCARD = text(f"""
    UPDATE ops.rejected_records SET discarded_at = clock_timestamp(), discarded_by = :by
    WHERE discarded_at IS NULL AND {_CHOSEN}
""")  # noqa: S608  texts of ours
_TAKE_BACK = text(f"""
    UPDATE ops.rejected_records SET discarded_at = NULL, discarded_by = NULL
    WHERE discarded_at IS NOT NULL AND {_CHOSEN}
""")  # noqa: S608  texts of ours

_NOTE_PAGE = text(WRITE_PAGE)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which dead letters: all that fit every part that is given.

    `keys`: as `Reject.name` shows them, or record keys, which stand for every destination. `since`: those whose last
    answer came then or later (UTC). `discarded`: only those that were given up, or only the others; None: both.
    """

    keys: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    since: datetime | None = None
    discarded: bool | None = False

    def parameters(self) -> dict[str, object]:
        """For the statements."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Reject:
    """A dead letter without its payload. Times are UTC; `attempts`: answers in a row that could not be read."""

    kind: str
    record_key: str
    destination: str
    account: str | None
    reason: str
    message: str
    attempts: int
    first_seen_at: datetime
    last_seen_at: datetime
    raw_file: str | None
    discarded_at: datetime | None
    discarded_by: str | None

    @property
    def name(self) -> str:
        """What a person calls it: `1601206892606`, `1601206892606 to US:90001`."""
        return f"{self.record_key} to {self.destination}" if self.destination else self.record_key


@dataclass(frozen=True, slots=True)
class RejectCount:
    """How many dead letters of a kind have the same reason, and what they come to together. Times are UTC."""

    kind: str
    reason: str
    records: int
    attempts: int
    first_seen_at: datetime
    last_seen_at: datetime


def list_rejects(database: Database, chosen: Chosen, limit: int | None = None) -> list[Reject]:
    """At most `limit` of them, those first whose last answer is newest."""
    with database.begin() as connection:
        return [Reject(*row) for row in connection.execute(_LIST, {**chosen.parameters(), "n": limit})]


def count_rejects(database: Database, chosen: Chosen) -> list[RejectCount]:
    """How many there are by kind and reason, the most frequent first."""
    with database.begin() as connection:
        return [RejectCount(*row) for row in connection.execute(_COUNTS, chosen.parameters())]


def rejected_payload(database: Database, reject: Reject) -> str | None:
    """What was answered last, as JSON fit to be shown; None if none is kept, or the record is resolved by now."""
    identity = {"kind": reject.kind, "record_key": reject.record_key, "destination": reject.destination}
    with database.begin() as connection:
        return connection.execute(_PAYLOAD, identity).scalar_one_or_none()


def discard_rejects(database: Database, chosen: Chosen, by: str) -> int:
    """Give them up in the name of `by`; how many were not given up before."""
    with database.begin() as connection:
        return connection.execute(_DISCARD, {**chosen.parameters(), "by": by}).rowcount


def take_back(database: Database, chosen: Chosen) -> int:
    """Let what was given up count again; how many."""
    with database.begin() as connection:
        return connection.execute(_TAKE_BACK, chosen.parameters()).rowcount


def note_pages(connection: Connection, unread: Sequence[RejectRow]) -> None:
    """Note pages of a listing that could not be read; they are resolved when a sweep of the feed is complete."""
    if unread:
        connection.execute(_NOTE_PAGE, [dict(zip(REJECTS_SCHEMA.names, row, strict=True)) for row in unread])


def left_of(database: Database, rejects: Sequence[Reject]) -> list[Reject]:
    """Which of these are still dead letters, as they stand now."""
    if not rejects:
        return []
    known = {(reject.kind, reject.name) for reject in rejects}
    chosen = Chosen(keys=tuple({reject.name for reject in rejects}), discarded=None)
    return [reject for reject in list_rejects(database, chosen) if (reject.kind, reject.name) in known]
