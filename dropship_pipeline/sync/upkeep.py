"""Tidying up, part by part: what each removed, what it freed, and what kept it from doing so.

The parts that need no Dagster are here: the lake, the book-keeping, the space in Postgres. None makes a call.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from dropship_pipeline.counting import counted
from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.lake import raw, snapshots
from dropship_pipeline.storage.lake.place import Lake
from dropship_pipeline.storage.ops.inbox import drop_settled
from dropship_pipeline.storage.ops.upkeep import HISTORY, Freed, drop_history, vacuum
from dropship_pipeline.storage.server.locks import hold
from dropship_pipeline.sync.session import Store

_WAIT = timedelta(seconds=1)

DRAINED_FOR = timedelta(days=30)
"""How long push messages are kept after they are done; dead ones as long as other book-keeping."""


@dataclass(frozen=True, slots=True)
class Part:
    """One thing to tidy up. `removes`: what it counts, in the plural; `one`: one of that."""

    name: str
    removes: str
    one: str
    tidy: Callable[[], Freed]


@dataclass(frozen=True, slots=True)
class Tidied:
    """What became of a part. `problem`: in one line, why it could not be done, or not to its end."""

    part: Part
    freed: Freed = field(default_factory=Freed)
    seconds: float = 0.0
    problem: str | None = None

    def __str__(self) -> str:
        if self.problem is not None:
            return f"{self.part.name}: {self.problem}"
        removed = counted(self.freed.removed, self.part.one, self.part.removes)
        freed = f", {self.freed.bytes / 1e6:,.1f} MB" if self.freed.bytes else ""
        return f"{self.part.name}: {removed}{freed}, {self.seconds:.1f} s"


def parts_of_the_store(store: Store, *, raw_days: int, snapshots_kept: int, history_days: int) -> list[Part]:
    """The lake and the book-keeping: raw answers, snapshots, and what `ops` remembers, each kept for so long."""
    before = datetime.now(UTC) - timedelta(days=history_days)
    return [
        Part("raw", "days of answers", "day of answers", lambda: _raw(store, raw_days)),
        Part("snapshots", "snapshots", "snapshot", lambda: _snapshots(store, snapshots_kept)),
        *(_history(store, table, before) for table in HISTORY),
        Part("webhook_inbox", "messages", "message", lambda: _messages(store, before)),
    ]


def space(store: Store) -> Part:
    """What the others removed, given back: the last part."""
    return Part("vacuum", "tables", "table", lambda: vacuum(store.database))


def tidy_up(store: Store, parts: Iterable[Part]) -> Iterator[Tidied]:
    """Tidy part by part; one that fails does not stop the others.

    Raises `Problem` at the beginning if somebody else is at it.
    """
    held = Problem("Another maintenance is at work", "Wait for it: what it leaves, the next one does")
    with hold(store.database, "maintenance", _WAIT, held):
        for part in parts:
            yield _tidied(part)


def _tidied(part: Part) -> Tidied:
    began = time.monotonic()
    try:
        return Tidied(part, part.tidy(), time.monotonic() - began)
    except Problem as problem:
        return Tidied(part, seconds=time.monotonic() - began, problem=str(problem).rstrip("."))
    except Exception as error:  # whatever it is must not keep the other parts from being done, and is told at the end
        logging.getLogger(__name__).exception("Maintenance: %s", part.name)
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        return Tidied(part, seconds=time.monotonic() - began, problem=f"failed unexpectedly: {reason}")


def _history(store: Store, table: str, before: datetime) -> Part:
    return Part(table, "rows", "row", lambda: drop_history(store.database, table, before))


def _messages(store: Store, dead_before: datetime) -> Freed:
    return drop_settled(store.database, datetime.now(UTC) - DRAINED_FOR, dead_before)


def _raw(store: Store, days: int) -> Freed:
    size = _size(store.lake, raw.expired(store.lake, days))
    return Freed(raw.drop_expired(store.lake, store.database, days), size)


def _snapshots(store: Store, keep: int) -> Freed:
    size = _size(store.lake, snapshots.expired(store.lake, keep))
    return Freed(snapshots.drop_expired(store.database, store.lake, keep), size)


def _size(lake: Lake, folders: Iterable[str]) -> int:
    return sum(lake.size(folder) for folder in folders)
