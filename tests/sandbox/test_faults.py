"""Every fault does what its line in the table says, to the calls that it is meant for, and again with the same seed."""

import http.client
import json
import re
import time
import zlib
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError

import pytest
from moment import THEN_MS
from signed_client import FEEDS

from dropship_pipeline.sandbox.fault_table import FAULT_KINDS

MUG = "1601206892606"
DESCRIPTION = "/eco/buyer/product/description"
REQUEST = {"query_req": json.dumps({"product_id": MUG})}


@pytest.fixture(scope="module")
def faulty():
    from dropship_pipeline.sandbox.launch import SandboxConfig, start

    with start(SandboxConfig(products=700, drift=0, orders=0, clock_start_ms=THEN_MS)) as running:
        yield running


@pytest.fixture
def with_fault(faulty):
    """Switches a fault on and gives a client; everything is switched off afterwards."""
    from signed_client import Client

    def switch_on(text):
        faulty.control("faults", {"fault": text})
        return Client(faulty)

    yield switch_on
    faulty.control("faults", method="DELETE")


@pytest.fixture(scope="module")
def product(faulty):
    """A product with wholesale terms, two places and several variants, as it truly is."""
    return next(
        product
        for product in faulty.control("truth/catalogue")["products"]
        if len(product["description"]["skus"]) > 1
        and len(product["description"]["images"]) > 1
        and product["description"].get("wholesale_trade", {}).get("deliver_periods")
        and len(product["dispatch_locations"]) > 1
        and product["description"]["currency"] == "USD"
    )


# Transport and service


def test_http_500(with_fault):
    assert with_fault("http_500").send(DESCRIPTION, REQUEST).status == 500
    assert with_fault("http_500:status=502").send(DESCRIPTION, REQUEST).status in {500, 502}


def test_an_outage_is_503_for_everything_but_the_control_api(with_fault, faulty):
    client = with_fault("outage")
    assert client.send(DESCRIPTION, REQUEST).status == 503
    assert client.send("/alibaba/order/list", {"role": "buyer"}).status == 503
    assert faulty.control("health")["status"] == "up"


@pytest.mark.parametrize("seconds", [0, 3])
def test_http_429_says_when_to_come_again_in_seconds(with_fault, seconds):
    reply = with_fault(f"http_429:retry_after={seconds}").send(DESCRIPTION, REQUEST)
    assert (reply.status, reply.headers["retry-after"]) == (429, str(seconds))


def test_http_429_says_when_to_come_again_as_a_date(with_fault):
    reply = with_fault("http_429:retry_after=60:date=1").send(DESCRIPTION, REQUEST)
    assert 55 < parsedate_to_datetime(reply.headers["retry-after"]).timestamp() - time.time() < 65


def test_throttle_body(with_fault):
    reply = with_fault("throttle_body:ban=7").send(DESCRIPTION, REQUEST)
    assert (reply.status, reply.json["code"]) == (200, "ApiCallLimit")
    assert "this ban will last 7 seconds" in reply.json["message"]


def test_throttle_body_under_another_code(with_fault):
    assert with_fault("throttle_body:code=7").call(DESCRIPTION, REQUEST)["code"] == "7"


@pytest.mark.parametrize(
    ("shape", "where"),
    [
        ("flat", lambda answer: (answer["code"], answer["message"])),
        ("business", lambda answer: (answer["code"], answer["message"])),
        ("error_response", lambda answer: (answer["error_response"]["code"], answer["error_response"]["msg"])),
        ("result", lambda answer: (answer["result"]["result_code"], answer["result"]["result_msg"])),
    ],
)
def test_refuse_says_any_code_in_any_shape(with_fault, shape, where):
    answer = with_fault(f"refuse:code=AppWhiteIpLimit:message=not your IP:shape={shape}").call(DESCRIPTION, REQUEST)
    assert where(answer) == ("AppWhiteIpLimit", "not your IP")


def test_token_expired_ends_the_token_in_use_once_and_a_refresh_mends_it(with_fault):
    client = with_fault("token_expired:after=1:first=1")
    assert client.describe(MUG)["code"] == "0"
    assert client.describe(MUG)["code"] == "IllegalAccessToken"
    assert client.describe(MUG)["code"] == "IllegalAccessToken"
    fresh = client.call(
        "/auth/token/refresh", {"refresh_token": client.env["ALIBABA_REFRESH_TOKEN"]}, access_token=None
    )
    client.env["ALIBABA_ACCESS_TOKEN"] = fresh["access_token"]
    assert client.describe(MUG)["code"] == "0"


@pytest.fixture(autouse=True)
def good_token(faulty, monkeypatch):
    """Other tests go on with a token of their own when one was expired."""
    faulty.env["ALIBABA_ACCESS_TOKEN"] = faulty.control("accounts/issue", {})["access_token"]


def test_html_page(with_fault):
    reply = with_fault("html_page").send(DESCRIPTION, REQUEST)
    assert (reply.status, reply.headers["content-type"]) == (200, "text/html;charset=UTF-8")
    assert reply.body.startswith(b"<!DOCTYPE html>")


def test_slow(with_fault):
    started = time.monotonic()
    assert with_fault("slow:seconds=0.4").describe(MUG)["code"] == "0"
    assert time.monotonic() - started >= 0.4


def test_hang(with_fault):
    client = with_fault("hang")
    client.timeout_s = 0.5
    with pytest.raises(TimeoutError):
        client.describe(MUG)


def test_drip(with_fault):
    started = time.monotonic()
    assert with_fault("drip:seconds=0.5").describe(MUG)["code"] == "0"
    assert time.monotonic() - started >= 0.45


def test_reset_comes_in_the_middle_of_the_body(with_fault):
    with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
        with_fault("reset").describe(MUG)


def test_truncated_json_is_whole_http(with_fault):
    reply = with_fault("truncated_json").send(DESCRIPTION, REQUEST)
    assert int(reply.headers["content-length"]) == len(reply.body) > 100
    with pytest.raises(json.JSONDecodeError):
        json.loads(reply.body)


def test_bad_gzip(with_fault):
    import gzip

    reply = with_fault("bad_gzip").send(DESCRIPTION, REQUEST)
    assert reply.headers["content-encoding"] == "gzip"
    with pytest.raises((OSError, EOFError, zlib.error)):
        gzip.decompress(reply.body)


# Listings


def truth(faulty, feed):
    return [int(product_id) for product_id in faulty.control(f"truth/feed?key={feed}")["product_ids"]]


def test_empty_page_is_one_page_in_the_middle(with_fault, faulty):
    client = with_fault("empty_page:page=1")
    pages = [client.page("cross_border", number, 50)["result"]["result_data"] for number in range(3)]
    assert pages == [truth(faulty, "cross_border")[:50], [], truth(faulty, "cross_border")[100:150]]


def test_empty_page_can_come_once(with_fault):
    client = with_fault("empty_page:page=1:first=1")
    assert client.page("cross_border", 1, 50)["result"]["result_data"] == []
    assert client.page("cross_border", 2, 50)["result"]["result_data"]


def test_empty_listing(with_fault):
    client = with_fault("empty_listing")
    result = client.page("us_standard", 0, 50)["result"]
    assert (result["result_data"], result["result_total"]) == ([], "0")
    assert client.pages("cross_border", 100) == []


@pytest.mark.parametrize(("option", "kept"), [("", False), (":total=kept", True)])
def test_missing_third_lacks_the_same_products_each_time(with_fault, faulty, option, kept):
    client = with_fault("missing_third" + option)
    true = truth(faulty, "us_standard")
    ids = client.pages("us_standard", 100)
    assert ids == client.pages("us_standard", 100)
    assert set(ids) < set(true)
    assert 0.5 < len(ids) / len(true) < 0.8
    total = client.page("us_standard", 0, 10)["result"]["result_total"]
    assert total == str(len(true) if kept else len(ids))


def test_total_wrong_zero_and_moving(with_fault, faulty):
    true = len(truth(faulty, "us_standard"))

    def totals(client):
        return {client.page("us_standard", 0, 1)["result"]["result_total"] for _ in range(6)}

    assert totals(with_fault("total_wrong:by=-4")) == {str(true - 4)}
    faulty.control("faults", method="DELETE")
    assert totals(with_fault("total_zero")) == {"0"}
    faulty.control("faults", method="DELETE")
    assert len(totals(with_fault("total_moving"))) > 1


def test_lists_without_a_total_get_none_from_a_fault(with_fault):
    assert "result_total" not in with_fault("total_wrong").page("cross_border", 0, 5)["result"]


def test_shifting_pages_repeat_or_skip(with_fault, faulty):
    true = truth(faulty, "cross_border")
    inserted = with_fault("shifting_pages:way=insert:by=3").pages("cross_border", 100)
    assert len(inserted) > len(set(inserted))
    assert set(inserted) == set(true)
    faulty.control("faults", method="DELETE")
    removed = with_fault("shifting_pages:way=remove:by=3").pages("cross_border", 100)
    assert set(removed) < set(true)


def test_same_page_for_ever(with_fault):
    client = with_fault("same_page")
    first = client.page("us_standard", 0, 20)["result"]["result_data"]
    assert first
    assert client.page("us_standard", 999, 20)["result"]["result_data"] == first


def test_products_that_moved_between_feeds_are_in_the_other_one_and_counted_there(with_fault, faulty):
    before = {feed: set(truth(faulty, feed)) for feed in ("us_standard", "cross_border")}
    client = with_fault("moved_between:from=us_standard:to=cross_border")
    left = before["us_standard"] - set(client.pages("us_standard", 100))
    assert 0.1 < len(left) / len(before["us_standard"]) < 0.4
    assert set(client.pages("cross_border", 100)) == before["cross_border"] | left
    total = client.page("us_standard", 0, 20)["result"]["result_total"]
    assert int(total) == len(before["us_standard"]) - len(left)


def test_faults_that_were_all_switched_off_have_the_same_luck_again(with_fault, faulty):
    ids = truth(faulty, "us_standard")[:40]

    def unlucky():
        client = with_fault("wrong_result_code:0.5")
        return [client.describe(str(i))["result"]["result_code"] for i in ids]

    first = unlucky()
    faulty.control("faults", method="DELETE")
    assert unlucky() == first
    assert len(set(first)) == 2


def test_detail_gone_hits_the_same_products_again(with_fault, faulty):
    client = with_fault("detail_gone:0.5")
    ids = truth(faulty, "us_standard")[:40]
    gone = [client.describe(str(i))["result"]["result_code"] == "404" for i in ids]
    assert 5 < sum(gone) < 35
    assert [client.describe(str(i))["result"]["result_code"] == "404" for i in ids] == gone


def test_wrong_result_code_is_a_failure_under_code_0(with_fault):
    answer = with_fault("wrong_result_code").describe(MUG)
    assert (answer["code"], answer["result"]["result_code"]) == ("0", "500")


def test_batch_partial_fails_some_items_in_the_endpoints_own_shape(with_fault, faulty):
    ids = [str(i) for i in truth(faulty, "us_standard")[:40]]
    client = with_fault("batch_partial:share=0.5")
    data = client.call("/eco/buyer/product/batch/description", {"param0": json.dumps({"product_ids": ids})})
    data = data["result"]["data"]
    assert {i["product_id"] for i in data["resultData"]} | {i["productId"] for i in data["failedItems"]} == set(ids)
    assert 5 < len(data["failedItems"]) < 35
    data = client.call("/eco/buyer/product/batch/inventory", {"query_req": json.dumps({"product_ids": ids})})
    data = data["result"]["data"]
    assert {i["product_id"] for i in data["result_data"]} | {i["product_id"] for i in data["failed_items"]} == set(ids)
    assert data["failed_items"][0]["error_code"] == "2005"


def test_batch_partial_fails_them_with_any_code(with_fault, faulty):
    client = with_fault("batch_partial:share=1:code=130106:message=gone")
    ids = json.dumps({"product_ids": [str(i) for i in truth(faulty, "us_standard")[:2]]})
    data = client.call("/eco/buyer/product/batch/description", {"param0": ids})["result"]["data"]
    assert [(i["errorCode"], i["errorMsg"]) for i in data["failedItems"]] == [("130106", "gone")] * 2


def test_batch_missing_passes_over_some_items(with_fault, faulty):
    ids = [str(i) for i in truth(faulty, "us_standard")[:40]]
    client = with_fault("batch_missing:share=0.5")
    for path, wrapper in (("description", "param0"), ("inventory", "query_req")):
        data = client.call(f"/eco/buyer/product/batch/{path}", {wrapper: json.dumps({"product_ids": ids})})
        items, failed = data["result"]["data"].values()
        assert failed == []
        assert 5 < len(items) < 35
        assert {i["product_id"] for i in items} < set(ids)


# Payloads: whether a description (d) and an inventory (i) look as the fault says


class Read(NamedTuple):
    d: dict
    i: list

    @property
    def price(self):
        return self.d["skus"][0]["ladder_price"][0]["price"]

    @property
    def stock(self):
        return self.i[0]["inventory_list"][0]


LOOKS = {
    "null_fields": lambda it: (it.d["title"], it.price, it.stock["inventory_count"]) == (None, None, None),
    "null_text": lambda it: (it.d["title"], it.stock["inventory_count"]) == ("null", "null"),
    "missing_fields": lambda it: "title" not in it.d and "images" not in it.d and "unit" not in it.d["skus"][0],
    "new_fields": lambda it: "brand_new_field" in it.d and "brand_new_field" in it.stock,
    "ids_as_numbers": lambda it: isinstance(it.d["product_id"], int) and isinstance(it.stock["sku_id"], int),
    "numbers_for_strings": lambda it: isinstance(it.price, float) and isinstance(it.stock["inventory_count"], int),
    "object_for_list": lambda it: isinstance(it.d["skus"], dict) and isinstance(it.i[0]["inventory_list"], dict),
    "list_for_object": lambda it: isinstance(it.d["wholesale_trade"], list),
    "minus_one": lambda it: it.stock["inventory_count"] == it.d["min_order_quantity"] == "-1",
    "thousands_price": lambda it: it.price == "1,234.50",
    "word_price": lambda it: it.price == "negotiable",
    "nul_text": lambda it: "\x00" in it.d["title"] and "\x00" in it.stock["inventory_unit"],
    "lone_surrogate": lambda it: "\ud83d" in it.d["title"] and "\ud83d" in it.stock["inventory_unit"],
    "huge_description": lambda it: len(it.d["description"]) > 4_000_000,
    "sku_twice": lambda it: it.d["skus"][0] == it.d["skus"][-1],
    "currency_change": lambda it: it.d["currency"] == "EUR",
}


@pytest.mark.parametrize("name", LOOKS)
def test_payload(with_fault, product, name):
    client = with_fault(name)
    description = client.describe(product["product_id"])["result"]["result_data"]
    inventory = client.inventory(product["product_id"])["result"]["result_data"]
    assert LOOKS[name](Read(description, inventory))
    assert not LOOKS[name](Read(product["description"], product["inventory"]))


def test_a_payload_fault_hits_the_same_products_again_and_leaves_the_rest_alone(with_fault, faulty):
    client = with_fault("word_price:0.4")
    ids = [str(i) for i in truth(faulty, "us_standard")[:40]]

    def spoilt():
        return [
            b"negotiable" in client.send(DESCRIPTION, {"query_req": json.dumps({"product_id": i})}).body for i in ids
        ]

    first = spoilt()
    assert 5 < sum(first) < 30
    assert spoilt() == first


# Which calls are hit


def test_a_rate_is_a_share_of_the_calls_the_same_for_the_same_seed(own):
    def hits():
        _, client = own(faults=("http_500:0.3",), seed=4)
        return [client.send(DESCRIPTION, REQUEST).status for _ in range(60)]

    first, again = hits(), hits()
    assert first == again
    assert 8 < first.count(500) < 30


def test_path_after_and_first_say_which_calls(with_fault):
    client = with_fault("http_500:path=*inventory:after=2:first=3")
    assert client.send(DESCRIPTION, REQUEST).status == 200
    inv_req = {"inv_req": json.dumps({"product_id": MUG})}
    statuses = [client.send("/eco/buyer/product/inventory", inv_req).status for _ in range(7)]
    assert statuses == [200, 200, 500, 500, 500, 200, 200]


def test_faults_are_listed_with_their_luck_and_switched_off_one_by_one(with_fault, faulty):
    client = with_fault("http_500:path=*inventory")
    with_fault("throttle_body:first=1")
    client.describe(MUG)
    first, second = faulty.control("faults")["active"]
    assert (first["name"], first["hits"], first["matched"]) == ("http_500", 0, 0)
    assert (second["name"], second["hits"], second["first"]) == ("throttle_body", 1, 1)
    left = faulty.control(f"faults?id={first['id']}", method="DELETE")["active"]
    assert [fault["id"] for fault in left] == [second["id"]]


@pytest.mark.parametrize(
    "text", ["nonsense", "http_500:much", "http_500:50", "http_500:nan", "http_500:first=x", "http_500:colour=red", ""]
)
def test_a_fault_that_cannot_be_is_refused_with_a_reason(faulty, text):
    with pytest.raises(HTTPError) as caught:
        faulty.control("faults", {"fault": text})
    assert caught.value.code == 400
    error = json.load(caught.value)["error"]
    assert "fault" in error or repr(text) in error
    assert faulty.control("faults")["active"] == []


def test_what_a_fault_did_is_in_the_counts(own):
    running, client = own(faults=("html_page:first=1", "truncated_json:after=1:first=1"))
    for _ in range(3):
        client.send(DESCRIPTION, REQUEST)
    counts = running.control("stats")["endpoints"][DESCRIPTION]
    assert counts == {"fault:html_page": 1, "fault:truncated_json": 1, "ok": 1}


def test_a_spoilt_answer_does_not_spoil_the_next(with_fault, faulty, product):
    client = with_fault("sku_twice:first=1")
    first, second = (client.describe(product["product_id"])["result"]["result_data"] for _ in range(2))
    assert first != second == product["description"]


def test_feeds_of_the_test_client_are_those_of_the_sandbox(faulty):
    assert set(faulty.control("truth/feeds")) == set(FEEDS)


def test_every_fault_of_the_table_has_a_test():
    tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*faults.py"))
    tested = set(re.findall(r'with_fault\(f?"([a-z_0-9]+)', tests))
    assert tested | set(LOOKS) == set(FAULT_KINDS)
