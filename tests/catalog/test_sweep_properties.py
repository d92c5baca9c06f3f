"""Whatever a feed does while it is read: a sweep ends, and is never silently short."""

from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from simulated_feed import MANY_CALLS, SimulatedFeed, ids, sweep_over, swept

from dropship_pipeline.alibaba.products import ProductPage
from dropship_pipeline.catalog.sweep import Complete, Incomplete, Running, Sweep

thorough = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
sizes = st.integers(1, 12)
counts = st.integers(0, 70)
read_numbers = st.integers(0, 60)


@given(counts, sizes, sizes, st.none() | st.integers(0, 90), st.randoms(use_true_random=False))
@thorough
def test_of_a_feed_that_stands_still_a_complete_sweep_has_exactly_the_products(count, asked, cap, claimed, shuffled):
    """The total may be right, missing, zero, too low or too high; pages of a round come in any order."""
    feed = SimulatedFeed(ids(count), total=lambda _: claimed, cap=cap)
    sweep = sweep_over(feed, asked, shuffled)
    assert swept(sweep) == ids(count)
    assert sweep.table()["position"].to_pylist() == list(range(count))
    if claimed is None or claimed <= count:
        assert sweep.verdict() == Complete()
    else:
        assert isinstance(sweep.verdict(), Incomplete)


@given(counts, sizes, sizes, st.frozensets(read_numbers), st.frozensets(read_numbers), st.frozensets(st.integers(0, 9)))
@thorough
def test_with_a_true_total_no_empty_or_failing_page_makes_a_sweep_silently_short(
    count, asked, cap, empty_at, failing_at, holes
):
    feed = SimulatedFeed(ids(count), cap=cap, empty_at=empty_at, failing_at=failing_at, holes=holes)
    sweep = sweep_over(feed, asked)
    if sweep.verdict() == Complete():
        assert sorted(swept(sweep)) == ids(count)
    assert set(swept(sweep)) <= set(ids(count))


@given(counts, sizes, sizes, read_numbers, st.frozensets(read_numbers))
@thorough
def test_without_a_total_one_empty_answer_and_any_failures_make_no_sweep_silently_short(
    count, asked, cap, empty_at, failing_at
):
    feed = SimulatedFeed(
        ids(count), total=lambda _: None, cap=cap, empty_at=frozenset({empty_at}), failing_at=failing_at
    )
    sweep = sweep_over(feed, asked)
    if sweep.verdict() == Complete():
        assert sorted(swept(sweep)) == ids(count)


def comes(where, fresh):
    def change(products):
        products.insert(int(where * len(products)), next(fresh))

    return change


def goes(where):
    def change(products):
        if len(products) > 1:
            products.pop(int(where * (len(products) - 1)))

    return change


places = st.floats(0, 1)
moments = st.integers(1, 40)


@st.composite
def moving_feeds(draw, kinds, total=len):
    fresh = iter(ids(1_000, first=500))
    changes = {}
    for moment in draw(st.sets(moments, max_size=12)):
        where = draw(places)
        changes[moment] = comes(where, fresh) if draw(st.sampled_from(kinds)) == "comes" else goes(where)
    return SimulatedFeed(ids(draw(st.integers(1, 40))), total=total, cap=draw(sizes), changes=changes)


def has_what_it_must(feed, sweep):
    seen = set(swept(sweep))
    assert seen <= feed.ever
    if sweep.verdict() == Complete():
        assert feed.always <= seen, f"lost {feed.always - seen} after reading {feed.calls}"


@given(moving_feeds(["comes", "goes"]), sizes)
@thorough
def test_a_feed_that_moves_under_a_true_total_is_complete_or_says_that_it_is_not(feed, asked):
    """At most one product comes or goes between two reads: each change shows in a total."""
    has_what_it_must(feed, sweep_over(feed, asked))


@given(st.sampled_from(["comes", "goes"]).flatmap(lambda kind: moving_feeds([kind], lambda _: None)), sizes)
@thorough
def test_a_feed_without_a_total_that_grows_or_shrinks_is_complete_or_says_that_it_is_not(feed, asked):
    """Additions and removals in one sweep can cancel each other out in the two measured lengths: see `sweep`."""
    has_what_it_must(feed, sweep_over(feed, asked))


@given(moving_feeds(["comes"]), sizes)
@thorough
def test_a_feed_that_stops_moving_is_complete_in_the_end(feed, asked):
    feed.changes = {moment: change for moment, change in feed.changes.items() if moment < 10}
    sweep = sweep_over(feed, asked, max_resweeps=12)
    assert sweep.verdict() == Complete()
    assert set(feed.products) <= set(swept(sweep)) | (feed.ever - feed.always)


@given(st.data(), sizes, st.integers(0, 3))
@settings(thorough, max_examples=80)
def test_a_gateway_that_answers_anything_is_survived(data, asked, resweeps):
    """No answer, in no order, makes a sweep raise, loop, or list what was not answered."""
    products = st.lists(st.sampled_from(ids(30)), max_size=8)
    pages = st.builds(ProductPage, products, st.none() | st.integers(0, 40), st.integers(0, 2))
    sweep = Sweep(asked, max_resweeps=resweeps)
    answered = Counter()
    for _ in range(400):
        wanted = sweep.wanted()
        if not wanted:
            break
        page = data.draw(st.sampled_from(wanted))
        answer = data.draw(pages | st.none())
        if answer is None:
            sweep.failed(page, "HTTP 503")
        else:
            answered.update(answer.product_ids)
            sweep.read(page, answer)
    assert set(swept(sweep)) <= set(answered)
    assert sweep.table()["product_id"].null_count == 0
    assert (sweep.wanted() == []) == (not isinstance(sweep.verdict(), Running))


@given(st.integers(0, 40), sizes, sizes, st.none() | st.integers(0, 60), st.randoms(use_true_random=False))
@settings(thorough, max_examples=200)
def test_pages_in_any_order_give_the_same_table(count, asked, cap, claimed, shuffled):
    in_order = sweep_over(SimulatedFeed(ids(count), total=lambda _: claimed, cap=cap), asked)
    out_of_order = sweep_over(SimulatedFeed(ids(count), total=lambda _: claimed, cap=cap), asked, shuffled)
    assert in_order.table().equals(out_of_order.table())
    assert in_order.verdict() == out_of_order.verdict()
    assert in_order.pages_read == out_of_order.pages_read < MANY_CALLS
