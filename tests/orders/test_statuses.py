"""What follows what, and what is odd, is said by one table; the simulated gateway's own lives bear it out."""

from itertools import pairwise

import pytest

from dropship_pipeline.orders.statuses import FINAL, STATUSES, Irregularity, judge, looked_at_every
from dropship_pipeline.sandbox.world import lifecycle
from dropship_pipeline.sandbox.world.lifecycle import OrderStatus


def test_the_twelve_statuses_of_the_guide_are_known() -> None:
    assert set(STATUSES) == {str(status) for status in OrderStatus}


def test_every_status_that_follows_another_is_known_too() -> None:
    for status, standing in STATUSES.items():
        assert standing.follows <= set(STATUSES) - {status}


def test_every_step_of_every_life_that_the_gateway_plays_is_regular() -> None:
    for _, stages in lifecycle.PATHS:
        for before, after in pairwise(stages):
            assert judge(before.status, after.status) is None, (before.status, after.status)


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        ("unpay", "paid", None),
        ("paying", "unpay", None),
        ("unpay", "delivering", Irregularity.SKIPPED),
        ("paid", "delivering", Irregularity.SKIPPED),
        ("to_be_audited", "paid", Irregularity.SKIPPED),
        ("delivering", "paid", Irregularity.BACKWARDS),
        ("trade_success", "delivering", Irregularity.BACKWARDS),
        ("trade_close", "unpay", Irregularity.BACKWARDS),
        ("trade_close", "trade_success", Irregularity.BACKWARDS),
        ("charge_back", "paid", Irregularity.BACKWARDS),
        ("frozen", "delivering", None),
        ("frozen", "unpay", Irregularity.BACKWARDS),
        ("frozen", "captured", Irregularity.SKIPPED),
        ("unpay", "frozen", Irregularity.SKIPPED),
        ("relating", "unpay", Irregularity.UNKNOWN),
        ("unpay", "intention_processing", Irregularity.UNKNOWN),
    ],
)
def test_a_change_is_regular_or_what_is_odd_about_it(old: str, new: str, verdict: Irregularity | None) -> None:
    assert judge(old, new) is verdict


def test_an_order_that_ended_is_not_looked_at_again_and_one_on_its_way_is() -> None:
    assert {"trade_close", "charge_back"} == FINAL
    assert all(looked_at_every(status) is None for status in FINAL)
    assert looked_at_every("trade_success") is None
    assert looked_at_every("delivering") is not None
    assert looked_at_every("a_status_of_tomorrow") is not None
    assert looked_at_every(None) is not None
