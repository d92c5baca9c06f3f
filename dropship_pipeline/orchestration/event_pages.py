"""Reading Dagster's event log page by page with a cursor: nothing twice in the ordinary case, and nothing ever missed.

An event gets its number before it is committed, so that for a moment a higher number can be seen before a lower one.
The cursor therefore stays behind what was newest at the last tick, and names those after it that are dealt with.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg
import orjson

Record = dg.EventLogRecord

KINDS = (dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_SUCCESS, dg.DagsterEventType.ASSET_CHECK_EVALUATION)
"""What is read. A canceled run is no failure: a person, or Ctrl-C, wanted it so."""

PAGE = 1000
"""New events of each kind that a tick reads at most; the next tick goes on from there."""

LOOK_BACK = timedelta(days=1)
"""How far back reading begins without a cursor, or with one that cannot be read."""

_SETTLED = timedelta(seconds=10)  # Dagster commits an event some milliseconds after it got its number

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far the log was read: to event `after`, and the events `seen` behind it; `newest` was the newest at `at`.

    `since`: nothing before that time was read. `ticks_at`: when the ticks of schedules and sensors were last looked at.
    """

    since: datetime
    after: int = 0
    seen: frozenset[int] = frozenset()
    newest: int = 0
    at: datetime = _LONG_AGO
    ticks_at: datetime = _LONG_AGO

    def text(self) -> str:
        """The cursor as Dagster keeps it."""
        times = {"since": self.since, "at": self.at, "ticks_at": self.ticks_at}
        numbers = {"after": self.after, "newest": self.newest, "seen": sorted(self.seen)}
        return orjson.dumps({**numbers, **times}).decode()


def read_cursor(text: str | None, now: datetime) -> Cursor:
    """The cursor of the last tick; one that begins a day ago where there is none, or none that can be read."""
    beginning = Cursor(since=now - LOOK_BACK)
    try:
        told = orjson.loads(text or "null")
        since, at, ticks_at = (datetime.fromisoformat(told[name]) for name in ("since", "at", "ticks_at"))
        cursor = Cursor(since, int(told["after"]), frozenset(map(int, told["seen"])), int(told["newest"]), at, ticks_at)
        # a time without a zone, or one to come, is none that we wrote
        readable = max(since, at, ticks_at) <= now and cursor.after >= 0
    except (ValueError, TypeError, KeyError):
        return beginning
    return cursor if readable else beginning


@dataclass(frozen=True, slots=True)
class Pages:
    """The events of a tick, in the order of their numbers."""

    records: Sequence[Record]
    before: Cursor
    newest: int
    horizon: int  # every event up to here was read
    now: datetime

    def cursor(self, done: int) -> Cursor:
        """The cursor after the first `done` records were dealt with."""
        before = self.before
        dealt_with = before.seen | {record.storage_id for record in self.records[:done]}
        horizon = self.horizon if done == len(self.records) else self.records[done].storage_id - 1
        settled = self.now - before.at >= _SETTLED
        after = max(before.after, min(before.newest, horizon)) if settled else before.after
        return Cursor(
            since=before.since,
            after=after,
            seen=frozenset(number for number in dealt_with if number > after),
            newest=self.newest if settled else before.newest,
            at=self.now if settled else before.at,
            ticks_at=before.ticks_at,
        )


def read_pages(instance: dg.DagsterInstance, cursor: Cursor, now: datetime) -> Pages:
    """What the log has after the cursor, a page at most; one query of an index where nothing was added."""
    storage = instance.event_log_storage
    newest = storage.get_maximum_record_id() or 0
    if newest < cursor.after:  # another log than the cursor's, or its end was tidied away
        cursor = Cursor(since=now - LOOK_BACK, ticks_at=cursor.ticks_at)
    if newest == cursor.newest == cursor.after:
        return Pages([], cursor, newest, newest, now)
    limit = PAGE + len(cursor.seen)  # else a page might hold nothing but what was seen
    pages = [
        storage.get_event_records(
            dg.EventRecordsFilter(
                kind,
                after_cursor=cursor.after,
                after_timestamp=cursor.since.timestamp() if cursor.after == 0 else None,
            ),
            limit=limit,
            ascending=True,
        )
        for kind in KINDS
    ]
    full = [page[-1].storage_id for page in pages if len(page) == limit]
    # events that came since `newest` was asked are there too; they count as seen
    horizon = min(full, default=newest)
    records = [
        record
        for page in pages
        for record in page
        if record.storage_id not in cursor.seen and not (full and record.storage_id > horizon)
    ]
    return Pages(sorted(records, key=lambda record: record.storage_id), cursor, newest, horizon, now)
