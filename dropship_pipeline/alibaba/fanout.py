"""`FanOut`: many reads at once over `aiohttp`, handed over in batches to a caller that knows nothing of event loops.

An event loop in a thread of its own carries the bytes; the caller's thread hands in requests and takes outcomes. The
flow of a call is in `protocol`; which request follows which outcome is the caller's (`run_flows`).
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from dropship_pipeline.alibaba.errors import Outage, Permanent, Refused
from dropship_pipeline.alibaba.gateway import Gateway
from dropship_pipeline.alibaba.outcomes import Answered, Flow, Outcome, single
from dropship_pipeline.alibaba.requests import Request
from dropship_pipeline.alibaba.transport_aiohttp import ConcurrentCalls

T = TypeVar("T")

FAILURES_OF_AN_OUTAGE = 20
"""So many calls in a row that failed whatever was tried: the rest would fail likewise."""


class OutOfTime(Exception):
    """The time that was given is over; calls that were under way were dropped."""


class FanOut:
    """A context manager that owns the event loop and its connections. One caller's thread at a time may use it.

    `concurrency`: flows under way at once. The call budget of the gateway decides how fast they go.
    """

    def __init__(self, gateway: Gateway, concurrency: int = 64) -> None:
        self._gateway = gateway
        self._concurrency = concurrency
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._calls: ConcurrentCalls | None = None

    def __repr__(self) -> str:
        return f"FanOut({self._gateway!r}, concurrency={self._concurrency})"

    def __enter__(self) -> "FanOut":
        self._loop = loop = _new_event_loop()
        self._thread = threading.Thread(target=loop.run_forever, name="fan-out", daemon=True)
        self._thread.start()
        self._calls = asyncio.run_coroutine_threadsafe(ConcurrentCalls.open(self._gateway), loop).result()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._loop is None or self._thread is None or self._calls is None:
            return
        asyncio.run_coroutine_threadsafe(_shut_down(self._calls), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._loop = self._thread = self._calls = None

    def batches(self, requests: Iterable[Request], size: int, seconds: float | None = None) -> Iterator[list[Outcome]]:
        """The outcomes of `requests`, in the order in which they come, in batches: see `run_flows`."""
        return self.run_flows((single(request) for request in requests), size, seconds)

    def map(self, requests: Iterable[Request]) -> list[Outcome]:
        """The outcomes of a few requests, in the order of the requests."""
        found: dict[int, Outcome] = {}
        numbered = (_numbered(number, request) for number, request in enumerate(requests))
        for batch in self.run_flows(numbered, 10 * self._concurrency):
            found.update(batch)
        return [found[number] for number in sorted(found)]

    def run_flows(self, flows: Iterable[Flow[T]], size: int, seconds: float | None = None) -> Iterator[list[T]]:
        """The results of `flows` in batches of at most `size`, in the order in which they end.

        Pulls flows lazily, in the caller's thread. Never more than `size` are under way, or ended and not handed over:
        while the caller works on a batch the next one is read, and a kill loses no more than that. So that the
        connections never idle, a batch is handed over before its stragglers are in: it may be smaller than `size` by
        the concurrency.

        Raises, once what was ended before is handed over: the error of a call where every other would fail likewise
        (signature, token, unreachable host), Outage, whatever a flow itself raises, and OutOfTime where it takes more
        than `seconds` from now.
        """
        if self._loop is None or self._calls is None:
            raise RuntimeError("FanOut is used outside its with block")
        until = None if seconds is None else time.monotonic() + seconds
        run = _Run[T](self._loop, self._calls, self._concurrency, size, until)
        return run.batches(iter(flows))


def _new_event_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop  # noqa: PLC0415 - half of the platforms that run this have none
    except ImportError:  # Windows has none
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


async def _shut_down(calls: ConcurrentCalls) -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await calls.close()
    await asyncio.get_running_loop().shutdown_default_executor()


def _numbered(number: int, request: Request) -> Flow[tuple[int, Outcome]]:
    return number, (yield request)


class _Run(Generic[T]):
    """One `run_flows`. What is marked (loop) runs in the event loop's thread, all else in the caller's."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        calls: ConcurrentCalls,
        concurrency: int,
        size: int,
        until: float | None,
    ) -> None:
        self._until = until
        self._loop = loop
        self._calls = calls
        self._concurrency = concurrency
        self._size = size
        self._enough = size - min(concurrency, size // 2)
        self._changed = threading.Condition()
        self._waiting: deque[Flow[T]] = deque()
        self._ended: list[T] = []
        self._wanted = 0  # so many results wake the caller up: to wake it for each would cost as much as the call
        self._outstanding = 0  # handed in and not handed over
        self._error: BaseException | None = None
        self._workers: set[asyncio.Task[None]] = set()  # at work: each takes itself out, last thing that it does
        self._failures_in_a_row = 0

    def batches(self, flows: Iterator[Flow[T]]) -> Iterator[list[T]]:
        try:
            more = self._feed(flows)
            while self._outstanding:
                batch, error = self._take(more)
                self._outstanding -= len(batch)
                if error is None:
                    more = more and self._feed(flows)
                if batch:
                    yield batch
                if error is not None:
                    raise error
        finally:
            if not self._loop.is_closed():
                asyncio.run_coroutine_threadsafe(self._cancel(), self._loop).result()

    def _feed(self, flows: Iterator[Flow[T]]) -> bool:
        """Hand flows in up to the size of a batch. False once there are no more."""
        fed = 0
        more = True
        while more and self._outstanding < self._size:
            flow = next(flows, None)
            if flow is None:
                more = False
            else:
                self._waiting.append(flow)
                self._outstanding += 1
                fed += 1
            if fed == self._concurrency or (fed and (not more or self._outstanding == self._size)):
                self._loop.call_soon_threadsafe(self._start_workers)
                fed = 0
        return more

    def _take(self, more: bool) -> tuple[list[T], BaseException | None]:
        """Wait for a batch, or for the error that ended the run; there may be results to hand over before it."""
        with self._changed:
            self._wanted = self._enough if more else self._outstanding
            left = None if self._until is None else max(0.0, self._until - time.monotonic())
            if not self._changed.wait_for(lambda: len(self._ended) >= self._wanted or self._error is not None, left):
                self._error = OutOfTime()
            batch, self._ended = self._ended, []
            return batch, self._error

    def _start_workers(self) -> None:  # (loop)
        idle = self._concurrency - len(self._workers)
        try:
            for _ in range(min(idle, len(self._waiting))):
                self._start_worker()
        except MemoryError as error:  # from here it would only be logged, and whoever waits would wait for ever
            self._fail(error)

    def _start_worker(self) -> None:  # (loop)
        work = self._work()
        try:
            self._workers.add(self._loop.create_task(work))
        except MemoryError:
            work.close()
            raise

    async def _work(self) -> None:  # (loop)
        try:
            while self._waiting:
                flow = self._waiting.popleft()
                try:
                    result = await self._run(flow)
                finally:
                    flow.close()
                with self._changed:
                    self._ended.append(result)
                    if len(self._ended) >= self._wanted:
                        self._changed.notify()
        except asyncio.CancelledError:
            self._fail(RuntimeError("FanOut was left while calls were under way"))
        except BaseException as error:  # noqa: BLE001 - of whatever kind, it is raised in the caller's thread
            self._fail(error)
        finally:
            self._workers.discard(asyncio.current_task())

    async def _run(self, flow: Flow[T]) -> T:  # (loop)
        try:
            request = next(flow)
            while True:
                outcome = await self._calls.outcome(request)
                self._watch(outcome)
                request = flow.send(outcome)
        except StopIteration as stop:
            result: T = stop.value
            return result

    def _watch(self, outcome: Outcome) -> None:  # (loop)
        if isinstance(outcome, Answered) or isinstance(outcome.error, Refused):
            self._failures_in_a_row = 0
            return
        batch = outcome.request.operation.batch
        if outcome.error.fatal and not (batch and isinstance(outcome.error, Permanent)):
            raise outcome.error
        if batch:  # whoever asked asks for each product alone, and those calls are watched
            return
        self._failures_in_a_row += 1
        if self._failures_in_a_row >= FAILURES_OF_AN_OUTAGE:
            raise Outage(self._failures_in_a_row, outcome.error)

    def _fail(self, error: BaseException) -> None:  # (loop)
        with self._changed:
            if self._error is None:
                self._error = error
            self._changed.notify()
        self._waiting.clear()
        for worker in self._workers - {asyncio.current_task()}:
            worker.cancel()

    async def _cancel(self) -> None:  # (loop)
        self._waiting.clear()
        workers = list(self._workers)
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
