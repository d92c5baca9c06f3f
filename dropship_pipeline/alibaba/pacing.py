"""A process's share of the call budget: slots leased ahead, handed to threads and to an event loop one by one.

The arithmetic of the budget is in `rate`. Slots carry the times of the budget's clock (that of the database, perhaps on
another machine); here they are translated to this machine's monotonic clock, so that no clock that jumps stalls a call.
"""

import asyncio
import threading
import time
from typing import NamedTuple
from weakref import WeakKeyDictionary

from dropship_pipeline.alibaba.evidence import ThrottleEvidence
from dropship_pipeline.alibaba.rate import LEASE_SECONDS, CallBudget, Grant, LocalCallBudget

_PROMPT = 0.001  # slots nearer than this are taken at once: a timer is no more precise
_STALE = 0.25  # slots this long past are not made up for
_NEAR = LEASE_SECONDS  # slots further away are not taken yet: a throttle may change them
_LARGEST_LEASE = 100_000


class _Turn(NamedTuple):
    taken: bool  # whether the slot is the caller's; if not, look again
    seconds: float  # until then
    generation: int


class Pacer:
    """Makes calls wait for their turn. Shared by every thread and event loop of a process."""

    def __init__(self, budget: CallBudget) -> None:
        self._budget = budget
        self._prompt = isinstance(budget, LocalCallBudget)
        self._lock = threading.Lock()  # around the slots: never held while the budget is asked
        self._leasing = threading.Lock()  # held by the one that asks the budget
        self._left = 0
        self._next = 0.0  # this machine's monotonic clock
        self._spacing = 0.0
        self._offset = 0.0  # the budget's clock minus this one
        self._generation = 0  # counts throttles: slots of an older generation no longer hold
        self._wanted = 1
        self._hoarded = False  # slots of the last lease went stale
        self._evidence = ThrottleEvidence(time.monotonic())
        # were every task of a fan-out to look for itself, a low rate would cost as much as the calls
        self._lines: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

    def wait_turn(self) -> float:
        """Block until the next slot. Gives the seconds waited."""
        waited = 0.0
        while True:
            turn = self._take()
            if turn is None:
                self._refill()
                continue
            if turn.seconds > _PROMPT:
                time.sleep(turn.seconds)
                waited += turn.seconds
            if turn.taken and turn.generation == self._generation:
                return waited

    async def wait_turn_async(self) -> float:
        """Wait for the next slot without blocking the loop. Gives the seconds waited."""
        began = None
        while True:
            turn = self._take()
            if turn is None or not turn.taken:
                began = began or time.monotonic()
                turn = await self._in_line()
            if turn.seconds > _PROMPT:
                began = began or time.monotonic()
                await asyncio.sleep(turn.seconds)
            if turn.generation == self._generation:
                return 0.0 if began is None else time.monotonic() - began

    async def _in_line(self) -> _Turn:
        """The next slot, as soon as it is near. One task of a loop looks for it, the others wait behind."""
        async with self._lines.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            while True:
                turn = self._take()
                if turn is None:
                    if self._prompt:
                        self._refill()
                    else:
                        await asyncio.to_thread(self._refill)
                elif turn.taken:
                    return turn
                else:
                    await asyncio.sleep(turn.seconds)

    def throttled(self, wait_seconds: float, sent_at: float) -> None:
        """The gateway throttled a call sent at `sent_at` (monotonic clock). May take a trip to a store.

        Slows every process down, unless there is reason to think that the rate is not to blame: see `evidence`. The
        call itself waits in any case; that is not the pacer's business.
        """
        with self._lock:
            rate = 1.0 / self._spacing if self._spacing else 0.0
            if not self._evidence.too_fast(time.monotonic(), rate):
                return
        self._budget.throttled(wait_seconds, sent_at + self._offset)
        with self._lock:
            self._left = 0
            self._generation += 1

    def _take(self) -> _Turn | None:
        """The next slot, or when to look again; None where a lease has to be taken first."""
        with self._lock:
            now = time.monotonic()
            if self._left and self._next < now - _STALE:
                missed = min(self._left, int((now - self._next) / self._spacing))
                self._left -= missed
                self._next += missed * self._spacing
                self._hoarded = True
            if self._left == 0:
                return None
            delay = self._next - now
            if delay > _NEAR:
                return _Turn(taken=False, seconds=delay - _NEAR / 2, generation=self._generation)
            self._next += self._spacing
            self._left -= 1
            self._evidence.called()
            return _Turn(taken=True, seconds=delay, generation=self._generation)

    def _refill(self) -> None:
        with self._leasing:
            with self._lock:
                if self._left > 0:
                    return  # another thread was quicker
                # As much as is being used up: few trips at a high rate, nothing hoarded by a client of few calls.
                self._wanted = max(self._wanted // 2, 1) if self._hoarded else min(self._wanted * 2, _LARGEST_LEASE)
                self._hoarded = False
                generation = self._generation
            asked_at = time.monotonic()
            granted = self._budget.lease(self._wanted)
            with self._lock:
                now = time.monotonic()
                self._evidence.measure(now)
                self._offset = granted.now - (asked_at + now) / 2
                if generation == self._generation:  # else the lease is of a rate that no longer holds
                    self._adopt(granted)

    def _adopt(self, granted: Grant) -> None:
        self._left, self._spacing = granted.calls, granted.spacing
        self._next = granted.start - self._offset
        self._wanted = min(self._wanted, granted.calls * 2)
