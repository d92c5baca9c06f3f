"""A process's share of the call budget: who gets which slot when, and how often the budget is asked."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from dropship_pipeline.alibaba.pacing import Pacer
from dropship_pipeline.alibaba.rate import UNLIMITED, Grant, LocalCallBudget, RateState, grant, throttled


class DistantBudget:
    """A budget like the one in a database: on another clock, and each question takes its time."""

    def __init__(self, rate: float, offset: float = 0.0, trip: float = 0.005) -> None:
        self.state = RateState(rate, ceiling=rate, limit_seen=None)
        self.leases = 0
        self.throttles: list[tuple[float, float]] = []
        self._offset = offset
        self._trip = trip
        self._lock = threading.Lock()

    def lease(self, wanted: int) -> Grant:
        time.sleep(self._trip)
        with self._lock:
            self.leases += 1
            self.state, granted = grant(self.state, time.monotonic() + self._offset, wanted)
            return granted

    def throttled(self, wait_seconds: float, sent_at: float) -> None:
        with self._lock:
            self.throttles.append((wait_seconds, sent_at))
            self.state = throttled(self.state, time.monotonic() + self._offset, wait_seconds, sent_at)


def ban(pacer: Pacer, seconds: float) -> None:
    """Throttles as many calls as it takes to be believed."""
    for _ in range(5):
        pacer.throttled(seconds, time.monotonic())


def turns(pacer: Pacer, count: int) -> float:
    started = time.monotonic()
    for _ in range(count):
        pacer.wait_turn()
    return time.monotonic() - started


def test_turns_are_spaced_by_the_rate() -> None:
    assert 0.4 <= turns(Pacer(LocalCallBudget(100.0, rate=100.0)), 50) < 1.5


def test_threads_share_the_rate() -> None:
    pacer = Pacer(LocalCallBudget(100.0, rate=100.0))
    started = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: pacer.wait_turn(), range(60)))
    assert 0.5 <= time.monotonic() - started < 1.6


def test_tasks_share_the_rate_and_the_loop_is_never_blocked() -> None:
    async def main() -> tuple[float, float]:
        pacer = Pacer(DistantBudget(100.0, trip=0.1))
        longest, last = 0.0, time.monotonic()
        started = last
        waiting = asyncio.gather(*(pacer.wait_turn_async() for _ in range(60)))
        while not waiting.done():
            await asyncio.sleep(0.001)
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
        return time.monotonic() - started, longest

    took, longest = asyncio.run(main())
    assert 0.5 <= took < 3
    assert longest < 0.09


def test_two_processes_worth_of_pacers_share_one_budget() -> None:
    budget = DistantBudget(100.0)
    pacers = [Pacer(budget), Pacer(budget)]
    started = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda pacer: turns(pacer, 40), pacers))
    assert 0.7 <= time.monotonic() - started < 2


def test_the_budget_is_asked_a_few_times_a_second_however_high_the_rate() -> None:
    budget = DistantBudget(2000.0)
    took = turns(Pacer(budget), 3000)
    assert budget.leases < 20 + 6 * took


def test_a_client_of_few_calls_hoards_no_slots() -> None:
    budget = DistantBudget(1000.0, trip=0)
    pacer = Pacer(budget)
    for _ in range(5):
        pacer.wait_turn()
        time.sleep(0.3)
    assert budget.state.next_free - time.monotonic() < 0.1
    started = time.monotonic()
    pacer.wait_turn()
    assert time.monotonic() - started < 0.1


@pytest.mark.parametrize("offset", [-1e6, 1.7e9])
def test_the_budgets_clock_may_be_any_other(offset: float) -> None:
    budget = DistantBudget(100.0, offset)
    pacer = Pacer(budget)
    assert turns(pacer, 20) < 1.5
    sent_at = time.monotonic()
    ban(pacer, 0.5)
    ((wait_seconds, told),) = budget.throttles
    assert wait_seconds == 0.5
    assert told - offset == pytest.approx(sent_at, abs=0.05)


def test_a_ban_holds_up_whoever_waits() -> None:
    pacer = Pacer(LocalCallBudget(100.0, rate=100.0))
    turns(pacer, 3)
    ban(pacer, 0.6)
    started = time.monotonic()
    pacer.wait_turn()
    assert 0.5 < time.monotonic() - started < 1.5


def test_a_throttle_that_may_be_an_accident_holds_up_nobody() -> None:
    budget = DistantBudget(100.0)
    pacer = Pacer(budget)
    turns(pacer, 10)
    pacer.throttled(60.0, time.monotonic())
    assert turns(pacer, 10) < 1
    assert budget.throttles == []


def test_a_slot_taken_before_a_throttle_is_not_used_after_it() -> None:
    pacer = Pacer(LocalCallBudget(10.0, rate=10.0))
    waited: list[float] = []

    def wait() -> None:
        started = time.monotonic()
        for _ in range(2):
            pacer.wait_turn()
        waited.append(time.monotonic() - started)

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.02)
    ban(pacer, 1.0)
    thread.join()
    assert waited[0] > 0.9


def test_without_a_limit_pacing_costs_next_to_nothing() -> None:
    pacer = Pacer(LocalCallBudget(UNLIMITED, UNLIMITED))
    assert turns(pacer, 100_000) < 3
