"""A payload that is kept to be shown holds no secret and no person, and is bounded, whatever it is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dropship_pipeline.alibaba.exhibits import LONGEST, exhibit

TOKEN = "50000301a31cVLrAsdfGHJK7890qwertyZXCVbnm12"
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=30,
)


def test_what_is_short_and_harmless_is_shown_as_it_is() -> None:
    payload = {"product_id": "1601206892606", "title": "Vacuum flask", "skus": [{"price": 3.69, "stock": None}]}
    assert json.loads(exhibit(payload)) == payload


@pytest.mark.parametrize(
    "payload",
    [
        {"access_token": "short"},
        {"data": [{"Refresh_Token ": TOKEN}]},
        {"title": f"buy {TOKEN} now"},
        {TOKEN: 1},
        {"title": "x " * 4_000 + TOKEN},
        {"title": "x " * 3_990 + TOKEN},
        [[[TOKEN]]],
    ],
    ids=str,
)
def test_no_secret_is_shown_wherever_it_stands(payload: object) -> None:
    shown = exhibit(payload)
    assert TOKEN not in shown
    assert TOKEN[:20] not in shown
    assert "short" not in shown


def test_nothing_is_shown_of_people() -> None:
    who = {"contact_person": "Jane Roe", "mobile": {"number": "5550101"}, "address": "12 Secret Street", "zip": "90001"}
    shown = exhibit({"order": {"shipping_address": who}, "logistics_detail": who, "receiver": ["Jane Roe"], "x": who})
    for detail in ("Jane", "5550101", "Secret", "90001"):
        assert detail not in shown


def test_what_is_long_wide_or_deep_is_cut() -> None:
    deep: object = "end"
    for _ in range(2_000):
        deep = [deep]
    for payload in (
        "x" * 10**6,
        list(range(10**6)),
        {str(n): n for n in range(10**5)},
        deep,
        ["y" * 3_000] * 500,
        10**900,
    ):
        shown = exhibit(payload)
        assert len(shown) <= LONGEST
        assert "…" in shown


@given(ANYTHING)
def test_whatever_was_answered_it_is_text_that_postgres_takes(payload: object) -> None:
    shown = exhibit(payload)
    assert "\0" not in shown
    assert len(shown.encode()) >= 1
    json.loads(shown)
