"""The ten product lists: what they page through is what is true, in both dialects, at every size of page."""

import json
import time

import pytest
from signed_client import FEEDS

from dropship_pipeline.sandbox.world.catalogue import Catalogue
from dropship_pipeline.sandbox.world.feeds import FEEDS as ALL_FEEDS
from dropship_pipeline.sandbox.world.feeds import PROFILES

NOW = 1_769_000_000_000
HOUR_MS, DAY_MS = 3_600_000, 86_400_000


def truth(running, feed):
    return [int(product_id) for product_id in running.control(f"truth/feed?key={feed}")["product_ids"]]


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("size", [7, 100])
def test_paging_a_feed_to_its_end_gives_exactly_what_is_true_in_its_order(frozen, client, feed, size):
    ids = client.pages(feed, size)
    assert ids == truth(frozen, feed)
    assert len(set(ids)) == len(ids) > 0


@pytest.mark.parametrize("feed", FEEDS)
def test_the_live_dialect_pages_through_the_same_lists(frozen, live_client, feed):
    assert live_client.pages(feed, 300, "live") == truth(frozen, feed)


@pytest.mark.parametrize("feed", FEEDS)
def test_only_the_scenes_tell_a_total_and_it_is_the_number_listed(frozen, client, feed):
    result = client.page(feed, 0, 10)["result"]
    if feed in {"local_us", "local_mx", "local_regular", "cross_border"}:
        assert "result_total" not in result
    else:
        assert result["result_total"] == str(len(truth(frozen, feed)))


def test_beyond_the_end_there_is_an_empty_list_and_the_total_stays(frozen, client):
    result = client.page("us_standard", 5000, 100)["result"]
    assert result["result_data"] == []
    assert result["result_total"] == str(len(truth(frozen, "us_standard")))


def test_a_world_that_stands_still_lists_every_product_in_some_feed_and_most_in_several(frozen):
    listed = [product_id for feed in FEEDS for product_id in truth(frozen, feed)]
    every = frozen.control("truth/products")["product_ids"]
    assert len(every) == 700
    assert {str(product_id) for product_id in listed} == set(every)
    assert 2 <= len(listed) / len(every) <= 3


def test_the_feeds_hold_what_their_names_say(frozen):
    for product_id in frozen.control("truth/products")["product_ids"][::9]:
        product = frozen.control(f"truth/product?id={product_id}")
        origins, feeds = set(product["dispatch_locations"]), set(product["feeds"])
        assert ("local_us" in feeds) <= ("US" in origins)
        assert ("local_mx" in feeds) <= ("MX" in origins)
        assert ("cross_border" in feeds) == ("CN" in origins)
        assert ("local_regular" in feeds) <= bool(origins & {"US", "MX"})
        assert ("us_top_sellers" in feeds) <= ("us_standard" in feeds)


@pytest.mark.parametrize(
    "request_object",
    [
        {"page": 0, "page_size": 10},
        {"scene_id": "1", "page": 0, "page_size": 10},
        {"scene_id": "906124611", "page": 0, "page_size": 101},
        {"scene_id": "906124611", "page": -1, "page_size": 10},
        {"scene_id": "906124611", "page": "x", "page_size": 10},
        {"scene_id": "906124611", "page": 1.5, "page_size": 10},
        {"scene_id": "906124611", "page": True, "page_size": 10},
    ],
)
def test_a_page_that_cannot_be_is_a_format_error(client, request_object):
    answer = client.call("/eco/buyer/product/check", {"query_req": json.dumps(request_object)})
    assert answer["result"] == {"result_msg": "Parameter format is error!", "result_code": "400"}


def test_the_guides_dialect_takes_numbers_as_text_and_no_notice_of_names_it_does_not_know(client):
    first = client.page("us_standard", 0, 20)["result"]["result_data"]
    as_text = {"scene_id": 906124611, "page": "0", "page_size": "20"}
    assert client.call("/eco/buyer/product/check", {"query_req": json.dumps(as_text)})["result"]["result_data"] == first
    live_names = {"scene_id": "906124611", "index": 4, "size": 20, "product_type": "common"}
    answer = client.call("/eco/buyer/product/check", {"query_req": json.dumps(live_names)})
    assert answer["result"]["result_data"] == first


@pytest.mark.parametrize(
    ("feed", "request_object"),
    [
        ("us_standard", {"page": 0, "page_size": 50}),
        ("us_standard", {"index": 0, "size": 50}),
        ("us_standard", {"index": 0, "size": 50, "product_type": "common", "page": 0}),
        ("us_standard", {"index": 0, "product_type": "common"}),
        ("us_standard", {"size": 50, "product_type": "common"}),
        ("us_standard", {"index": 0, "size": 301, "product_type": "common"}),
        ("local_us", {"page": 0, "page_size": 50}),
        ("local_regular", {"index": 0}),
        ("cross_border", {"page": 0, "page_size": 50}),
    ],
)
def test_the_live_dialect_rejects_the_guides_names_and_what_is_missing(live_client, feed, request_object):
    path, parameter, selector = FEEDS[feed]
    reply = live_client.send(path, {parameter: json.dumps({**selector, **request_object})})
    assert reply.status == 200
    answer = reply.json
    del answer["request_id"]
    assert answer == {"result": {"result_msg": "Parameter format is error!", "result_code": "400"}, "code": "0"}


@pytest.mark.parametrize("size", [1, 8, 9, 63, 64, 65, 1000, 4097])
def test_every_size_of_catalogue_lists_each_of_its_products_once_a_feed(size):
    catalogue = Catalogue(3, size, drift=0)
    seen = set()
    for feed in ALL_FEEDS:
        ids = catalogue.page(feed.key, 0, size + 10, NOW)
        assert len(ids) == len(set(ids)) == catalogue.total(feed.key, NOW)
        seen.update(map(str, ids))
        for place in range(0, len(ids), 37):
            assert catalogue.page(feed.key, place, 3, NOW) == ids[place : place + 3]
    assert seen == set(catalogue.ids(NOW))
    assert len(seen) == max(8, size)


def test_a_living_list_is_paged_without_gaps_or_repeats_and_is_what_its_products_say():
    catalogue = Catalogue(3, 3000, drift=1)
    for now in (NOW, NOW + 11 * DAY_MS, NOW + 400 * DAY_MS):
        for feed in ALL_FEEDS:
            everything = catalogue.page(feed.key, 0, 5000, now)
            paged = [i for start in range(0, 5000, 100) for i in catalogue.page(feed.key, start, 100, now)]
            assert paged == everything
            assert len(set(paged)) == len(paged) == catalogue.total(feed.key, now)
        for product_id in catalogue.ids(now)[::50]:
            for key in catalogue.feeds_of(product_id, now):
                assert int(product_id) in catalogue.page(key, 0, 5000, now)


def test_what_is_listed_changes_on_the_hour_and_hardly_from_one_to_the_next():
    catalogue = Catalogue(3, 20_000, drift=1)
    hour = NOW - NOW % HOUR_MS
    first = catalogue.page("cross_border", 0, 20_000, hour)
    assert catalogue.page("cross_border", 0, 20_000, hour + HOUR_MS - 1) == first
    day_later = catalogue.page("cross_border", 0, 20_000, hour + DAY_MS)
    assert 0 < len(set(first) ^ set(day_later)) < len(first) / 50


def test_products_that_stay_keep_their_order_when_others_come_and_go():
    catalogue = Catalogue(3, 3000, drift=1)
    before = catalogue.page("us_standard", 0, 3000, NOW)
    after = catalogue.page("us_standard", 0, 3000, NOW + 60 * DAY_MS)
    both = set(before) & set(after)
    assert both < set(before)
    assert [i for i in before if i in both] == [i for i in after if i in both]


def test_a_million_products_cost_no_time_to_start_and_none_to_page():
    started = time.process_time()
    catalogue = Catalogue(1, 1_000_000, drift=0)
    for start in range(0, 300_000, 1000):
        assert len(catalogue.page("cross_border", start, 300, NOW)) == 300
    assert time.process_time() - started < 2
    assert catalogue.total("cross_border", NOW) > 600_000


def test_a_catalogue_of_more_than_a_million_is_refused():
    with pytest.raises(ValueError, match="1000000"):
        Catalogue(1, 1_000_001, drift=0)


def test_the_profiles_fill_a_block_exactly():
    assert len(PROFILES) == 64
    assert all(profile.feeds for profile in PROFILES)
