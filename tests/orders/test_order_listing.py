"""The order list is read to its end, or is said not to have been: whatever pages do while they are read."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dropship_pipeline.alibaba.orders import OrderPage, OrderSummary
from dropship_pipeline.orders import listing
from dropship_pipeline.orders.listing import OrderListing, Verdict

Answer = Callable[[int], OrderPage | str]


def order(number: int, status: str = "unpay") -> OrderSummary:
    return OrderSummary(f"T{number}", status, None, None)


def page(numbers: Sequence[int], total: int | None, unreadable: int = 0) -> OrderPage:
    return OrderPage(tuple(order(number) for number in numbers), total, unreadable, ())


def honest(count: int, size: int = 10) -> Answer:
    return lambda number: page(range(count)[number * size : (number + 1) * size], count)


def read(answer: Answer, size: int = 10) -> tuple[OrderListing, int]:
    """The reading at its end, and how many pages were asked for."""
    reading, asked = OrderListing(size), 0
    while pages := reading.wanted():
        for number in pages:
            asked += 1
            assert asked < 5_000, "it does not end"
            told = answer(number)
            if isinstance(told, str):
                reading.failed(number, told)
            else:
                reading.read(number, told)
    return reading, asked


@pytest.mark.parametrize(("count", "calls"), [(0, 1), (3, 1), (10, 2), (11, 2), (95, 10), (100, 11)])
def test_a_list_is_read_to_its_end_with_no_more_calls_than_that_takes(count: int, calls: int) -> None:
    reading, asked = read(honest(count))
    assert reading.verdict == Verdict(complete=True)
    assert len(reading.orders) == count
    assert asked == calls


def test_an_order_that_shifted_onto_a_page_already_read_is_found_by_reading_again() -> None:
    first = {0: range(10), 1: range(11, 21), 2: range(21, 25)}  # order 10 moved to the first page meanwhile
    passes = iter(range(10))
    now = next(passes)

    def answer(number: int) -> OrderPage:
        nonlocal now
        if number == 0:
            now = next(passes)
        return page(first.get(number, ()), 25) if now == 1 else page(range(25)[number * 10 : number * 10 + 10], 25)

    reading, _ = read(answer)
    assert reading.verdict.complete
    assert len(reading.orders) == 25


def test_an_order_that_left_while_the_pages_were_read_does_not_stand_in_for_one_that_was_not_seen() -> None:
    """T0 was seen and left, T10 slipped onto the page before: as many as there are now, and one of them unseen."""
    passes = 0

    def answer(number: int) -> OrderPage:
        nonlocal passes
        passes += number == 0
        if passes == 1:
            return (page(range(10), 20), page(range(11, 20), 19), page((), 19))[number]
        return page(range(1, 20)[number * 10 : number * 10 + 10], 19)

    reading, _ = read(answer)
    assert reading.verdict.complete
    assert {found.trade_id for found in reading.orders} == {f"T{number}" for number in range(20)}


def test_a_page_that_stays_empty_makes_the_reading_incomplete() -> None:
    reading, _ = read(lambda number: page((), 25) if number == 1 else honest(25)(number))  # type: ignore[arg-type,return-value]
    assert not reading.verdict.complete
    assert reading.verdict.reason == "promised 25 orders, 15 different ones were listed"
    assert len(reading.orders) == 15


def test_a_page_that_fails_once_is_asked_for_again() -> None:
    failures = iter(["HTTP 500"])
    reading, _ = read(lambda number: next(failures, honest(25)(number)) if number == 1 else honest(25)(number))
    assert reading.verdict.complete


def test_a_page_that_fails_twice_is_named() -> None:
    reading, _ = read(lambda number: "HTTP 500" if number == 1 else honest(25)(number))
    assert reading.verdict == Verdict(complete=False, reason="could not be read: page 1: HTTP 500")


def test_a_total_that_is_too_low_does_not_end_the_reading_while_pages_are_full() -> None:
    reading, _ = read(lambda number: page(range(35)[number * 10 : number * 10 + 10], 1))
    assert len(reading.orders) == 35


def test_a_total_beyond_all_bounds_costs_a_few_pages() -> None:
    reading, asked = read(lambda number: page(range(5) if number == 0 else (), 10**12))
    assert not reading.verdict.complete
    assert asked <= listing.PASSES * (listing.AHEAD + 2)


def test_a_list_without_a_total_is_complete_when_a_second_reading_finds_nothing_new() -> None:
    reading, asked = read(lambda number: page(range(25)[number * 10 : number * 10 + 10], None))
    assert reading.verdict.complete
    assert len(reading.orders) == 25
    assert asked == 8


@pytest.mark.parametrize("total", [None, 20, 25])
def test_a_list_that_answers_its_first_page_for_ever_is_given_up(total: int | None) -> None:
    reading, asked = read(lambda _: page(range(10), total))
    assert not reading.verdict.complete
    assert asked < 40


def test_entries_without_an_order_id_make_the_reading_incomplete() -> None:
    reading, _ = read(lambda _: page(range(3), 4, unreadable=1))
    assert reading.verdict == Verdict(complete=False, reason="has 1 entry without an order ID")
    assert len(reading.orders) == 3


def test_of_two_sights_of_an_order_the_last_counts() -> None:
    answers = {0: OrderPage((order(1, "unpay"), order(2)), 3, 0, ()), 1: OrderPage((order(1, "paid"),), 3, 0, ())}
    reading = OrderListing(2)
    reading.read(0, answers[0])
    reading.read(1, answers[1])
    assert next(found for found in reading.orders if found.trade_id == "T1").status == "paid"


@given(st.data())
def test_whatever_the_pages_say_the_reading_ends_and_calls_itself_complete_only_with_all_that_was_promised(
    data: st.DataObject,
) -> None:
    totals = st.none() | st.integers(0, 60)
    pages = st.builds(page, st.lists(st.integers(0, 40), max_size=10), totals, st.integers(0, 1))
    answers = data.draw(st.lists(pages | st.just("fails"), min_size=1, max_size=30))
    asked: list[OrderPage | str] = []

    def answer(_: int) -> OrderPage | str:
        asked.append(answers[len(asked) % len(answers)])
        return asked[-1]

    reading, _ = read(answer)
    if reading.verdict.complete:
        last_pass_totals = [told.total for told in asked if isinstance(told, OrderPage) and told.total is not None]
        assert not last_pass_totals or len(reading.orders) >= min(last_pass_totals)
