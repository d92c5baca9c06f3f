"""Freight is quoted from the location that the product's stock suggests, and a code decides whether to go on."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from payloads import FREIGHT

from dropship_pipeline.alibaba.errors import CODES, Family, api_error
from dropship_pipeline.alibaba.outcomes import Answered, Failed
from dropship_pipeline.alibaba.protocol import Answer
from dropship_pipeline.catalog.destinations import Destination
from dropship_pipeline.catalog.dispatch import NO_OPTIONS, UNREADABLE, QuoteTarget, quote_flow, quote_target

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
OFFER = FREIGHT
NOTHING: list[object] = []
BUSINESS = [code for code, entry in CODES.items() if entry.family is Family.BUSINESS]


def quote(target, answers):
    """The result and the tries of a quote. `answers`: a payload or a code by location and quantity, or for any."""
    destination = Destination("US", "90001")
    flow = quote_flow(target, destination)
    tries = []
    outcome = None
    while True:
        try:
            request = next(flow) if outcome is None else flow.send(outcome)
        except StopIteration as stop:
            return stop.value, tries
        assert (request.product_id, request.destination_country) == (target.product_id, destination.country)
        assert request.zip_code == destination.zip_code
        tries.append((request.dispatch_location, request.quantity))
        at = NOW + timedelta(seconds=len(tries))
        answer = answers(*tries[-1]) if callable(answers) else answers.get(tries[-1], NOTHING)
        if isinstance(answer, str):
            error = api_error(answer, f"words of {answer}")
            error.received_at = at
            outcome = Failed(request, error)
        else:
            outcome = Answered(Answer(request, answer, b"", at, None, 1, 200))


def target(*locations, quantities=(1,)):
    return QuoteTarget("7", locations or ("CN", "US", "MX"), quantities)


# ---- the plan


@pytest.mark.parametrize(
    ("origins", "last", "locations"),
    [
        ([], None, ("CN", "US", "MX")),
        (["US"], None, ("US", "CN", "MX")),
        (["MX", "US"], None, ("MX", "US", "CN")),
        (["US", "CN"], None, ("CN", "US", "MX")),
        (["US", "CN"], "MX", ("MX", "CN", "US")),
        (["DE"], None, ("DE", "CN", "US", "MX")),
        (["CN"], "CN", ("CN", "US", "MX")),
    ],
)
def test_what_worked_last_time_comes_first_then_the_stock_then_the_rest(origins, last, locations):
    assert quote_target("7", origins, 1, None, last).locations == locations


@pytest.mark.parametrize(
    ("minimum", "wholesale", "quantities"),
    [
        (None, None, (1,)),
        (50, None, (50,)),
        (50, 12, (12, 50)),
        (12, 50, (12, 50)),
        (5, 5, (5,)),
        (0, None, (1,)),
    ],
)
def test_the_fewest_units_that_can_be_ordered_are_quoted(minimum, wholesale, quantities):
    assert quote_target("7", [], minimum, wholesale).quantities == quantities


# ---- the tries


def test_the_first_location_that_offers_ends_the_tries():
    result, tries = quote(target(), {("CN", 1): OFFER})
    assert tries == [("CN", 1)]
    assert [option.vendor_code for option in result.options] == [offer["vendor_code"] for offer in OFFER]
    assert (result.requested_dispatch, result.quantity, result.refusals, result.fault) == ("CN", 1, (), None)
    assert result.answered_at == NOW + timedelta(seconds=1)


def test_an_empty_list_of_options_is_a_refusal_and_the_next_location_is_tried():
    result, tries = quote(target(), {("CN", 1): NOTHING, ("US", 1): OFFER})
    assert tries == [("CN", 1), ("US", 1)]
    assert result.requested_dispatch == "US"
    assert [(refusal.dispatch_location, refusal.code) for refusal in result.refusals] == [("CN", NO_OPTIONS)]


def test_every_refusal_is_kept_with_its_code_and_words():
    result, tries = quote(target(), {("CN", 1): "10010", ("US", 1): "10012", ("MX", 1): "4016"})
    assert tries == [("CN", 1), ("US", 1), ("MX", 1)]
    assert result.options == ()
    assert [(r.dispatch_location, r.quantity, r.code, r.message) for r in result.refusals] == [
        ("CN", 1, "10010", "words of 10010"),
        ("US", 1, "10012", "words of 10012"),
        ("MX", 1, "4016", "words of 4016"),
    ]
    assert result.answered_at == NOW + timedelta(seconds=3)


@pytest.mark.parametrize("code", ["120019", "130106", "4015", "110001", "400007"])
def test_a_code_that_no_other_location_can_mend_ends_the_tries(code):
    result, tries = quote(target(), {("CN", 1): code})
    assert tries == [("CN", 1)]
    assert [refusal.code for refusal in result.refusals] == [code]
    assert result.fault is None


@pytest.mark.parametrize("code", ["4027", "410006", "10007"])
def test_below_the_minimum_a_larger_quantity_is_quoted_there_and_at_the_locations_after(code):
    result, tries = quote(target(quantities=(12, 50)), {("CN", 12): code, ("CN", 50): "10010", ("US", 50): OFFER})
    assert tries == [("CN", 12), ("CN", 50), ("US", 50)]
    assert (result.requested_dispatch, result.quantity) == ("US", 50)
    assert [(r.dispatch_location, r.quantity) for r in result.refusals] == [("CN", 12), ("CN", 50)]


def test_with_no_larger_quantity_left_a_quantity_refusal_ends_the_tries():
    result, tries = quote(target(quantities=(12,)), {("CN", 12): "4027"})
    assert tries == [("CN", 12)]
    assert result.options == ()


@pytest.mark.parametrize(
    "code", ["ServiceTimeout", "ApiCallLimit", "IllegalAccessToken", "NotJson", "InvalidSignature"]
)
def test_a_fault_of_the_way_there_leaves_the_quote_undecided(code):
    result, tries = quote(target(), {("CN", 1): "10010", ("US", 1): code})
    assert tries == [("CN", 1), ("US", 1)]
    assert result.fault is not None
    assert result.fault.code == code
    assert result.options == ()


def test_a_code_that_is_not_in_the_table_tries_the_next_location_as_the_guide_does():
    result, tries = quote(target(), {("CN", 1): "987654", ("US", 1): OFFER})
    assert tries == [("CN", 1), ("US", 1)]
    assert result.options


def test_options_that_cannot_be_read_are_no_options_and_say_so():
    result, tries = quote(target(), {("CN", 1): ["word"], ("US", 1): OFFER})
    assert tries == [("CN", 1), ("US", 1)]
    assert [refusal.code for refusal in result.refusals] == [UNREADABLE]


answers = st.sampled_from([OFFER, NOTHING, None, ["word"], *BUSINESS, "ServiceTimeout"])


@given(
    st.lists(st.sampled_from(["CN", "US", "MX", "DE"]), min_size=1, max_size=4, unique=True),
    st.lists(st.integers(1, 99), min_size=1, max_size=3, unique=True),
    st.lists(answers, min_size=12, max_size=12),
)
def test_whatever_is_answered_no_try_is_repeated_and_every_try_is_accounted_for(locations, quantities, told):
    one_by_one = iter(told)
    plan = target(*locations, quantities=tuple(sorted(quantities)))
    result, tries = quote(plan, lambda _location, _quantity: next(one_by_one))
    assert len(set(tries)) == len(tries) <= len(locations) + len(quantities) - 1
    refused = [(refusal.dispatch_location, refusal.quantity) for refusal in result.refusals]
    ended_otherwise = bool(result.options) or result.fault is not None
    assert refused == (tries[:-1] if ended_otherwise else tries)
    assert not (result.options and result.fault)
    if result.options:
        assert (result.requested_dispatch, result.quantity) == tries[-1]
