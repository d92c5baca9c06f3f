"""Call limits: how many calls pass, what a ban says and how long it lasts."""

import time

import pytest

from dropship_pipeline.sandbox.api import Refusal
from dropship_pipeline.sandbox.limits import CallLimit


class Watch:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def passes(limit, app="app"):
    try:
        limit.take(app)
    except Refusal as refusal:
        return refusal.message
    return True


def test_a_second_of_calls_passes_at_once_and_the_next_is_banned():
    watch = Watch()
    limit = CallLimit(5, ban_s=2, now=watch)
    assert [passes(limit) for _ in range(5)] == [True] * 5
    assert passes(limit) == "Api access frequency exceeds the limit. this ban will last 2 seconds"
    watch.now += 1.5
    assert passes(limit) == "Api access frequency exceeds the limit. this ban will last 1 seconds"
    watch.now += 0.6
    assert passes(limit) is True


def test_at_the_permitted_rate_nothing_is_ever_refused():
    watch = Watch()
    limit = CallLimit(50, now=watch)
    for _ in range(5000):
        assert passes(limit) is True
        watch.now += 1 / 50


def test_a_ban_of_nothing_refuses_only_the_calls_that_are_too_many():
    watch = Watch()
    limit = CallLimit(10, ban_s=0, now=watch)
    passed = 0
    for _ in range(1000):
        passed += passes(limit) is True
        watch.now += 0.01
    assert 10 + 95 <= passed <= 10 + 101
    assert next(answer for _ in range(20) if (answer := passes(limit)) is not True).endswith("last 0 seconds")


def test_apps_do_not_spend_each_others_calls():
    limit = CallLimit(1, now=Watch())
    assert passes(limit, "one") is True
    assert passes(limit, "one") is not True
    assert passes(limit, "other") is True


def test_no_limit_is_no_limit():
    limit = CallLimit(0, now=Watch())
    assert all(passes(limit) is True for _ in range(1000))


@pytest.mark.parametrize("rate", [0.5, 2.5])
def test_broken_rates_hold_in_the_long_run(rate):
    watch = Watch()
    limit = CallLimit(rate, ban_s=0, now=watch)
    passed = 0
    for _ in range(4000):
        passed += passes(limit) is True
        watch.now += 0.05
    assert abs(passed - 200 * rate) <= 5


def test_a_sandbox_with_a_limit_throttles_in_a_200_body_counts_it_and_lets_pass_again(own):
    running, client = own(calls_per_second=3, ban_s=0.5)
    replies = [client.send("/eco/buyer/product/nowhere") for _ in range(20)]
    assert {reply.json["code"] for reply in replies} == {"InvalidApiPath"}  # what does not exist costs nothing
    answers = [client.describe("1601206892606") for _ in range(8)]
    throttled = [answer for answer in answers if answer.get("code") == "ApiCallLimit"]
    assert len(throttled) == 5
    assert throttled[0]["type"] == "ISV"
    assert "this ban will last 1 seconds" in throttled[0]["message"]
    counts = running.control("stats")["endpoints"]["/eco/buyer/product/description"]
    assert counts == {"ok": 3, "ApiCallLimit": 5}
    time.sleep(0.9)
    assert client.describe("1601206892606")["code"] == "0"


def test_a_wrong_signature_does_not_spend_the_apps_calls(own):
    _, client = own(calls_per_second=1)
    secret, client.env["ALIBABA_APP_SECRET"] = client.env["ALIBABA_APP_SECRET"], "wrong"
    assert {client.describe("1601206892606")["code"] for _ in range(5)} == {"IncompleteSignature"}
    client.env["ALIBABA_APP_SECRET"] = secret
    assert client.describe("1601206892606")["code"] == "0"


def test_the_limit_can_be_changed_while_it_runs(own):
    running, client = own()
    assert running.control("limit", {"calls_per_second": 1, "ban_s": 0}) == {"calls_per_second": 1.0, "ban_s": 0.0}
    codes = [client.describe("1601206892606").get("code") for _ in range(3)]
    assert codes[0] == "0"
    assert "ApiCallLimit" in codes
