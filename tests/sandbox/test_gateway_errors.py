"""How the gateway refuses: each error in its own words and envelope, with HTTP 200 unless there is a reason."""

import json
import time
from datetime import UTC, datetime

import pytest

DESCRIPTION = "/eco/buyer/product/description"
REQUEST = {"query_req": json.dumps({"product_id": "1601206892606"})}
HOUR_MS = 3_600_000


def assert_refused(answer, code, type_="ISV"):
    assert set(answer) == {"type", "code", "message", "request_id"}
    assert (answer["code"], answer["type"]) == (code, type_)
    assert answer["message"]
    assert answer["request_id"]


@pytest.mark.parametrize("name", ["app_key", "timestamp", "sign_method", "sign"])
def test_a_system_parameter_that_is_missing_is_named(client, name):
    reply = client.send(DESCRIPTION, REQUEST, **{name: None})
    assert reply.status == 200
    assert_refused(reply.json, "MissingParameter")
    assert f'"{name}"' in reply.json["message"]


def test_an_unknown_app_is_refused(client):
    assert_refused(client.call(DESCRIPTION, REQUEST, app_key="87654321"), "InvalidAppKey")


def test_a_wrong_secret_is_an_incomplete_signature(client):
    client.env["ALIBABA_APP_SECRET"] = "wrong"
    answer = client.call(DESCRIPTION, REQUEST)
    assert_refused(answer, "IncompleteSignature")
    assert answer["message"] == "The request signature does not conform to platform standards"


def test_a_call_changed_after_signing_is_refused(client):
    params = client.signed(DESCRIPTION, REQUEST)
    params["query_req"] = params["query_req"].replace("606", "607")
    assert_refused(client.raw("GET", DESCRIPTION, params).json, "IncompleteSignature")


@pytest.mark.parametrize("hours", [-1.9, 1.9])
def test_a_clock_within_two_hours_is_good_enough(client, hours):
    stamp = str(int(time.time() * 1000 + hours * HOUR_MS))
    assert client.call(DESCRIPTION, REQUEST, timestamp=stamp)["result"]["result_code"] == "200"


@pytest.mark.parametrize("hours", [-2.1, 2.1, -9000])
def test_a_clock_more_than_two_hours_off_is_refused(client, hours):
    stamp = str(int(time.time() * 1000 + hours * HOUR_MS))
    assert_refused(client.call(DESCRIPTION, REQUEST, timestamp=stamp), "IllegalTimestamp")


@pytest.mark.parametrize("stamp", ["yesterday", "9" * 5000, "-1", "²"])
def test_a_timestamp_that_is_none_is_refused(client, stamp):
    assert_refused(client.call(DESCRIPTION, REQUEST, timestamp=stamp), "IllegalTimestamp")


def test_a_timestamp_may_be_told_as_utc_text(client):
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert client.call(DESCRIPTION, REQUEST, timestamp=stamp)["result"]["result_code"] == "200"


def test_signatures_are_dated_by_the_real_clock_whatever_time_it_is_in_the_sandbox(own):
    _, client = own(clock_start_ms=1_500_000_000_000)
    assert client.describe("1601206892606")["result"]["result_code"] == "200"


def test_only_sha256_is_a_sign_method(client):
    assert_refused(client.call(DESCRIPTION, REQUEST, sign_method="md5"), "InvalidParameter")


@pytest.mark.parametrize("token", [None, "", "50000nobodys"])
def test_a_token_that_is_missing_or_unknown_is_refused_in_the_gateways_own_words(client, token):
    answer = client.call(DESCRIPTION, REQUEST, access_token=token)
    assert_refused(answer, "IllegalAccessToken")
    assert answer["message"] == "The specified access token is invalid or expired"


def test_a_revoked_token_is_refused_and_an_issued_one_serves(own):
    running, client = own()
    assert running.control("accounts/revoke", {"token": client.env["ALIBABA_ACCESS_TOKEN"]}) == {"revoked": True}
    assert_refused(client.call(DESCRIPTION, REQUEST), "IllegalAccessToken")
    client.env["ALIBABA_ACCESS_TOKEN"] = running.control("accounts/issue", {})["access_token"]
    assert client.describe("1601206892606")["result"]["result_code"] == "200"


def test_a_token_that_ran_out_is_mended_by_a_refresh(own):
    running, client = own(access_token_s=600)
    running.control("clock", {"advance_s": 601})
    assert_refused(client.call(DESCRIPTION, REQUEST), "IllegalAccessToken")
    fresh = client.call(
        "/auth/token/refresh", {"refresh_token": client.env["ALIBABA_REFRESH_TOKEN"]}, access_token=None
    )
    assert (fresh["code"], fresh["expires_in"]) == ("0", "600")
    client.env["ALIBABA_ACCESS_TOKEN"] = fresh["access_token"]
    assert client.describe("1601206892606")["result"]["result_code"] == "200"


def test_how_a_refresh_answers_can_be_chosen(own):
    def refreshed(**settings):
        _, client = own(**settings)
        old = client.env["ALIBABA_REFRESH_TOKEN"]
        return old, client.call("/auth/token/refresh", {"refresh_token": old}, access_token=None)

    old, answer = refreshed(rotate_refresh_token=True)
    assert answer["refresh_token"] != old
    _, answer = refreshed(refresh_repeats_token=False)
    assert "refresh_token" not in answer
    _, answer = refreshed(refresh_token_s=0)
    assert_refused(answer, "IllegalRefreshToken")


def test_a_path_that_does_not_exist_is_refused(client):
    assert_refused(client.call("/eco/buyer/product/nothing"), "InvalidApiPath")


def test_a_method_that_the_guide_does_not_give_is_refused_with_405(client):
    reply = client.send(DESCRIPTION, REQUEST, method="POST")
    assert reply.status == 405
    assert_refused(reply.json, "UnsupportedHttpMethod")


def test_an_endpoints_own_parameter_that_is_missing_is_named(client):
    answer = client.call(DESCRIPTION)
    assert_refused(answer, "MissingParameter")
    assert '"query_req"' in answer["message"]


@pytest.mark.parametrize("text", ["001", "[]", "{", '"x"', '{"product_id": null}', '{"product_id": ["1"]}', "{}"])
def test_a_request_object_that_cannot_be_read_is_a_format_error_under_result(client, text):
    answer = client.call(DESCRIPTION, {"query_req": text})
    assert answer.pop("request_id")
    assert answer == {"result": {"result_msg": "Parameter format is error!", "result_code": "400"}, "code": "0"}


def test_post_endpoints_under_eco_say_result_message(client):
    answer = client.call("/eco/buyer/product/events", {"query_req": "{}"}, method="POST")
    assert answer["result"] == {"result_message": "Parameter format is error!", "result_code": "400"}


def test_a_business_error_has_its_code_at_the_top_and_no_type(client):
    answer = client.freight("1600124642247", 5, destination="UK")
    assert set(answer) == {"code", "message", "request_id"}
    assert answer["code"] == "4015"


def test_the_method_style_entry_tells_errors_as_error_response(client):
    client.prefix = ""
    params = client.signed("/shipping/freight/calculate", {"method": "/shipping/freight/calculate"}, app_key="1")
    error = client.raw("POST", "/sync", params, "form").json["error_response"]
    assert set(error) == {"type", "code", "msg", "request_id"}
    assert error["code"] == "InvalidAppKey"


def test_request_ids_differ(client):
    ids = {client.describe("1601206892606")["request_id"] for _ in range(5)}
    assert len(ids) == 5


def test_the_root_says_what_this_is(client):
    reply = client.http("GET", "/")
    assert (reply.status, reply.headers["content-type"]) == (200, "text/plain;charset=UTF-8")
    assert b"simulated Alibaba.com" in reply.body


def test_the_authorise_page_is_on_the_same_port_and_its_code_is_good_for_tokens(client):
    query = "response_type=code&client_id=12345678&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fcb&state=s"
    page = client.http("GET", f"/oauth/authorize?{query}")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    form = f"{query}&decision=authorize&buyer=200042362"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    redirect = client.http("POST", "/oauth/authorize", headers, form.encode())
    assert redirect.status == 302
    code = redirect.headers["location"].partition("code=")[2].partition("&")[0]
    tokens = client.call("/auth/token/create", {"code": code}, access_token=None)
    assert tokens["code"] == "0"
    client.env["ALIBABA_ACCESS_TOKEN"] = tokens["access_token"]
    assert client.describe("1601206892606")["result"]["result_code"] == "200"


def test_a_body_that_is_too_large_is_refused(client):
    reply = client.http("POST", "/rest/shipping/freight/calculate", {}, b"x" * (17 * 1024 * 1024))
    assert reply.status == 413
