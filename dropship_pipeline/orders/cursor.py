"""Where following the orders has got to: which changes to ask the list for next. Pure: no clock, no I/O.

The list is asked for what was modified since the newest change that it has shown, less an overlap: it may show a change
late. There is no upper bound, for an order that is modified while the pages are read would leave the selection and
shift the others. Only a reading that would take longer than the time that there is, is cut into windows.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta

FIRST_LOOK_BACK = timedelta(days=7)
"""How far back the first reading goes. What is older is for the reconciliation of days."""

OVERLAP = timedelta(minutes=15)
"""How late the list may show a change."""

SETTLED = timedelta(hours=3)
"""Only what is older than this is read in windows: clocks differ, by two hours at most (guide: the signature's)."""

SHORTEST_WINDOW = timedelta(minutes=1)
_FASTER, _SLOWER = 2, 4
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Cursor:
    """`since`: changes before it were all seen (UTC). `window`: how much is read at once; None: everything since."""

    since: datetime
    window: timedelta | None = None

    def bounds(self, now: datetime) -> tuple[datetime, datetime | None]:
        """From when and until when, both inclusive, the list is asked for (UTC); None: no bound."""
        start = self.since - OVERLAP
        if self.window is None or self.since + self.window >= now - SETTLED:
            return start, None
        return start, self.since + self.window

    def after(self, now: datetime, newest: datetime | None, *, complete: bool) -> "Cursor":
        """The cursor after a reading that began at `now` (UTC) and saw `newest` as the latest time of change.

        It never goes back, and never past `now`, however far in the future somebody's clock or a garbled time lies.
        """
        end = self.bounds(now)[1]
        if not complete:
            span = end - self.since if end else now - self.since
            return replace(self, window=max(span / _SLOWER, SHORTEST_WINDOW))
        if end is not None and self.window is not None:
            return Cursor(end, self.window * _FASTER)
        return Cursor(max(self.since, min(now, newest or self.since)))


def read_cursor(text: str | None, now: datetime, newest_known: datetime | None = None) -> Cursor:
    """A cursor that was written. One that cannot be read, or is of the future, starts over: `FIRST_LOOK_BACK` ago, or
    where the newest change lies that the tables know of, if that is longer ago. All times are UTC.
    """
    afresh = Cursor(min(now - FIRST_LOOK_BACK, newest_known or now))
    try:
        said = json.loads(text or "")
        since = datetime.fromisoformat(said["since"]).astimezone(UTC)
        window = None if said["window_s"] is None else timedelta(seconds=float(said["window_s"]))
    except (ValueError, TypeError, KeyError, OverflowError):
        return afresh
    sound = _EARLIEST <= since <= now and (window is None or SHORTEST_WINDOW <= window <= now - _EARLIEST)
    return Cursor(since, window) if sound else afresh


def write_cursor(cursor: Cursor) -> str:
    """The cursor as text."""
    window = None if cursor.window is None else cursor.window.total_seconds()
    return json.dumps({"since": cursor.since.isoformat(), "window_s": window})


@dataclass(frozen=True, slots=True)
class Followed:
    """Where following one account has got to: a cursor as text, and whose orders it is of; None: not known."""

    cursor: str
    user: str | None = None

    def cursor_for(self, user: str | None) -> str | None:
        """The cursor, unless the account has become another buyer's: what that one ordered before is not followed."""
        return None if None not in (user, self.user) and user != self.user else self.cursor


def read_cursors(text: str | None) -> dict[str, Followed]:
    """The cursors of several accounts, by name. What cannot be read is left out: that account starts over."""
    try:
        said = json.loads(text or "")
    except ValueError:
        return {}
    cursors = said.get("accounts") if isinstance(said, dict) else None
    return {
        account: Followed(one["cursor"], one.get("user"))
        for account, one in (cursors.items() if isinstance(cursors, dict) else ())
        if isinstance(one, dict) and isinstance(one.get("cursor"), str) and isinstance(one.get("user"), str | None)
    }


def write_cursors(cursors: Mapping[str, Followed]) -> str:
    """The cursors as text."""
    return json.dumps({"accounts": {account: asdict(one) for account, one in sorted(cursors.items())}})
