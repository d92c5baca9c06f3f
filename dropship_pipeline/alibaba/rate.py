"""The call budget as pure arithmetic: a rate that adapts, cut into windows of time slots. No clock, no lock, no store.

`storage` keeps a `RateState` in a row that all processes and machines share; `LocalCallBudget` keeps one in memory for
commands that have no database. Both use the same functions. How a process spends what it leased is in `pacing`.

The rate follows AIMD with a memory. It doubles every half second until the gateway throttles for the first time; that
rate is `limit_seen`. From then on it returns quickly to just below `limit_seen`, creeps over it slowly, so that a
steady state has next to no throttles, and once clearly above it, where the limit must have moved, grows quickly again.
It grows only while calls are held back by it: slots that nobody wanted prove nothing.
"""

import threading
import time
from dataclasses import dataclass, replace
from typing import Protocol

UNLIMITED = 1e6
"""A ceiling, in calls per second, that no client of one process reaches."""

LEASE_SECONDS = 0.2  # a lease is this much of the rate: few trips to the store, little lost when a process dies
BURST_SECONDS = 0.05  # how late a lease may be asked for without losing slots
START_RATE = 50.0
LOWEST_RATE = 0.5
LONGEST_BAN = 3600.0  # bounds what a nonsensical answer, or a clock set back, can cost
FURTHEST_AHEAD = 120.0  # slots further away than this come from a clock that was set back

_SAFE, _STALE = 0.93, 1.02  # shares of limit_seen: below the first grow quickly; above the second it is out of date
_DOUBLING = 1.4  # growth per second of granted time before any throttle: twice the rate in half a second
_RECOVERY = 0.10  # of limit_seen per second, below _SAFE
_CREEP_BY_SECOND, _CREEP_BY_CALL = 0.0007, 0.00006  # of limit_seen, between: one probe in 2 minutes, or 1,000 calls
_REDISCOVERY = 0.10  # growth per second above _STALE
_LEAST_DECREASE, _MOST_DECREASE = 0.07, 0.4
_DECREASE_CALLS = 2.0  # over the calls since the last decrease, this is the share to slow down by


@dataclass(frozen=True, slots=True)
class RateState:
    """The budget of one app. The fields are the columns of `ops.call_budget`; times are epoch seconds of one clock.

    `rate` and `ceiling` are calls per second, `limit_seen` the rate at which the gateway throttled last, `next_free`
    the first moment not granted yet, `blocked_until` the end of a ban, `changed_at` the last decrease of the rate.
    """

    rate: float
    ceiling: float
    limit_seen: float | None = None
    next_free: float = 0.0
    blocked_until: float = 0.0
    changed_at: float = 0.0

    @classmethod
    def fresh(cls, ceiling: float) -> "RateState":
        """The state of an app that has not called yet."""
        return cls(rate=min(ceiling, START_RATE), ceiling=ceiling)


@dataclass(frozen=True, slots=True)
class Grant:
    """`calls` slots at `start`, `start + spacing`, …; epoch seconds of the budget's clock, which showed `now`."""

    calls: int
    start: float
    spacing: float
    now: float


def grant(state: RateState, now: float, wanted: int) -> tuple[RateState, Grant]:
    """Reserve a window for up to `wanted` calls, at least one: the new state and the window.

    The window may lie in the future. An idle past is not saved up, beyond `BURST_SECONDS`.
    """
    calls = max(1, min(wanted, round(state.rate * LEASE_SECONDS)))
    spacing = 1.0 / state.rate
    next_free = state.next_free if state.next_free <= now + FURTHEST_AHEAD + _ban_left(state, now) else now
    start = max(next_free, now - BURST_SECONDS, now + _ban_left(state, now))
    held_back = next_free > now - BURST_SECONDS
    rate = _grown(state, calls, calls * spacing) if held_back else state.rate
    return replace(state, rate=rate, next_free=start + calls * spacing), Grant(calls, start, spacing, now)


def throttled(state: RateState, now: float, wait_seconds: float, sent_at: float) -> RateState:
    """The state after the gateway throttled a call that was sent at `sent_at`.

    `wait_seconds` is what the gateway asked for, 0 if nothing. A burst of throttles is one event: those of calls sent
    before the last decrease extend the ban and no more.
    """
    blocked_until = max(now + _ban_left(state, now), now + min(max(wait_seconds, 0.0), LONGEST_BAN))
    changed_at = state.changed_at if state.changed_at <= now else 0.0
    if sent_at < changed_at:
        return replace(state, blocked_until=blocked_until)
    # One throttle in two calls: the limit is far below. One in a hundred: it is just below.
    calls = (sent_at - max(changed_at, min(state.blocked_until, sent_at))) * state.rate
    share = _MOST_DECREASE if state.limit_seen is None else _DECREASE_CALLS / max(calls, 1.0)
    factor = 1.0 - min(max(share, _LEAST_DECREASE), _MOST_DECREASE)
    return replace(
        state,
        rate=max(state.rate * factor, min(LOWEST_RATE, state.ceiling)),
        limit_seen=state.rate,
        # What was reserved for calls that the ban holds up starts after it.
        next_free=min(state.next_free, blocked_until) if wait_seconds > 0 else state.next_free,
        blocked_until=blocked_until,
        changed_at=now,
    )


def with_ceiling(state: RateState, ceiling: float) -> RateState:
    """The state under another ceiling; what was learnt about the gateway's limit stays."""
    return replace(state, ceiling=ceiling, rate=min(state.rate, ceiling))


def _grown(state: RateState, calls: int, seconds: float) -> float:
    """The rate after `calls` over `seconds` were granted under pressure."""
    rate, limit = state.rate, state.limit_seen
    if limit is None:
        rate += rate * _DOUBLING * seconds
    elif rate < _SAFE * limit:
        rate = min(rate + _RECOVERY * limit * seconds, _SAFE * limit)
    elif rate < _STALE * limit:
        rate += limit * min(_CREEP_BY_SECOND * seconds, _CREEP_BY_CALL * calls)
    else:
        rate += rate * _REDISCOVERY * seconds
    return min(rate, state.ceiling)


def _ban_left(state: RateState, now: float) -> float:
    left = state.blocked_until - now
    return left if 0.0 < left <= LONGEST_BAN else 0.0


class CallBudget(Protocol):
    """Where slots come from: for one process here, for all that share a database in `storage.ops.budget`."""

    def lease(self, wanted: int) -> Grant:
        """Reserve up to `wanted` calls. May take a trip to a store; never waits for the window to begin."""

    def throttled(self, wait_seconds: float, sent_at: float) -> None:
        """Say that the gateway throttled a call sent at `sent_at`, in epoch seconds of the budget's clock."""


class LocalCallBudget:
    """The budget of one process, on its own clock. Safe to share among threads."""

    def __init__(self, ceiling: float, rate: float | None = None) -> None:
        """`ceiling` in calls per second; `rate` to start with, if the usual start is not wanted."""
        state = RateState.fresh(ceiling)
        self._state = state if rate is None else replace(state, rate=min(rate, ceiling))
        self._lock = threading.Lock()

    @property
    def state(self) -> RateState:
        """The state as it is now."""
        return self._state

    def lease(self, wanted: int) -> Grant:
        """See `CallBudget`."""
        with self._lock:
            self._state, granted = grant(self._state, time.monotonic(), wanted)
            return granted

    def throttled(self, wait_seconds: float, sent_at: float) -> None:
        """See `CallBudget`."""
        with self._lock:
            self._state = throttled(self._state, time.monotonic(), wait_seconds, sent_at)
