"""The loop that describing and stock-taking share: due, fetch, land, normalise, merge; and what a killed run left.

An answer is landed as it came before it is interpreted; that it was landed, normalised and merged is recorded in the
transaction of the merge. A run that is killed therefore loses nothing that was landed, and repeats at most one batch:
one hand-over of answers is fetched while the one before it is landed and normalised, and a batch is the two (ADR 0004).
Those before, landed long since, are merged meanwhile (`merging`).
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar

import pyarrow as pa

from dropship_pipeline.alibaba.errors import ApiError
from dropship_pipeline.alibaba.operations import Operation
from dropship_pipeline.alibaba.requests import BatchRead, Request
from dropship_pipeline.alibaba.values import Unreadable
from dropship_pipeline.catalog.freshness import MAX_AGES
from dropship_pipeline.catalog.ledger import Ledger
from dropship_pipeline.garbage import give_back
from dropship_pipeline.storage.catalog.fetches import due
from dropship_pipeline.storage.catalog.merge import MergeCounts, Merger
from dropship_pipeline.storage.lake.raw import RawAnswer, RawFile, TornRawFile, read_raw, unmerged
from dropship_pipeline.storage.server.statistics import look_again
from dropship_pipeline.sync.request import SyncRequest
from dropship_pipeline.sync.session import Session
from dropship_pipeline.sync.stages.asking import Asking
from dropship_pipeline.sync.stages.landing import Settled, read_again
from dropship_pipeline.sync.stages.merging import Merge, Merging, Normalised
from dropship_pipeline.sync.summary import CallCounts, StageOutcome

HAND_OVER = 250
"""Answers that are landed and merged together."""

LOST_AND_FOUND = timedelta(days=2)
"""How far back raw files are looked for that a killed run landed and did not merge."""

R = TypeVar("R")
R_contra = TypeVar("R_contra", contravariant=True)


class Rows(Protocol[R_contra]):
    """A builder of rows: takes records in, gives Arrow tables."""

    def add(self, record: R_contra, at: datetime, /) -> None:
        """Take one in, answered at `at` (UTC)."""

    def tables(self) -> dict[str, pa.Table]:
        """The rows by full table name."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[R]):
    """One kind of answer about one product: how it is asked for, read, turned into rows and merged."""

    name: str
    stage: str
    operation: Operation
    ask: Callable[[str], Request]
    ask_together: Callable[[Sequence[str]], BatchRead]
    read: Callable[[object, str], R]
    rows: Callable[[], Rows[R]]
    merge: Merge


@dataclass(slots=True)
class Counter:
    """Adds up what a stage did."""

    session: Session
    stage: str
    outcome: StageOutcome = field(init=False)
    _began: float = field(default_factory=time.monotonic)
    _calls_before: CallCounts = field(init=False)

    def __post_init__(self) -> None:
        self.outcome = StageOutcome(self.stage)
        self._calls_before = self.session.calls()

    def add(self, **counts: int) -> None:
        """Add counts, by the names of `StageOutcome`'s fields."""
        self.outcome = replace(
            self.outcome, **{name: getattr(self.outcome, name) + count for name, count in counts.items()}
        )

    def merged(self, counts: MergeCounts, ledgers: Sequence[Ledger]) -> None:
        """Add what a merge did, of the answers of these ledgers."""
        self.add(
            done=counts.products,
            new=counts.new,
            changed=counts.changed,
            refused=sum(ledger.refused for ledger in ledgers),
            rejected=sum(ledger.rejected for ledger in ledgers) + counts.rejected,
            rows_written=sum(counts.rows_written.values()),
        )

    def failed(self, errors: Sequence[ApiError]) -> None:
        """Count what stays due, and remember why."""
        if errors:
            self.add(undone=len(errors))
            self.outcome = replace(self.outcome, undone_reason=errors[-1].what)

    def finish(self) -> StageOutcome:
        """The stage is over: it goes into the summary."""
        if self.outcome.rows_written:
            look_again(self.session.database)
        self.outcome = replace(
            self.outcome,
            calls=self.session.calls() - self._calls_before,
            seconds=time.monotonic() - self._began,
        )
        self.session.summary.stages.append(self.outcome)
        give_back()
        return self.outcome


def run_stage(session: Session, kind: Kind[R], request: SyncRequest) -> StageOutcome:
    """Read everything of this kind that is due, batch by batch; memory stays that of a batch, whatever is due."""
    counter = Counter(session, kind.stage)
    recover(session, kind, counter)
    with due(
        session.database,
        kind.name,
        max_age=request.max_age if request.max_age is not None else MAX_AGES[kind.name],
        feeds=request.feeds or None,
        product_ids=request.product_ids or None,
        limit=request.limit,
        force=request.force or bool(request.product_ids),
    ) as products:
        counter.add(due=products.count)
        session.progress.begin(kind.stage, products.count)
        most = session.settings.alibaba_batch_size
        asking = Asking(session.fanout, session.progress, kind.ask, kind.ask_together, most)
        with Merging(session.merger, counter.merged) as merging:
            for told in asking.ask((product.product_id for product in products), HAND_OVER):
                counter.failed(told.failures)
                left: Sequence[str] = ()
                if told.raw:
                    file = session.raw.land(kind.name, session.run_id, told.raw)
                    batch = normalise(kind, told.answers, file.path, [file])
                    left = batch.left
                    merging.start(batch)
                asking.alone(left)
                session.progress.advance(len(told.answers) + len(told.failures) - len(left))
    session.progress.finish()
    return counter.finish()


def recover(session: Session, kind: Kind[R], counter: Counter) -> None:
    """Merge what a killed run landed and did not merge: no call is made for it."""
    for file, landed in lost_and_found(session, kind.name):
        answers = read_again(kind.operation, landed)
        counts, ledger = settle(session.merger, kind, answers, file.path, [file])
        counter.merged(counts, [ledger])
        counter.add(recovered=len(answers))


def lost_and_found(session: Session, kind: str) -> Iterator[tuple[RawFile, list[RawAnswer]]]:
    """The raw files of a kind that a killed run landed and did not merge. A torn one is set aside, and said."""
    for file in unmerged(session.database, session.lake, kind, LOST_AND_FOUND):
        try:
            yield file, read_raw(session.lake, file.path)
        except TornRawFile as torn:
            session.progress.note(str(torn))


def normalise(kind: Kind[R], answers: Iterable[Settled], landed_in: str, done: Sequence[RawFile]) -> Normalised:
    """The rows of answers that were landed in this file; `done` files are merged with them."""
    ledger = Ledger(kind.name, landed_in)
    rows = kind.rows()
    left: list[str] = []
    for answer in answers:
        if answer.refusal is not None:
            ledger.refuse(answer.key, answer.received_at, answer.refusal.code)
            continue
        try:
            rows.add(kind.read(answer.payload, answer.key), answer.received_at)
        except Unreadable as why:
            if answer.together:
                left.append(answer.key)
            else:
                ledger.reject(answer.key, answer.received_at, why, answer.payload)
        else:
            ledger.answered(answer.key, answer.received_at, answer.payload)
    return Normalised(rows.tables(), [ledger], kind.merge, done, left)


def settle(
    merger: Merger, kind: Kind[R], answers: Iterable[Settled], landed_in: str, done: Sequence[RawFile]
) -> tuple[MergeCounts, Ledger]:
    """Normalise answers that were landed in a file, and merge them; `done` files are recorded as merged."""
    batch = normalise(kind, answers, landed_in, done)
    return batch.merge(merger), batch.ledgers[0]
