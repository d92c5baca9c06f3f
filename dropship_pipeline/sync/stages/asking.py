"""`Asking`: products asked for, several a call where the gateway takes that, and one a call where it does not.

What a gateway takes is found out by asking it, for each stage anew, and so is every product that a batch answer leaves
unsettled: alone. What an answer means is in `landing`, how it is carried in `alibaba.fanout`.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from dropship_pipeline.alibaba.errors import ApiError, Permanent, Refused, Throttled
from dropship_pipeline.alibaba.fanout import FanOut
from dropship_pipeline.alibaba.outcomes import Answered, Flow, Outcome, single
from dropship_pipeline.alibaba.requests import BatchRead, Request
from dropship_pipeline.storage.lake.raw import RawAnswer
from dropship_pipeline.sync.progress import Progress
from dropship_pipeline.sync.stages.landing import Settled, settled

_TRIES = 2
"""Batches that come to nothing before one was answered: each may have cost a minute of patience."""

# the request was too long, or the answer would be: of fewer products neither is
_TOO_MANY = frozenset(
    {"MissingParameter", "InvalidParameter", "AnswerTooLarge", "HTTP 400", "HTTP 413", "HTTP 414", "HTTP 431"}
)


@dataclass(frozen=True, slots=True)
class Told:
    """What came of some calls: answers that settle a product each, failures that leave one due, and what to land."""

    answers: list[Settled]
    failures: list[ApiError]
    raw: list[RawAnswer]


class Asking:
    """The products of one stage. `singly`, `together`: the requests; `most`: products a call, 1 for no batches.

    Lives in the thread of its caller. Products that a batch leaves unsettled are asked for alone, before any other.
    """

    def __init__(
        self,
        fanout: FanOut,
        progress: Progress,
        singly: Callable[[str], Request],
        together: Callable[[Sequence[str]], BatchRead],
        most: int,
    ) -> None:
        self._fanout = fanout
        self._progress = progress
        self._singly = singly
        self._together = together
        self._most = most
        self._taken = 0  # the largest batch that was answered
        self._in_vain = 0
        self._alone: deque[str] = deque()
        self._fewer: deque[tuple[str, ...]] = deque()
        self._more = True

    def ask(self, products: Iterable[str], hand_over: int) -> Iterator[Told]:
        """Ask for all of them; hands over as `FanOut.run_flows` does, and raises as it does.

        No more than `hand_over` products are under way, or answered and not handed over.
        """
        source = iter(products)
        while self._more or self._alone or self._fewer:
            size = min(self._most, hand_over)
            flows = self._flows(source, size)
            for outcomes in self._fanout.run_flows(flows, hand_over // size):
                yield self._told(outcomes)

    def alone(self, products: Iterable[str]) -> None:
        """Products that were asked for together and could not be read: ask for each of them alone."""
        self._alone.extend(products)

    def _flows(self, source: Iterator[str], size: int) -> Iterator[Flow[Outcome]]:
        """What to ask, as long as it is right to ask in this size: until one batch was answered it is one at a time."""
        while size <= self._most:
            request = self._next(source, size)
            if request is None:
                return
            yield single(request)
            if isinstance(request, BatchRead) and not self._taken:
                return

    def _next(self, source: Iterator[str], size: int) -> Request | None:
        if self._alone:
            return self._singly(self._alone.popleft())
        if self._fewer:
            together, rest = self._fewer[0][: self._most], self._fewer.popleft()[self._most :]
            if rest:
                self._fewer.appendleft(rest)
        else:
            together = tuple(islice(source, size))
        if len(together) > 1:
            return self._together(together)
        if together:
            return self._singly(together[0])
        self._more = False
        return None

    def _told(self, outcomes: Iterable[Outcome]) -> Told:
        alone: list[Outcome] = []
        told = Told([], [], [])
        for outcome in outcomes:
            request = outcome.request
            if not isinstance(request, BatchRead):
                alone.append(outcome)
            elif isinstance(outcome, Answered):
                answers, _, raw = settled([outcome])
                self._answered(request, answers)
                told.answers.extend(answers)
                told.raw.extend(raw)
            else:
                told.failures.extend(self._failed(request, outcome.error))
        answers, failures, raw = settled(alone)
        return Told(told.answers + answers, told.failures + failures, told.raw + raw)

    def _answered(self, request: BatchRead, answers: Sequence[Settled]) -> None:
        if answers:
            self._taken = max(self._taken, len(request.product_ids))
        elif not self._taken:
            self._came_to_nothing(request, "the answer holds no product")
        of = {answer.key for answer in answers}
        self._alone.extend(product_id for product_id in request.product_ids if product_id not in of)

    def _failed(self, request: BatchRead, error: ApiError) -> list[ApiError]:
        """Decide how its products are asked for instead; gives the errors of those that stay due."""
        if isinstance(error, Throttled):
            return [error] * len(request.product_ids)
        if isinstance(error, Refused) or error.code in _TOO_MANY:
            self._refused(request, error.code)
            return []
        self._alone.extend(request.product_ids)
        if isinstance(error, Permanent):
            self._end_batches(request, error.code)
        elif not self._taken:
            self._came_to_nothing(request, error.code)
        return []

    def _refused(self, request: BatchRead, code: str) -> None:
        """Ask for its halves. Unless batches as large were answered before, none will be as large any more."""
        count, half = len(request.product_ids), len(request.product_ids) // 2
        if half > 1 and self._most > 1:
            self._fewer += (request.product_ids[:half], request.product_ids[half:])
        else:
            self._alone.extend(request.product_ids)
        if self._taken < count <= self._most:
            fewer = max(half, self._taken)
            if fewer == 1:
                self._end_batches(request, code)
            else:
                self._most = fewer
                self._progress.note(
                    f"Alibaba.com refuses {count} products a call at {request.operation.path} ({code}): "
                    f"{fewer} are asked for together"
                )

    def _came_to_nothing(self, request: BatchRead, why: str) -> None:
        self._in_vain += 1
        if self._in_vain >= _TRIES:
            self._end_batches(request, why)

    def _end_batches(self, request: BatchRead, why: str) -> None:
        """From now on each product is asked for alone; a person is told once."""
        while self._fewer:
            self._alone.extend(self._fewer.popleft())
        if self._most > 1:
            self._most = 1
            self._progress.note(
                f"Alibaba.com takes no batches at {request.operation.path} ({why}): each product is asked for alone"
            )
