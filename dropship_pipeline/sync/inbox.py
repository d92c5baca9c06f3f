"""Draining the inbox of push messages: what is handed over to runs, and what becomes of it when these have ended.

Runs are somebody else's: `drain` is told how each stands and says what should run next. A message is done when a run
that began after it came has succeeded; until then it waits, is handed over, and waits again where the run failed or
vanished. What a message says is never written into a table: whatever it names is fetched. So duplicates, disorder and
messages that never came end in the same tables.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from uuid import uuid4

from dropship_pipeline.alibaba.pushes import PushKind
from dropship_pipeline.storage.ops.inbox import Batch, Settled, hand_over, notice_unknown, open_batches, settle_batch
from dropship_pipeline.storage.server.database import Database

MOST_AT_ONCE: Mapping[PushKind, int] = {PushKind.PRODUCT: 500, PushKind.ORDER: 1_000}
"""Products or orders of one run: some minutes of it."""

COMES_WITHIN = timedelta(minutes=5)
"""A run that nobody knows of so long after it was asked for will not come."""

_PAUSES = (30.0, 1_800.0)  # seconds, after the first failed run of a message and at the most


class RunState(Enum):
    """How the run of a batch stands."""

    GOING = auto()  # or queued
    SUCCEEDED = auto()
    FAILED = auto()
    MISSING = auto()  # there is no such run, or not yet


@dataclass(frozen=True, slots=True)
class Drained:
    """What one look at the inbox came to.

    `to_run`: batches that were handed over just now. `going`: batches whose runs have not ended. `unknown`: messages
    of kinds that nobody knows, by their events, where these came for the first time.
    """

    to_run: tuple[Batch, ...] = ()
    going: tuple[Batch, ...] = ()
    settled: Settled = field(default_factory=Settled)
    unknown: Mapping[str, int] = field(default_factory=dict)


def drain(database: Database, run_of: Callable[[Batch], RunState], now: datetime | None = None) -> Drained:
    """Settle what has ended, then hand over what waits: one batch of each kind, where none of that kind still goes.

    `now`: UTC, the time of this moment by default. Raises `DatabaseProblem`; what was committed until then stands.
    """
    now = now or datetime.now(UTC)
    ended, going = [], []
    for batch in open_batches(database):
        state = run_of(batch)
        if state is RunState.GOING or (state is RunState.MISSING and now - batch.handed_over_at < COMES_WITHIN):
            going.append(batch)
        else:
            ended.append(_settle(database, batch, state, now))
    free = {kind: most for kind, most in MOST_AT_ONCE.items() if all(batch.kind is not kind for batch in going)}
    to_run = [hand_over(database, kind, str(uuid4()), now, most) for kind, most in free.items()]
    return Drained(tuple(filter(None, to_run)), tuple(going), _sum(ended), notice_unknown(database, now))


def _settle(database: Database, batch: Batch, state: RunState, now: datetime) -> Settled:
    succeeded = state is RunState.SUCCEEDED
    reason = "Its run failed: it is handed over again" if state is RunState.FAILED else "Its run never came"
    return settle_batch(database, batch, succeeded=succeeded, reason=reason, now=now, pauses=_PAUSES)


def _sum(settled: Sequence[Settled]) -> Settled:
    return Settled(sum(s.done for s in settled), sum(s.dead for s in settled), sum(s.again for s in settled))
