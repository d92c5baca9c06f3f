"""Keeps a group of services running: started one after the other, restarted when they die, ended in reverse order.

Which services these are is in `table.py`. Decided here: how often one may die, and what happens to a signal.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from signal import SIG_IGN, SIGHUP, SIGINT, SIGKILL, SIGTERM, getsignal, signal
from types import FrameType

from dropship_pipeline.problem import Problem
from dropship_pipeline.services.guard import Guard
from dropship_pipeline.services.output import Output
from dropship_pipeline.services.process import Process
from dropship_pipeline.services.service import Service

WINDOW = 60.0  # seconds
MOST_ENDS = 4  # within that window; the last one ends the group
PAUSES = (0.1, 1.0, 2.0)  # seconds before it is started again for the first, second, third time
_PROBE_EVERY = 0.1
_FORGET_EVERY = 30.0


@dataclass(frozen=True, slots=True)
class _Stop:
    """Somebody wants the group to end."""

    why: str
    hurry: bool


@dataclass(frozen=True, slots=True)
class _Ended:
    """A process is over."""

    process: Process


@dataclass(frozen=True, slots=True)
class _Unwatched:
    """The watcher is over."""


_Event = _Stop | _Ended | _Unwatched


class _Stopped(Exception):
    """The way out of whatever goes on, to the end of the group."""


class _DiedStarting(Exception):
    """A process ended before it was ready."""


class Supervisor:
    """One group of services, run once."""

    def __init__(self, services: Sequence[Service], folders: Sequence[Path], lock: int) -> None:
        """`folders` are removed at the end, however that comes; the file `lock` stays locked until then."""
        self._services = services
        self._folders = folders
        self._lock = lock
        self._events: SimpleQueue[_Event] = SimpleQueue()
        self._running: dict[str, Process] = {}
        self._left_behind: list[Process] = []  # dead ones of which something goes on
        self._ends: dict[str, deque[float]] = {service.name: deque() for service in services}
        self._hurry = False

    def run(self, output: Output, started: Callable[[], None]) -> None:
        """Start the services, call `started`, and keep them running until a signal comes; then end them.

        Raises `Problem` when one does not start, or dies again and again: with all of them ended.
        """
        self._output = output
        with self._signals():
            self._watch()
            try:
                for service in self._services:
                    self._start(service)
                started()
                while True:
                    self._handle(self._next(_FORGET_EVERY))
            except _Stopped:
                pass
            finally:
                self._end_all()

    def said(self, name: str) -> Sequence[str]:
        """What a service has said, the last lines of it."""
        return list(self._running[name].lines)

    def stop(self, why: str, *, hurry: bool = False) -> None:
        """Have the group end; from any thread or signal handler."""
        self._events.put(_Stop(why, hurry))

    def nobody_reads(self) -> None:
        """Have the group end because its log goes nowhere: the terminal is gone, or what it was piped to."""
        self.stop("nobody reads this any more")

    # What happens

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Signals as events. Set before any service starts: a signal that is ignored here is ignored there too."""
        names = {SIGINT: "Ctrl-C", SIGTERM: "SIGTERM", SIGHUP: "the terminal was closed"}
        before = {number: getsignal(number) for number in names}
        for number, why in names.items():
            if number is SIGHUP and before[number] == SIG_IGN:
                continue  # nohup
            signal(number, self._stopper(why, hurry=number is SIGINT))
        try:
            yield
        finally:
            for number, handler in before.items():
                signal(number, handler)

    def _stopper(self, why: str, *, hurry: bool) -> Callable[[int, FrameType | None], None]:
        return lambda _number, _frame: self.stop(why, hurry=hurry)

    def _next(self, seconds: float) -> _Event | None:
        with suppress(Empty):
            return self._events.get(timeout=seconds)
        return None

    def _handle(self, event: _Event | None) -> None:
        match event:
            case _Stop():
                self._say(f"Stopping: {event.why}")
                raise _Stopped
            case _Ended(process) if self._running.get(process.service.name) is process:
                self._revive(process)
            case _Unwatched():
                self._watch()
            case None:
                self._forget_the_dead()

    def _say(self, line: str) -> None:
        self._output.write("dropship", line)

    # Starting

    def _start(self, service: Service) -> None:
        process = self._spawn(service)
        try:
            self._await(process)
        except _DiedStarting:
            raise Problem(f"{_capital(service.title)} did not start: {process.epitaph()}", _SEE) from None

    def _spawn(self, service: Service) -> Process:
        process = Process(service, self._output.write, lambda ended: self._events.put(_Ended(ended)))
        self._running[service.name] = process
        self._guard.add(process)
        return process

    def _await(self, process: Process) -> None:
        """Return when it is ready, reviving meanwhile what else dies; raises `_DiedStarting` when it dies itself."""
        service = process.service
        began = time.monotonic()
        while not service.is_ready(process):
            event = self._next(_PROBE_EVERY)
            if isinstance(event, _Ended) and event.process is process:
                raise _DiedStarting
            if event is not None:
                before = time.monotonic()
                self._handle(event)
                began += time.monotonic() - before  # its own time only
            if self._running[service.name] is not process:
                return  # it died, and another one is ready in its place
            if time.monotonic() - began > service.ready_within:
                said = process.lines[-1] if process.lines else "it said nothing"
                raise Problem(
                    f"{_capital(service.title)} was not ready within {service.ready_within:g} seconds: {said}", _SEE
                )
        process.was_ready = True
        self._say(f"{_capital(service.title)} is ready after {time.time() - process.started_at:.1f} s")

    def _revive(self, process: Process) -> None:
        service = process.service
        while True:
            self._bury(process)
            self._say(f"{_capital(service.title)} ended ({process.epitaph()}) and is started again")
            pauses = len(self._ends[service.name])
            self._pause(PAUSES[min(pauses, len(PAUSES)) - 1])
            if service.said_when_started_again:
                self._say(service.said_when_started_again)
            process = self._spawn(service)
            try:
                self._await(process)
            except _DiedStarting:
                continue
            return

    def _bury(self, process: Process) -> None:
        """Count an end. Raises `Problem` when it is one too many."""
        service = process.service
        if process.group_lives:
            self._left_behind.append(process)
        else:
            self._guard.remove(process)
        ends = self._ends[service.name]
        ends.append(time.monotonic())
        while ends[0] < time.monotonic() - WINDOW:
            ends.popleft()
        if len(ends) >= MOST_ENDS:
            raise Problem(
                f"{_capital(service.title)} ended {len(ends)} times within a minute, "
                f"so everything was stopped ({process.epitaph()})",
                _SEE,
            )

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            event = self._next(left)
            if event is not None:
                self._handle(event)

    # Ending

    def _end_all(self) -> None:
        """End what runs, the last started first, and what dead ones left behind with those of its kind."""
        for service in reversed(self._services):
            kin = [process for process in self._left_behind if process.service is service]
            if (running := self._running.get(service.name)) is not None:
                kin.append(running)
            self._end(service, [process for process in kin if process.group_lives])
        self._guard.close()
        self._say("Everything has ended")

    def _end(self, service: Service, processes: Sequence[Process]) -> None:
        for process in processes:
            process.end()
        began = time.monotonic()
        while living := [process for process in processes if process.group_lives]:
            patience = service.ends_within_in_a_hurry if self._hurry else service.ends_within
            if time.monotonic() - began > patience:
                if not self._hurry:
                    self._say(f"{_capital(service.title)} has not ended within {patience:g} seconds and is killed")
                for process in living:
                    process.tell(SIGKILL)
                break
            event = self._next(0.05)
            if isinstance(event, _Stop) and event.hurry and not self._hurry:
                self._hurry = True
                self._say("Stopping at once")
        for process in processes:
            process.wait_for_last_lines()
            self._guard.remove(process)

    def _forget_the_dead(self) -> None:
        for process in [process for process in self._left_behind if not process.group_lives]:
            self._left_behind.remove(process)
            self._guard.remove(process)

    def _watch(self) -> None:
        living = [*self._left_behind, *self._running.values()]
        self._guard = Guard(self._folders, self._lock, living, lambda: self._events.put(_Unwatched()))


_SEE = "See the lines before this one"


def _capital(title: str) -> str:
    return title[:1].upper() + title[1:]
