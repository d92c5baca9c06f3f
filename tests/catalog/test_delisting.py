"""The breaker: a sweep that would end more than a fifth of a feed is held."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dropship_pipeline.catalog.delisting import is_held


@pytest.mark.parametrize(
    ("active", "would_end", "held"),
    [(100, 0, False), (100, 20, False), (100, 21, True), (100, 100, True), (0, 0, False), (4, 1, True), (5, 1, False)],
)
def test_more_than_a_fifth_is_held(active, would_end, held):
    assert is_held(active, would_end) is held


@given(st.integers(0, 10**7), st.integers(0, 10**7))
def test_ending_nothing_is_never_held_and_ending_more_is_never_safer(active, would_end):
    assert not is_held(active, 0)
    assert is_held(active, would_end + 1) or not is_held(active, would_end)
