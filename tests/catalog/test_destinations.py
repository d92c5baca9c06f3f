"""Destinations are read as people write them, or the part that is wrong is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dropship_pipeline.alibaba.requests import iso_country
from dropship_pipeline.catalog.destinations import Destination, parse_destinations
from dropship_pipeline.problem import Problem


def test_countries_with_and_without_a_postal_code_are_read_in_their_order():
    assert parse_destinations("US:90001,MX,GB") == (Destination("US", "90001"), Destination("MX"), Destination("GB"))


@pytest.mark.parametrize("text", ["none", " None "])
def test_who_wants_no_freight_names_no_destination(text):
    assert parse_destinations(text) == ()


@pytest.mark.parametrize("text", ["uk", " UK ", "gb", "GB"])
def test_the_united_kingdom_is_gb_to_alibaba(text):
    assert parse_destinations(text) == (Destination("GB"),)


def test_a_postal_code_may_have_letters_and_spaces():
    assert parse_destinations("gb:sw1a 1aa,ca:K1A 0B1")[0] == Destination("GB", "SW1A 1AA")


@pytest.mark.parametrize(
    ("text", "named"),
    [("", "''"), ("US,,MX", "''"), ("USA", "'USA'"), ("US:", "'US:'"), ("90001", "'90001'"), ("US;MX", "'US;MX'")],
)
def test_what_is_no_destination_is_named(text, named):
    with pytest.raises(Problem, match=named):
        parse_destinations(text)


@pytest.mark.parametrize("text", ["US,US", "US:90001,us:10001", "GB,UK"])
def test_each_country_is_named_once(text):
    with pytest.raises(Problem, match="twice"):
        parse_destinations(text)


codes = st.from_regex(r"\A[A-Z]{2}(:[0-9A-Z]{2,12})?\Z")


@given(st.lists(codes, min_size=1, max_size=6, unique_by=lambda code: iso_country(code[:2])))
def test_destinations_read_back_as_they_are_shown(texts):
    read = parse_destinations(",".join(texts))
    assert parse_destinations(",".join(map(str, read))) == read
    assert len(read) == len(texts)


@given(st.text())
def test_any_text_is_destinations_or_a_problem(text):
    try:
        assert parse_destinations(text) or text.strip().lower() == "none"
    except Problem as problem:
        assert problem.remedy  # noqa: PT017 - either is right; a problem without a remedy is not
