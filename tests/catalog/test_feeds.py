"""The feeds are the contract's, in its order; a wrong key is answered with the right one."""

import pytest

from dropship_pipeline.catalog.feeds import FEEDS, FEEDS_BY_KEY, feed
from dropship_pipeline.problem import Problem

CONTRACT = {
    "us_standard": ("scene", "906124611", None),
    "cross_border_us": ("scene", "906168847", None),
    "us_fast_48h": ("scene", "907135637", None),
    "mx_dropship": ("scene", "907732810", None),
    "us_top_sellers": ("scene", "907180667", None),
    "mx_top_sellers": ("scene", "907180664", None),
    "local_us": ("local", None, "US"),
    "local_mx": ("local", None, "MX"),
    "local_regular": ("localregular", None, None),
    "cross_border": ("crossborder", None, None),
}


def test_the_ten_feeds_stand_in_the_order_of_the_contract():
    assert {f.key: (f.endpoint, f.scene_id, f.country) for f in FEEDS} == CONTRACT
    assert [f.key for f in FEEDS] == list(CONTRACT)
    assert list(FEEDS_BY_KEY) == list(CONTRACT)


def test_a_feed_is_found_by_its_key():
    assert feed("local_mx") is FEEDS_BY_KEY["local_mx"]


@pytest.mark.parametrize(("wrong", "right"), [("us_standart", "us_standard"), ("mx_topsellers", "mx_top_sellers")])
def test_a_misspelt_key_is_answered_with_the_near_ones(wrong, right):
    with pytest.raises(Problem, match=right) as raised:
        feed(wrong)
    assert repr(wrong) in raised.value.what


def test_a_key_like_no_other_is_answered_with_all_of_them():
    with pytest.raises(Problem) as raised:
        feed("!!")
    assert all(key in raised.value.remedy for key in CONTRACT)
