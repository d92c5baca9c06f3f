"""Feeds that lie about their length, or move while they are read, cost no product its place."""

from collections.abc import Callable

import pytest
from deployment import Deployment
from oracle import expected_feeds, stored_feeds

from dropship_pipeline.sync.request import SyncRequest
from dropship_pipeline.sync.summary import FeedState

Deploy = Callable[..., Deployment]
LISTINGS = SyncRequest(limit=0)
COUNTED = SyncRequest(feeds=("us_standard", "cross_border_us", "mx_dropship", "us_top_sellers"), limit=0)
"""Feeds of the endpoint that gives a total."""
HOUR = 3_600


def ended(merchant: Deployment) -> set[tuple[str, str]]:
    rows = merchant.rows("SELECT feed, product_id FROM catalog.feed_products WHERE delisted_at IS NOT NULL")
    return {(row["feed"], row["product_id"]) for row in rows}


TOTALS = {
    "total_wrong:by=17": {FeedState.INCOMPLETE},  # more than there are: nobody knows what is missing
    "total_wrong:by=-17": {FeedState.COMPLETE},  # fewer than there are: refuted by what is on the pages
    "total_zero": {FeedState.COMPLETE},
    "total_moving": {FeedState.COMPLETE, FeedState.INCOMPLETE},
}


def test_a_total_that_is_wrong_hides_no_product_and_ends_no_membership(deploy: Deploy) -> None:
    merchant = deploy(products=900, drift=0)
    true = expected_feeds(merchant)
    for fault, states in TOTALS.items():
        merchant.sandbox.control("faults", method="DELETE")
        merchant.sandbox.control("faults", {"fault": fault})
        for _ in range(2):
            for feed in merchant.sync(COUNTED).feeds:
                assert feed.state in states, fault
                assert feed.state is FeedState.INCOMPLETE or feed.listed == len(true[feed.feed])
            assert stored_feeds(merchant) == {key: true[key] for key in COUNTED.feeds}, fault
    assert ended(merchant) == set()


@pytest.mark.parametrize("way", ["", ":way=insert", ":way=remove"])
def test_pages_that_shift_while_they_are_read_end_no_membership(deploy: Deploy, way: str) -> None:
    merchant = deploy(products=900, drift=0)
    true = expected_feeds(merchant)
    merchant.sync(COUNTED)
    merchant.sandbox.control("faults", {"fault": f"shifting_pages{way}"})
    incomplete = set()
    for _ in range(3):
        for feed in merchant.sync(COUNTED).feeds:
            assert feed.state in (FeedState.COMPLETE, FeedState.INCOMPLETE)
            if feed.state is FeedState.COMPLETE:
                assert feed.listed == len(true[feed.feed])
            else:
                incomplete.add(feed.feed)
    assert ended(merchant) == set()
    assert "us_top_sellers" not in incomplete, "a feed of one page cannot shift"
    assert way == ":way=insert" or incomplete, "the pages did not shift: the test shows nothing"
    merchant.sandbox.control("faults", method="DELETE")
    assert merchant.sync(COUNTED).problems == []
    assert stored_feeds(merchant) == {key: true[key] for key in COUNTED.feeds}


def test_what_falls_between_two_pages_of_a_feed_without_a_total_ends_no_membership(deploy: Deploy) -> None:
    """The same product would be missed by a second sweep with the same pages, however complete the two look."""
    merchant = deploy(products=900, drift=0, variables={"ALIBABA_DIALECT": "guide"})
    merchant.sync(SyncRequest(limit=0))
    merchant.sandbox.control("faults", {"fault": "shifting_pages:way=remove:by=1"})
    summary = merchant.sync(SyncRequest(limit=0))
    assert any(feed.sweeps == 2 for feed in summary.feeds), "no sweep missed anything: the test shows nothing"
    assert merchant.value("SELECT count(*) FROM catalog.listing_changes WHERE change = 'delisted'") == 0
    assert len(merchant.rows("SELECT DISTINCT page_size FROM ops.sweeps")) > 1


def test_a_membership_ends_only_if_the_feed_dropped_the_product_while_it_was_read(deploy: Deploy) -> None:
    """Feeds in motion: some four hours of comings and goings a second, while each call takes a while."""
    merchant = deploy(products=2_000, latency_ms=30, variables={"ALIBABA_CONCURRENCY": "4"})
    merchant.sync(LISTINGS)
    first_ms = merchant.sandbox.control("clock")["now_ms"]
    merchant.sandbox.control("clock", {"speed": 4 * HOUR})
    for _ in range(2):
        merchant.sync(LISTINGS)
    now_ms = merchant.sandbox.control("clock", {"speed": 0})["now_ms"]
    gone = ended(merchant)
    assert gone, "no membership ended while the feeds moved: the test shows nothing"
    unaccounted = set(gone)
    while unaccounted and now_ms > first_ms - HOUR * 1_000:
        merchant.sandbox.control("clock", {"set_ms": now_ms})
        feeds = {key: set(ids) for key, ids in expected_feeds(merchant).items()}
        unaccounted = {(feed, one) for feed, one in unaccounted if one in feeds[feed]}
        now_ms -= HOUR * 1_000
    assert unaccounted == set()
