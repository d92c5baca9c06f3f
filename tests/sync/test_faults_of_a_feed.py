"""A failed, empty, short or endless listing never delists anything; what is gone goes after two complete sweeps."""

from collections.abc import Callable

import pytest
from deployment import Deployment
from oracle import expected_feeds, stored_feeds

from dropship_pipeline.sync.request import SyncRequest
from dropship_pipeline.sync.summary import FeedState

Deploy = Callable[..., Deployment]
SCENES = "path=/eco/buyer/product/check"


def delisted(merchant: Deployment) -> int:
    return int(merchant.value("SELECT count(*) FROM catalog.feed_products WHERE delisted_at IS NOT NULL"))


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        ("empty_listing", FeedState.HELD),
        ("missing_third", FeedState.HELD),
        ("refuse:code=300000", FeedState.INCOMPLETE),
        ("same_page", FeedState.INCOMPLETE),
    ],
)
def test_a_broken_listing_delists_nothing(deploy: Deploy, fault: str, state: FeedState) -> None:
    merchant = deploy(products=900, drift=0)
    feeds = ("local_us", "cross_border")
    merchant.sync(SyncRequest(feeds=feeds, limit=0))
    merchant.sandbox.control("faults", {"fault": f"{fault}:path=/eco/buyer/crossborder/product/check"})
    summary = merchant.sync(SyncRequest(feeds=feeds, limit=0))
    states = {feed.feed: feed.state for feed in summary.feeds}
    assert states == {"local_us": FeedState.COMPLETE, "cross_border": state}
    assert delisted(merchant) == 0
    [problem] = summary.problems
    assert "cross_border" in problem
    merchant.sandbox.control("faults", method="DELETE")
    assert merchant.sync(SyncRequest(feeds=feeds, limit=0)).problems == []
    assert stored_feeds(merchant)["cross_border"] == expected_feeds(merchant)["cross_border"]


def test_a_held_delisting_is_let_through_by_a_person(deploy: Deploy) -> None:
    merchant = deploy(products=300, drift=0)
    request = SyncRequest(feeds=("cross_border",), limit=0)
    merchant.sync(request)
    listed = merchant.value("SELECT count(*) FROM catalog.feed_products")
    merchant.sandbox.control("faults", {"fault": "empty_listing:path=/eco/buyer/crossborder/product/check"})
    assert merchant.sync(request).feeds[0].state is FeedState.HELD
    let_through = SyncRequest(feeds=("cross_border",), limit=0, let_through=True)
    assert merchant.sync(let_through).problems == []
    assert delisted(merchant) == listed
    assert merchant.value("SELECT count(*) FROM catalog.listing_changes WHERE change = 'delisted'") == listed
    merchant.sandbox.control("faults", method="DELETE")
    merchant.sync(request)
    assert delisted(merchant) == 0
    back = merchant.rows("SELECT * FROM catalog.feed_products WHERE last_listed_at > first_listed_at")
    assert len(back) == listed


def test_what_left_a_feed_is_delisted_after_a_second_sweep_in_the_same_sync(deploy: Deploy) -> None:
    merchant = deploy(products=900)
    merchant.sync(SyncRequest(limit=0))
    before = expected_feeds(merchant)
    merchant.sandbox.control("clock", {"advance_s": 3 * 86_400})
    after = expected_feeds(merchant)
    gone = {(feed, product) for feed, ids in before.items() for product in ids if product not in after[feed]}
    assert gone, "nothing left a feed in three days: the test shows nothing"
    summary = merchant.sync(SyncRequest(limit=0))
    assert summary.problems == []
    ended = merchant.rows("SELECT feed, product_id FROM catalog.feed_products WHERE delisted_at IS NOT NULL")
    assert {(row["feed"], row["product_id"]) for row in ended} == gone
    assert stored_feeds(merchant) == {key: ids for key, ids in after.items() if ids}
    swept_twice = {feed.feed for feed in summary.feeds if feed.sweeps == 2}
    assert swept_twice == {feed for feed, _ in gone}
    logged = merchant.rows(
        "SELECT feed, product_id FROM catalog.listing_changes WHERE change = 'delisted' AND feed IS NOT NULL"
    )
    assert {(row["feed"], row["product_id"]) for row in logged} == gone
