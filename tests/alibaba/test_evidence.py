"""Which throttles are taken for a limit, and which for an accident."""

from dropship_pipeline.alibaba.evidence import ThrottleEvidence


def calls(evidence: ThrottleEvidence, count: int, at: float, rate: float) -> float:
    """So many calls that went through, at this rate; gives the time after them."""
    for number in range(count):
        evidence.called()
        evidence.measure(at + number / rate)
    return at + count / rate


def test_the_first_throttle_of_a_new_client_may_be_an_accident() -> None:
    evidence = ThrottleEvidence(0.0)
    now = calls(evidence, 15, 0.0, 50)
    assert not evidence.too_fast(now, 50)


def test_call_after_call_that_is_throttled_is_a_limit() -> None:
    evidence = ThrottleEvidence(0.0)
    now = calls(evidence, 30, 0.0, 50)
    verdicts = []
    for _ in range(6):
        now = calls(evidence, 1, now, 50)
        verdicts.append(evidence.too_fast(now, 50))
    assert verdicts == [False] * 4 + [True] * 2


def test_once_a_limit_was_met_a_single_throttle_at_full_rate_counts() -> None:
    evidence = ThrottleEvidence(0.0)
    for _ in range(5):
        calls(evidence, 1, 0.0, 50)
        evidence.too_fast(0.0, 50)
    now = calls(evidence, 500, 1.0, 50)
    assert evidence.too_fast(now, 50)


def test_a_client_that_is_not_new_takes_a_single_throttle_seriously() -> None:
    evidence = ThrottleEvidence(0.0)
    now = calls(evidence, 2000, 0.0, 50)
    assert evidence.too_fast(now, 50)


def test_a_throttle_at_a_rate_far_below_what_went_through_is_an_accident() -> None:
    evidence = ThrottleEvidence(0.0)
    now = calls(evidence, 2000, 0.0, 50)
    assert not evidence.too_fast(now, 20)
    assert evidence.too_fast(now, 40)


def test_what_went_through_long_ago_proves_nothing() -> None:
    evidence = ThrottleEvidence(0.0)
    now = calls(evidence, 2000, 0.0, 50)
    now = calls(evidence, 4000, now, 10)
    assert evidence.too_fast(now, 10)


def test_many_throttles_are_a_limit_at_any_rate() -> None:
    evidence = ThrottleEvidence(0.0)
    now = calls(evidence, 2000, 0.0, 50)
    verdicts = []
    for _ in range(12):
        now = calls(evidence, 2, now, 10)
        verdicts.append(evidence.too_fast(now, 10))
    assert verdicts == [False] * 9 + [True] * 3
