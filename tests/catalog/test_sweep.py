"""A sweep is complete when that is proved, spends few calls on it, and says what is wrong when it cannot be."""

from random import Random

import pyarrow as pa
import pytest
from simulated_feed import SimulatedFeed, ids, sweep_over, swept

from dropship_pipeline.alibaba.products import ProductPage
from dropship_pipeline.catalog.sweep import SWEPT, Complete, Incomplete, Running, Sweep, least_products


def no_total(_products):
    return None


def test_a_feed_with_a_total_is_read_page_by_page_and_no_call_more():
    feed = SimulatedFeed(ids(250))
    sweep = sweep_over(feed)
    assert sweep.verdict() == Complete()
    assert swept(sweep) == ids(250)
    assert sorted(feed.calls) == [0, 1, 2]
    assert (sweep.pages_read, sweep.reported_total) == (3, 250)


def test_all_pages_that_a_total_promises_may_be_read_at_once_when_its_last_page_was_seen():
    feed = SimulatedFeed(ids(30_000))
    sweep = Sweep(100)
    rounds = []
    while pages := sweep.wanted():
        rounds.append(len(pages))
        for page in pages:
            sweep.read(page, feed.read(page, 100))
    assert sweep.verdict() == Complete()
    assert rounds == [1, 66, 234]


def test_a_full_last_page_is_looked_behind():
    feed = SimulatedFeed(ids(200))
    assert sweep_over(feed).verdict() == Complete()
    assert feed.calls == [0, 1, 2]


def test_positions_count_from_the_head_of_the_feed_whatever_order_pages_come_in():
    feed = SimulatedFeed(ids(730), cap=50)
    table = sweep_over(feed, shuffled=Random(7)).table()
    assert table.schema == SWEPT
    assert table["product_id"].to_pylist() == ids(730)
    assert table["position"].to_pylist() == list(range(730))


def test_a_gateway_that_caps_the_page_size_is_read_in_its_own_pages():
    feed = SimulatedFeed(ids(95), cap=20)
    sweep = sweep_over(feed, page_size=300)
    assert sweep.verdict() == Complete()
    assert swept(sweep) == ids(95)
    assert sorted(feed.calls) == [0, 1, 2, 3, 4]


def test_a_single_short_page_is_looked_behind_for_it_may_be_capped():
    feed = SimulatedFeed(ids(130), cap=50, total=lambda _: 50)
    sweep = sweep_over(feed)
    assert sweep.verdict() == Complete()
    assert swept(sweep) == ids(130)


@pytest.mark.parametrize("total", [no_total, lambda _: 0], ids=["none", "zero"])
def test_without_a_total_a_feed_ends_with_an_empty_page_that_is_empty_again_and_has_nothing_behind(total):
    feed = SimulatedFeed(ids(130), total=total)
    sweep = sweep_over(feed)
    assert sweep.verdict() == Complete()
    assert swept(sweep) == ids(130)
    assert feed.calls.count(2) == 2
    assert 3 in feed.calls


def test_without_a_total_a_long_feed_costs_a_few_calls_more_than_it_has_pages():
    feed = SimulatedFeed(ids(100_000), total=no_total)
    sweep = Sweep(100)
    rounds = 0
    while pages := sweep.wanted():
        rounds += 1
        for page in pages:
            sweep.read(page, feed.read(page, 100))
    assert sweep.verdict() == Complete()
    assert swept(sweep) == ids(100_000)
    assert len(feed.calls) < 1_000 + 30
    assert rounds < 30, "most pages are read at once"


@pytest.mark.parametrize("total", [len, no_total], ids=["total", "no total"])
def test_an_empty_feed_is_complete_once_it_was_looked_at_twice(total):
    feed = SimulatedFeed([], total=total)
    sweep = sweep_over(feed)
    assert sweep.verdict() == Complete()
    assert sweep.table().num_rows == 0
    assert feed.calls == [0, 0, 1]


def test_an_empty_page_in_the_middle_is_read_again():
    feed = SimulatedFeed(ids(1_000), empty_at=frozenset({5}))
    sweep = sweep_over(feed)
    assert sweep.verdict() == Complete()
    assert swept(sweep) == ids(1_000)
    assert len(feed.calls) == 10 + 1 + 1, "ten pages, the empty one again, one behind the full last one"


def test_without_a_total_one_empty_page_does_not_cut_the_feed():
    for number in range(12):
        feed = SimulatedFeed(ids(730), total=no_total, empty_at=frozenset({number}))
        sweep = sweep_over(feed)
        assert sweep.verdict() == Complete(), number
        assert sorted(swept(sweep)) == ids(730), number


@pytest.mark.parametrize("total", [len, no_total], ids=["total", "no total"])
def test_a_page_that_stays_empty_in_the_middle_makes_the_sweep_incomplete(total):
    feed = SimulatedFeed(ids(1_000), total=total, holes=frozenset({3}))
    sweep = sweep_over(feed)
    assert isinstance(sweep.verdict(), Incomplete)
    assert set(swept(sweep)) == set(ids(1_000)) - set(ids(100, first=300))


def test_a_total_too_high_is_never_reached_and_costs_two_passes():
    feed = SimulatedFeed(ids(250), total=lambda _: 1_000_000)
    sweep = sweep_over(feed)
    assert sweep.verdict() == Incomplete("promised 1,000,000 products, 250 different ones were listed")
    assert swept(sweep) == ids(250)
    assert len(feed.calls) < 200


@pytest.mark.parametrize("claimed", [1, 40, 50, 90, 100, 110, 120])
def test_a_total_too_low_does_not_cut_the_feed(claimed):
    feed = SimulatedFeed(ids(130), cap=50, total=lambda _: claimed)
    sweep = sweep_over(feed)
    assert sweep.verdict() == Complete()
    assert swept(sweep) == ids(130)


def test_a_third_of_the_products_missing_under_a_true_total_is_noticed():
    sweep = sweep_over(SimulatedFeed(ids(200), total=lambda products: len(products) * 3 // 2))
    assert sweep.verdict() == Incomplete("promised 300 products, 200 different ones were listed")


def test_a_product_listed_twice_is_counted_once():
    twice = [*ids(130), ids(1)[0]]
    with_total = sweep_over(SimulatedFeed(list(twice)))
    assert with_total.verdict() == Incomplete("promised 131 products, 130 different ones were listed")
    without = sweep_over(SimulatedFeed(list(twice), total=no_total))
    assert without.verdict() == Complete()
    for sweep in (with_total, without):
        assert swept(sweep) == ids(130)
        assert sweep.table()["position"].to_pylist() == list(range(130))


@pytest.mark.parametrize("total", [no_total, lambda _: 100_000], ids=["no total", "total"])
def test_one_page_for_ever_is_stopped_and_named(total):
    calls = []
    sweep = Sweep(100)
    while pages := sweep.wanted():
        for page in pages:
            calls.append(page)
            sweep.read(page, ProductPage(ids(100), total(None)))
    assert sweep.verdict() == Incomplete("page 1 repeats page 0, and so on: the feed turns in circles")
    assert swept(sweep) == ids(100)
    assert len(calls) < 100


def test_a_gateway_that_answers_its_last_page_for_ever_is_read_to_there():
    products = ids(450)
    sweep = Sweep(100)
    while pages := sweep.wanted():
        for page in pages:
            last = min(page, 4)
            sweep.read(page, ProductPage(products[last * 100 : last * 100 + 100], None))
    assert isinstance(sweep.verdict(), Incomplete)
    assert "repeats page 4" in sweep.verdict().reason


def test_a_feed_without_end_is_given_up_after_a_few_calls():
    sweep = Sweep(100)
    calls = 0
    while pages := sweep.wanted():
        for page in pages:
            calls += 1
            sweep.read(page, ProductPage(ids(100, first=page * 100), None))
    assert sweep.verdict() == Incomplete("page 131072 still lists products: the feed does not end")
    assert calls < 30


def test_a_page_that_fails_is_read_again_and_a_page_that_fails_twice_costs_completeness_and_no_more():
    once = SimulatedFeed(ids(500), failing_at=frozenset({2}))
    assert sweep_over(once).verdict() == Complete()
    always = SimulatedFeed(ids(500), broken=frozenset({2}))
    sweep = sweep_over(always)
    assert sweep.verdict() == Incomplete("page 2 could not be read: HTTP 503")
    assert set(swept(sweep)) == set(ids(500)) - set(ids(100, first=200))
    assert always.calls.count(2) == 2


def test_a_gateway_that_is_down_is_not_asked_for_every_page():
    feed = SimulatedFeed(ids(50_000), failing_at=frozenset(range(1, 5_000)))
    verdict = sweep_over(feed).verdict()
    assert isinstance(verdict, Incomplete)
    assert "pages could not be read; page 1: HTTP 503" in verdict.reason
    assert len(feed.calls) < 200


@pytest.mark.parametrize("total", [3, None])
def test_an_entry_that_is_no_product_id_is_not_taken_for_nothing(total):
    sweep = Sweep(100)
    while pages := sweep.wanted():
        for page in pages:
            sweep.read(page, ProductPage(ids(2), total, unreadable=1) if page == 0 else ProductPage([], total))
    verdict = sweep.verdict()
    assert isinstance(verdict, Incomplete)
    if total is None:
        assert verdict.reason == "page 0 lists what is no product ID"


def test_a_product_added_at_the_head_pushes_others_onto_the_next_page_and_none_is_lost():
    feed = SimulatedFeed(ids(300, first=10), changes={2: lambda products: products.insert(0, ids(1)[0])})
    sweep = sweep_over(feed)
    assert sweep.verdict() == Complete()
    assert set(ids(300, first=10)) <= set(swept(sweep))


def test_a_product_that_goes_pulls_another_off_its_page_and_the_feed_is_read_again():
    # page 0 and the last one are read, then the first product goes, then page 1: what was first on page 1 is on page 0
    feed = SimulatedFeed(ids(350), changes={2: lambda products: products.pop(0)})
    sweep = sweep_over(feed)
    assert sweep.verdict() == Complete()
    assert set(swept(sweep)) == set(ids(349, first=1))
    assert len(feed.calls) > 4


def test_without_a_total_a_product_that_goes_is_noticed_by_the_length():
    feed = SimulatedFeed(ids(350), total=no_total, changes={7: lambda products: products.pop(0)})
    sweep = sweep_over(feed)
    assert sweep.verdict() == Complete()
    assert set(ids(349, first=1)) <= set(swept(sweep))


def test_a_feed_that_changes_all_the_time_is_given_up_with_its_totals():
    fresh = iter(ids(500))

    def comes(products):
        products.insert(0, next(fresh))

    def goes(products):
        products.pop(0)

    changes = {number: comes if number % 2 else goes for number in range(1, 200)}
    feed = SimulatedFeed(ids(1_000, first=500), changes=changes)
    sweep = sweep_over(feed, max_resweeps=1)
    verdict = sweep.verdict()
    assert isinstance(verdict, Incomplete)
    assert verdict.reason.startswith("moved while it was read: promised ")


def test_passes_are_bounded():
    numbers = iter(range(10**9))
    feed = SimulatedFeed(ids(250), total=lambda _: 1_000 + next(numbers))
    assert isinstance(sweep_over(feed, max_resweeps=2).verdict(), Incomplete)
    assert feed.calls.count(0) <= 3 * 2


@pytest.mark.parametrize("total", [len, no_total], ids=["total", "no total"])
def test_an_interrupted_sweep_goes_on_from_its_landed_pages(total):
    whole = SimulatedFeed(ids(1_730), total=total)
    undisturbed = sweep_over(whole)
    for cut in range(len(whole.calls) + 1):
        feed = SimulatedFeed(ids(1_730), total=total)
        landed = []
        first = Sweep(100)
        while len(landed) < cut and (pages := first.wanted()):
            for page in pages[: cut - len(landed)]:
                answer = feed.read(page, 100)
                landed.append((page, answer))
                first.read(page, answer)
        second = Sweep(100)
        for page, answer in landed:
            second.read(page, answer)
        while pages := second.wanted():
            for page in pages:
                second.read(page, feed.read(page, 100))
        assert second.verdict() == Complete()
        assert second.table().equals(undisturbed.table())
        assert len(feed.calls) == len(whole.calls), "nothing is read twice because of the interruption"


def test_what_arrives_after_the_verdict_changes_nothing():
    sweep = sweep_over(SimulatedFeed(ids(10)))
    sweep.read(5, ProductPage(ids(10, first=100), 20))
    assert swept(sweep) == ids(10)
    assert sweep.wanted() == []


def test_a_sweep_under_way_tells_what_it_has_seen():
    sweep = Sweep(100)
    sweep.read(0, ProductPage(ids(100), 250))
    assert sweep.verdict() == Running()
    assert isinstance(sweep.table(), pa.Table)


@pytest.mark.parametrize(
    ("lengths", "least"),
    [([], 0), ([5], 5), ([5, 5], 5), ([5, 7], 7), ([7, 5], 7), ([5, 4, 5], 6), ([3, 4, 3, 4], 5)],
)
def test_each_rise_of_a_length_is_a_product_more(lengths, least):
    assert least_products(lengths) == least


def test_a_million_products_take_little_memory():
    sweep = Sweep(300)
    before = pa.total_allocated_bytes()
    products = ids(1_000_000)
    while pages := sweep.wanted():
        for page in pages:
            sweep.read(page, ProductPage(products[page * 300 : page * 300 + 300], len(products)))
    assert sweep.verdict() == Complete()
    assert sweep.table().num_rows == 1_000_000
    assert pa.total_allocated_bytes() - before < 100_000_000
