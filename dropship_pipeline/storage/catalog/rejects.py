"""Reading `ops.rejected_records`: what could not be read. The merge writes them, in its transaction."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from dropship_pipeline.storage.server.database import Database

_COUNTS = text("SELECT kind, count(*) AS n FROM ops.rejected_records GROUP BY kind ORDER BY kind")

_LIST = text("""
    SELECT kind, record_key, reason, first_seen_at, last_seen_at, count FROM ops.rejected_records
    ORDER BY last_seen_at DESC, kind, record_key LIMIT :n
""")

_PAYLOAD = text("SELECT payload FROM ops.rejected_records WHERE kind = :kind AND record_key = :record_key")


@dataclass(frozen=True, slots=True)
class Reject:
    """One rejected record without its payload. Times are UTC; `count`: how often it was met."""

    kind: str
    record_key: str
    reason: str
    first_seen_at: datetime
    last_seen_at: datetime
    count: int


def reject_counts(database: Database) -> dict[str, int]:
    """How many there are of each kind: `description`, `inventory`, `freight`, `listing`."""
    with database.begin() as connection:
        return {row.kind: row.n for row in connection.execute(_COUNTS)}


def last_rejects(database: Database, n: int) -> list[Reject]:
    """The `n` that were met last, newest first."""
    with database.begin() as connection:
        return [Reject(*row) for row in connection.execute(_LIST, {"n": n})]


def rejected_payload(database: Database, kind: str, record_key: str) -> str | None:
    """What was answered, shortened if it is very long; None if there is no such record."""
    with database.begin() as connection:
        return connection.execute(_PAYLOAD, {"kind": kind, "record_key": record_key}).scalar_one_or_none()
