"""The problems that were or are to be told to people: rows of `ops.alerts`; and the book-keeping that shows some.

Reads and writes rows. What becomes of a problem, and what is told of it when, is decided in `sync.alerts`.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from enum import StrEnum

from sqlalchemy import text

from dropship_pipeline.alibaba.values import clean
from dropship_pipeline.storage.server.database import Database


class Kind(StrEnum):
    """What a problem is about."""

    RUN = "run"
    CHECK = "check"
    HELD = "held"
    ACCOUNT = "account"
    TICK = "tick"
    WATCH = "watch"


@dataclass(frozen=True, slots=True)
class Alert:
    """One problem, a row of `ops.alerts`: see there for the columns. Times are UTC."""

    key: str
    kind: Kind
    subject: str
    partitions: str
    title: str
    detail: str
    link: str
    first_at: datetime
    last_at: datetime
    count: int = 1
    returned: int = 0
    sent_at: datetime | None = None
    next_at: datetime | None = None
    attempts: int = 0
    resolved_at: datetime | None = None

    @property
    def told(self) -> bool:
        """Whether somebody was told of it, or would have been if the message had got through."""
        return self.sent_at is not None or self.attempts > 0


@dataclass(frozen=True, slots=True)
class HeldFeed:
    """A feed whose newest sweep to the end is held: when that ended (UTC), and why it is held."""

    feed: str
    ended_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class ClosedAccount:
    """An account that a person has to authorise again: since when (UTC), and why."""

    account: str
    since: datetime
    reason: str


_COLUMNS = ", ".join(field.name for field in fields(Alert))

_LOAD = text(f"""
    SELECT {_COLUMNS} FROM ops.alerts
    WHERE resolved_at IS NULL OR next_at IS NOT NULL OR resolved_at > :since
    ORDER BY first_at, key
""")  # noqa: S608  the names of our own columns

_SAVE = text(f"""
    INSERT INTO ops.alerts ({_COLUMNS})
    SELECT {_COLUMNS} FROM jsonb_populate_recordset(NULL::ops.alerts, CAST(:rows AS jsonb))
    ON CONFLICT (key) DO UPDATE SET
        {", ".join(f"{field.name} = excluded.{field.name}" for field in fields(Alert)[1:])}
""")  # noqa: S608  the names of our own columns

# Each feed's newest by the index on them: there are some hundred thousand sweeps after a year. One that was cut short
# says nothing of the one before that is held.
_HELD = text("""
    SELECT s.feed, coalesce(s.ended_at, s.started_at), coalesce(s.reason, '')
    FROM unnest(CAST(:feeds AS text[])) WITH ORDINALITY f (feed, position) CROSS JOIN LATERAL (
        SELECT feed, state, started_at, ended_at, reason FROM ops.sweeps
        WHERE feed = f.feed AND state IN ('complete', 'held') ORDER BY started_at DESC LIMIT 1
    ) s
    WHERE s.state = 'held'
    ORDER BY f.position
""")

_CLOSED = text("""
    SELECT account, updated_at, coalesce(reason, '') FROM ops.accounts WHERE state = 'reauthorise' ORDER BY account
""")


def load_alerts(database: Database, since: datetime) -> list[Alert]:
    """Those that last, those of which something is still to be told, and those that were over after `since` (UTC)."""
    with database.begin() as connection:
        return [Alert(row.key, Kind(row.kind), *row[2:]) for row in connection.execute(_LOAD, {"since": since})]


def save_alerts(database: Database, alerts: Iterable[Alert]) -> None:
    """Write these rows as they are now, all or none."""
    rows = [
        {name: clean(value) if isinstance(value, str) else value for name, value in asdict(alert).items()}
        for alert in alerts
    ]
    if rows:
        with database.begin() as connection:
            connection.execute(_SAVE, {"rows": json.dumps(rows, default=datetime.isoformat)})


def held_feeds(database: Database, feeds: Sequence[str]) -> list[HeldFeed]:
    """Those of `feeds` whose newest sweep to the end is held, in the order given."""
    with database.begin() as connection:
        return [HeldFeed(*row) for row in connection.execute(_HELD, {"feeds": list(feeds)})]


def closed_accounts(database: Database) -> list[ClosedAccount]:
    """The accounts that have to be authorised again, by name. No token, and no user of Alibaba.com."""
    with database.begin() as connection:
        return [ClosedAccount(*row) for row in connection.execute(_CLOSED)]
