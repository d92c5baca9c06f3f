"""Each safeguard is needed: without it, the same trial that finds nothing with it finds a violation."""

import hmac
from collections.abc import Callable
from functools import partial

import pytest
from machine import Machine
from rows_of_api import echoed_secret
from rows_of_process import WORLDS, late_waker
from trials import Disturbed, Passing, Schedule, Trial, play, undisturbed

from dropship_pipeline.alibaba import signing

pytestmark = pytest.mark.xdist_group("faults")

EMPTY = Disturbed(("empty_listing:path=/eco/buyer/crossborder/product/check",))
SCHEDULES = {
    "breaker": Schedule(WORLDS[0], (EMPTY, EMPTY), new=False),
    "fence": Schedule(WORLDS[0], (), new=False),
    # more than half of the commits are past when the first batch of descriptions is half in
    "single transaction": Schedule(WORLDS[0], (Disturbed(point=Passing("commit", 0.62, after=True)),)),
    "atomic pointer": Schedule(WORLDS[0], (Disturbed(),), new=False),
    "redaction": Schedule(WORLDS[0], (), new=False),
}
TRIALS: dict[str, Callable[[Trial, Schedule], None]] = {
    "fence": late_waker,
    "redaction": lambda trial, schedule: echoed_secret(trial, schedule.world, "result", "404", "*inventory"),
}
BROKEN = {"breaker": "I5", "fence": "I2", "single transaction": "I3", "atomic pointer": "I3", "redaction": "I7"}


@pytest.mark.parametrize("safeguard", BROKEN)
def test_without_a_safeguard_a_trial_finds_the_violation_that_it_prevents(machine: Machine, safeguard: str) -> None:
    schedule = SCHEDULES[safeguard]
    undisturbed(machine, schedule)  # with every safeguard, before one is taken away
    trial_of = TRIALS.get(safeguard, play)
    whole = Trial(machine, f"twin of {safeguard}", 1)
    trial_of(whole, schedule)
    assert whole.violations == []
    machine.mutation = safeguard
    try:
        without = Trial(machine, f"twin of {safeguard}", 1)
        trial_of(without, schedule)
    finally:
        machine.mutation = ""
    assert BROKEN[safeguard] in {one.invariant for one in without.violations}


def compares_in_constant_time(monkeypatch: pytest.MonkeyPatch, is_genuine: Callable[[str], bool]) -> bool:
    """Whether what decides about a signature is `hmac.compare_digest`, asked about all of it."""
    compared: list[tuple[int, int]] = []
    compare = hmac.compare_digest

    def noting(left: bytes, right: bytes) -> bool:
        compared.append((len(left), len(right)))
        return compare(left, right)

    monkeypatch.setattr(hmac, "compare_digest", noting)
    assert not is_genuine("0" * 64)
    return compared == [(64, 64)]


def test_a_signature_is_compared_in_constant_time_and_whoever_does_not_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert compares_in_constant_time(monkeypatch, partial(signing.push_is_genuine, "1", "s", b"{}"))
    plain = signing.push_signature("1", "s", b"{}")
    assert not compares_in_constant_time(monkeypatch, lambda claimed: claimed == plain)
