"""Ages are read as people type them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dropship_pipeline.catalog.freshness import MAX_AGE, MAX_AGES, parse_age
from dropship_pipeline.problem import Problem


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("24h", timedelta(hours=24)),
        ("90m", timedelta(minutes=90)),
        ("7d", timedelta(days=7)),
        ("30s", timedelta(seconds=30)),
        ("2w", timedelta(weeks=2)),
        ("0", timedelta(0)),
        ("0h", timedelta(0)),
        (" 24 H ", timedelta(hours=24)),
    ],
)
def test_an_age_is_a_number_and_a_unit_or_nothing_at_all(text, age):
    assert parse_age(text) == age


@pytest.mark.parametrize(
    "text", ["", "24", "h", "-1h", "1.5h", "a day", "24h30m", "１h", "99999999999d", "999999w", "7y"]
)
def test_what_is_no_age_is_named_with_what_to_write(text):
    with pytest.raises(Problem, match="Write") as raised:
        parse_age(text)
    assert repr(text) in raised.value.what


@given(st.integers(0, 10**9), st.sampled_from("smhdw"))
def test_whatever_is_read_as_an_age_lies_in_a_time_that_clocks_know(count, unit):
    try:
        age = parse_age(f"{count}{unit}")
    except Problem:
        assert count > 5_000
    else:
        assert age <= MAX_AGE
        assert datetime(2026, 1, 1, tzinfo=UTC) - age


def test_every_kind_that_is_fetched_has_a_maximum_age():
    assert set(MAX_AGES) == {"description", "inventory", "freight"}
    assert all(timedelta(0) < age <= MAX_AGE for age in MAX_AGES.values())
