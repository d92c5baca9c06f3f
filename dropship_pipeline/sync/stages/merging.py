"""`Merging`: hand-overs are merged in a thread beside while the next is fetched, landed and normalised.

What is handed in was landed before: a kill in the middle of it repeats no call (`pipeline.recover`).
"""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from types import TracebackType

import pyarrow as pa

from dropship_pipeline.catalog.ledger import Ledger
from dropship_pipeline.storage.catalog.merge import MergeCounts, Merger
from dropship_pipeline.storage.lake.raw import RawFile

_AHEAD = 3
"""Hand-overs that are normalised and not merged: one that is under way, and two that wait for it."""

_TOGETHER = 64 << 20
"""Bytes of rows up to which those that wait are merged as one: each transaction has its fixed cost."""

_CANCEL_AGAIN = 0.1  # seconds: what is cancelled between two statements does not notice

Merge = Callable[[Merger, dict[str, pa.Table], pa.Table, pa.Table, list[RawFile]], MergeCounts]


@dataclass(frozen=True, slots=True)
class Normalised:
    """Rows of landed answers, and what is to be recorded of each answer; ready to be merged.

    `done`: the raw files that are merged then. `left`: products that were asked for with others and cannot be read from
    what was answered: nothing is recorded.
    """

    tables: dict[str, pa.Table]
    ledgers: Sequence[Ledger]
    into: Merge
    done: Sequence[RawFile]
    left: Sequence[str] = ()

    @property
    def bytes(self) -> int:
        """What its rows take in memory."""
        return sum(rows.nbytes for rows in self.tables.values())

    def merge(self, merger: Merger) -> MergeCounts:
        """Merge them, in one transaction with the record that it was done."""
        fetches = pa.concat_tables([ledger.fetches() for ledger in self.ledgers])
        rejects = pa.concat_tables([ledger.rejects() for ledger in self.ledgers])
        return self.into(merger, self.tables, fetches, rejects, list(self.done))


def together(batches: Sequence[Normalised]) -> Normalised:
    """All of them as one. A product is in one of them at most."""
    if len(batches) == 1:
        return batches[0]
    return Normalised(
        {name: pa.concat_tables([batch.tables[name] for batch in batches]) for name in batches[0].tables},
        [ledger for batch in batches for ledger in batch.ledgers],
        batches[0].into,
        [file for batch in batches for file in batch.done],
    )


class Merging:
    """A context manager; its users are one thread, which leaves the merger alone meanwhile.

    One merge is under way at a time, in the order in which they are handed in; what waits for it is merged together.
    Each is told to `merged` in the user's thread. An error of one is raised by a later `start`, or at the end, and none
    is begun after it. Left by an error, it lets what was handed in come to its end; left by an interrupt, it has
    Postgres undo what is under way.
    """

    def __init__(self, merger: Merger, merged: Callable[[MergeCounts, Sequence[Ledger]], None]) -> None:
        self._merger = merger
        self._merged = merged
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="merge")
        self._waiting: deque[Normalised] = deque()  # both ends are safe to use from two threads
        self._begun: deque[Future[tuple[MergeCounts, Sequence[Ledger]] | None]] = deque()

    def start(self, batch: Normalised) -> None:
        """Hand one in, once there is room for it."""
        while self._begun and (len(self._begun) >= _AHEAD or self._begun[0].done()):
            self._finish()
        self._waiting.append(batch)
        self._begun.append(self._thread.submit(self._merge))

    def __enter__(self) -> "Merging":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if kind is None or issubclass(kind, Exception):
                while self._begun:
                    self._finish()
        finally:
            self._waiting.clear()
            while not all(future.done() for future in self._begun):
                self._merger.cancel()
                wait(self._begun, _CANCEL_AGAIN)
            self._thread.shutdown()

    def _finish(self) -> None:
        done = self._begun[0].result()
        self._begun.popleft()
        if done is not None:
            self._merged(*done)

    def _merge(self) -> tuple[MergeCounts, Sequence[Ledger]] | None:
        """(in the thread) Merge what waits. None: it was merged with the one before."""
        batches: list[Normalised] = []
        size = 0
        while self._waiting and (not batches or size + self._waiting[0].bytes <= _TOGETHER):
            batch = self._waiting.popleft()
            size += batch.bytes
            batches.append(batch)
        if not batches:
            return None
        batch = together(batches)
        try:
            return batch.merge(self._merger), batch.ledgers
        except BaseException:
            self._waiting.clear()
            raise
