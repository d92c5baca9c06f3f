"""The call budget's arithmetic, alone and against simulated gateways. No clock and no socket: time is a number here."""

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest
from limited_server import ChangingServer, FixedWindow, Noisy, Server, TokenBucket, run

from dropship_pipeline.alibaba.rate import (
    BURST_SECONDS,
    LEASE_SECONDS,
    LOWEST_RATE,
    UNLIMITED,
    Grant,
    LocalCallBudget,
    RateState,
    grant,
    throttled,
    with_ceiling,
)

NOW = 1_700_000_000.0


def steady(rate: float = 50.0, **more: float) -> RateState:
    return replace(RateState(rate, ceiling=1000.0, limit_seen=rate, next_free=NOW), **more)


def test_a_lease_is_a_fifth_of_a_second_and_at_least_one_call() -> None:
    assert grant(steady(50.0), NOW, 1000)[1].calls == round(50 * LEASE_SECONDS)
    assert grant(steady(0.5), NOW, 1000)[1].calls == 1
    assert grant(steady(50.0), NOW, 3)[1].calls == 3
    assert grant(steady(50.0), NOW, 0)[1].calls == 1


def test_windows_follow_each_other_without_gap_or_overlap() -> None:
    state, end = steady(50.0), NOW
    for _ in range(20):
        state, window = grant(state, NOW, 1000)
        assert window.start == pytest.approx(end)
        end = window.start + window.calls * window.spacing


def test_an_idle_past_is_not_saved_up() -> None:
    _, window = grant(steady(50.0), NOW + 3600, 1000)
    assert window.start == pytest.approx(NOW + 3600 - BURST_SECONDS)


def test_nothing_is_granted_within_a_ban() -> None:
    _, window = grant(throttled(steady(), NOW, 7.0, sent_at=NOW), NOW, 10)
    assert window.start == pytest.approx(NOW + 7)


def test_a_throttle_slows_down_and_remembers_the_rate() -> None:
    after = throttled(steady(50.0), NOW, 0.0, sent_at=NOW)
    assert 30 <= after.rate < 50
    assert after.limit_seen == 50.0
    assert after.changed_at == NOW


def test_the_calls_since_the_last_decrease_tell_how_far_below_the_limit_is() -> None:
    long_quiet = throttled(steady(50.0, changed_at=NOW - 60), NOW, 0.0, sent_at=NOW)
    just_slowed = throttled(steady(50.0, changed_at=NOW - 0.05), NOW, 0.0, sent_at=NOW)
    assert long_quiet.rate > 45
    assert just_slowed.rate <= 30


def test_a_burst_of_throttles_is_one_event() -> None:
    once = throttled(steady(), NOW, 0.0, sent_at=NOW - 0.1)
    twice = throttled(once, NOW + 0.01, 0.0, sent_at=NOW - 0.09)
    assert twice.rate == once.rate
    assert throttled(once, NOW + 0.01, 5.0, sent_at=NOW - 0.09).blocked_until == pytest.approx(NOW + 5.01)


def test_a_ban_is_never_shortened() -> None:
    banned = throttled(steady(), NOW, 60.0, sent_at=NOW)
    assert throttled(banned, NOW + 1, 1.0, sent_at=NOW + 0.5).blocked_until == pytest.approx(NOW + 60)


def test_the_rate_never_falls_to_nothing_nor_rises_above_the_ceiling() -> None:
    state, now = steady(), NOW
    for _ in range(200):
        now += 1
        state = throttled(state, now, 0.0, sent_at=now)
    assert state.rate == LOWEST_RATE
    for _ in range(100_000):
        state, window = grant(state, now, 1_000_000)
        now = window.start + window.calls * window.spacing
    assert state.rate <= state.ceiling
    assert throttled(RateState.fresh(0.1), NOW, 0, sent_at=NOW).rate <= 0.1


def test_slots_that_nobody_wants_do_not_raise_the_rate() -> None:
    state, now = RateState.fresh(1000), NOW
    for _ in range(100):
        state, _ = grant(state, now, 1)
        now += 1.0
    assert state.rate == RateState.fresh(1000).rate


def test_a_new_ceiling_keeps_what_was_learnt() -> None:
    state = replace(steady(50.0), limit_seen=60.0)
    assert with_ceiling(state, 10.0) == replace(state, ceiling=10.0, rate=10.0)
    assert with_ceiling(state, 500.0).rate == 50.0


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_jumps_does_not_stop_the_calls(hours: int) -> None:
    state = throttled(grant(steady(), NOW, 10)[0], NOW, 2.0, sent_at=NOW)
    later = NOW + hours * 3600
    _, window = grant(state, later, 10)
    if hours > 0:
        assert later - 1 < window.start < later + 1
    else:
        assert window.start <= later + 3602, "an hour at worst: a ban may last that long"
        unbanned, window = grant(grant(steady(), NOW, 10)[0], later, 10)
        assert window.start < later + 1
        slowed = throttled(replace(unbanned, changed_at=NOW), later, 0.0, sent_at=later)
        assert slowed.rate < unbanned.rate


def test_an_absurd_ban_is_bounded() -> None:
    assert throttled(steady(), NOW, 1e12, sent_at=NOW).blocked_until <= NOW + 3600


SERVERS: dict[str, Callable[[float], Server]] = {
    "bucket": TokenBucket,
    "bucket that bans": lambda limit: TokenBucket(limit, ban=1.0),
    "window": FixedWindow,
}


@pytest.mark.parametrize("latency", [0.02, 0.3])
@pytest.mark.parametrize("ceiling", [60.0, 5000.0])
@pytest.mark.parametrize("limit", [10.0, 30.0])
@pytest.mark.parametrize("server", SERVERS)
def test_the_rate_settles_just_below_a_limit_that_nobody_told(
    server: str, limit: float, ceiling: float, latency: float
) -> None:
    settled = run(SERVERS[server](limit), ceiling, latency, 600, 60)
    assert settled.throttled < 0.01
    assert settled.used > 0.9


def test_a_high_limit_is_found_and_used_too() -> None:
    settled = run(TokenBucket(500.0, ban=1.0), 5000.0, 0.05, 120, 30)
    assert settled.throttled < 0.01
    assert settled.used > 0.9


def test_under_a_ceiling_below_the_limit_there_are_no_throttles_at_all() -> None:
    settled = run(TokenBucket(100.0), 50.0, 0.1, 120, 0)
    assert settled.throttled == 0
    assert settled.used == pytest.approx(0.5, rel=0.02)


def test_a_limit_that_falls_is_followed() -> None:
    fallen = run(ChangingServer(100.0), 500.0, 0.05, 300, 220)
    assert fallen.used == pytest.approx(1.0, rel=0.1)
    assert fallen.throttled < 0.01


def test_a_limit_that_rises_again_is_found_again() -> None:
    assert run(ChangingServer(100.0), 500.0, 0.05, 700, 640).used > 0.9


@pytest.mark.parametrize("ban", [0.0, 1.0])
@pytest.mark.parametrize("share", [0.01, 0.05])
def test_throttles_that_have_nothing_to_do_with_the_rate_do_not_bring_it_down(share: float, ban: float) -> None:
    assert run(Noisy(50.0, share, ban), 50.0, 0.1, 30, 0).used > 0.8
    assert run(Noisy(50.0, share, ban), 50.0, 0.1, 600, 30).used > 0.15


def test_a_local_budget_is_safe_to_share_and_gives_each_slot_once() -> None:
    budget = LocalCallBudget(1000.0, rate=1000.0)
    windows: list[Grant] = [budget.lease(7) for _ in range(50)]
    slots = [window.start + number * window.spacing for window in windows for number in range(window.calls)]
    assert all(later - earlier > 0.0009 for earlier, later in itertools.pairwise(slots))


def test_an_unlimited_budget_hardly_spaces_its_slots() -> None:
    window = LocalCallBudget(UNLIMITED, UNLIMITED).lease(10_000)
    assert window.calls * window.spacing < 0.02
