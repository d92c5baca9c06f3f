"""The client over real HTTP, against a server that does what no server should."""

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import orjson
import pytest
from gateways import TOKEN, gateway_at, is_signed
from scripted_gateway import Reply, Script, ScriptedGateway, Seen, ok, ok_result, refusal

from dropship_pipeline.alibaba.client import Client
from dropship_pipeline.alibaba.dialect import Dialect
from dropship_pipeline.alibaba.errors import ApiError, Permanent, Refused, Transient, Unreachable
from dropship_pipeline.alibaba.gateway import Gateway, Timeouts
from dropship_pipeline.alibaba.order_requests import Address, CreateOrder, OrderItem, PayOrders
from dropship_pipeline.alibaba.requests import EstimateFreight
from dropship_pipeline.problem import Problem

FREIGHT = EstimateFreight("1600124642247", 5, "US", "90001", "CN")
OPTION = {"vendor_code": "EX", "delivery_time": "10~15", "fee": {"amount": "19.1", "currency": "USD"}}
ORDER = CreateOrder(
    "ORDER-1",
    (OrderItem("1", "2", 3),),
    Address("10012", "US", "United States of America", "New York", "New York", "123 Main Street & 5 – 你好"),
    "CN",
    "EX",
    remark="a=b&c + d",
)


@contextmanager
def served(script: Script, **more: object) -> Iterator[tuple[Client, ScriptedGateway]]:
    with ScriptedGateway(script) as server, Client(gateway_at(server.url, **more)) as client:  # type: ignore[arg-type]
        yield client, server


def in_turn(*replies: Reply) -> Script:
    """Each reply once, the last one for ever."""
    left = list(replies)
    return lambda _seen: left.pop(0) if len(left) > 1 else left[0]


def test_a_call_arrives_signed_and_its_answer_is_typed() -> None:
    with served(in_turn(ok([OPTION]))) as (client, server):
        options = client.estimate_freight(FREIGHT)
    assert [option.vendor_code for option in options] == ["EX"]
    (seen,) = server.seen
    assert (seen.method, seen.path) == ("GET", "/shipping/freight/calculate")
    assert is_signed(seen)
    assert seen.params["access_token"] == TOKEN


def test_what_is_posted_is_a_form_and_leaves_the_url_bare() -> None:
    with served(in_turn(ok({"trade_id": "7", "pay_url": "u"}))) as (client, server):
        assert client.create_order(ORDER).trade_id == "7"
    (seen,) = server.seen
    assert (seen.method, seen.query) == ("POST", "")
    assert is_signed(seen)
    assert seen.wrapped("logistics_detail")["shipment_address"]["address"] == "123 Main Street & 5 – 你好"  # type: ignore[index]
    assert seen.params["remark"] == "a=b&c + d"


def test_every_repetition_is_signed_for_its_own_time() -> None:
    with served(in_turn(Reply(status=503), Reply(status=503), ok([]))) as (client, server):
        client.estimate_freight(FREIGHT)
    assert all(is_signed(seen) for seen in server.seen)
    assert len({seen.params["timestamp"] for seen in server.seen}) == 3


@pytest.mark.parametrize(
    "broken",
    [
        Reply(b"<html>Service unavailable</html>"),
        Reply({"code": "0", "value": []}, length=5000, hang_up=True),
        Reply(b'{"code":"0","val', hang_up=True),
        Reply(status=0),
        Reply(b"\x1f\x8b\x08garbage", headers={"Content-Encoding": "gzip"}),
        Reply(gzip.compress(b'{"code":"0","value":[]}')[:-12], headers={"Content-Encoding": "gzip"}),
        Reply(status=500),
        Reply({"code": "0", "value": []}, status=502),
        Reply({"type": "ISP", "code": "ServiceTimeout", "message": "x"}),
    ],
    ids=["html", "cut off", "half a document", "hung up", "bad gzip", "half a gzip", "500", "502", "code"],
)
def test_a_read_survives_every_kind_of_broken_answer(broken: Reply) -> None:
    with served(in_turn(broken, ok([OPTION]))) as (client, server):
        assert len(client.estimate_freight(FREIGHT)) == 1
    assert len(server.seen) == 2


def test_compressed_answers_are_read() -> None:
    body = gzip.compress(orjson.dumps({"code": "0", "value": [OPTION] * 500}))
    with served(in_turn(Reply(body, headers={"Content-Encoding": "gzip"}))) as (client, server):
        assert len(client.estimate_freight(FREIGHT)) == 500
    assert "gzip" in server.seen[0].headers["accept-encoding"]


@pytest.mark.parametrize(
    "silent",
    [Reply(ok([]).body, delay=30), Reply(ok([]).body, drip=0.2), Reply(b"{", length=100)],
    ids=["late", "drip", "hang"],
)
def test_an_answer_that_does_not_come_in_time_is_asked_for_again(silent: Reply) -> None:
    started = time.monotonic()
    with served(in_turn(silent, ok([])), timeouts=Timeouts(0.3, 0.7)) as (client, server):
        assert client.estimate_freight(FREIGHT) == []
    assert len(server.seen) == 2
    assert time.monotonic() - started < 4


@pytest.mark.parametrize("broken", [Reply(status=0), Reply(status=503), Reply(b"<html>"), Reply(b"{", length=9)])
def test_an_order_whose_answer_was_lost_is_not_placed_again(broken: Reply) -> None:
    with (
        served(in_turn(broken, ok({"trade_id": "7"})), timeouts=Timeouts(0.3, 0.5)) as (client, server),
        pytest.raises(Transient) as raised,
    ):
        client.create_order(ORDER)
    assert raised.value.outcome_unknown
    assert len(server.seen) == 1


def test_a_redirect_is_not_followed_with_a_signed_request() -> None:
    with (
        served(in_turn(Reply(status=302, headers={"Location": "http://127.0.0.1:9/elsewhere"}))) as (client, server),
        pytest.raises(Permanent, match="ALIBABA_BASE_URL"),
    ):
        client.estimate_freight(FREIGHT)
    assert len(server.seen) == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/rest", "http://no-such-host.invalid/rest"])
def test_an_unreachable_host_is_named_soon(url: str) -> None:
    started = time.monotonic()
    with Client(gateway_at(url)) as client, pytest.raises(Unreachable, match="ALIBABA_BASE_URL") as raised:
        client.estimate_freight(FREIGHT)
    assert time.monotonic() - started < 10
    assert url.split("/")[2] in str(raised.value)


@pytest.mark.parametrize("url", ["", "openapi-api.alibaba.com/rest", "ftp://host/rest", "http://", "https:///rest"])
def test_an_address_that_is_none_is_a_problem_with_a_remedy(url: str) -> None:
    with pytest.raises(Problem, match=r"openapi-api\.alibaba\.com/rest"):
        gateway_at(url)


def test_a_ban_holds_up_the_next_call_of_every_thread() -> None:
    banned = refusal("ApiCallLimit", "this ban will last 1 seconds")
    with served(in_turn(*[banned] * 6, ok([]))) as (client, server):
        started = time.monotonic()
        threads = [threading.Thread(target=client.estimate_freight, args=(FREIGHT,)) for _ in range(6)]
        for thread in threads:
            thread.start()
        while len(server.seen) < 6:
            time.sleep(0.01)
        time.sleep(0.2)
        client.estimate_freight(FREIGHT)
        assert time.monotonic() - started > 0.9
        for thread in threads:
            thread.join()
    assert len(server.seen) == 13


def test_the_dialect_is_found_out_once() -> None:
    def live(seen: Seen) -> Reply:
        if "index" in seen.wrapped("query_req"):
            return ok_result([1, 2])
        return Reply({"result": {"result_msg": "Parameter format is error!", "result_code": "400"}})

    with served(live, dialect=Dialect.AUTO) as (client, server):
        for page in range(3):
            assert client.list_products("scene", page, 2, scene_id="906124611").product_ids == ["1", "2"]
    assert len(server.seen) == 4


def test_paying_what_is_paid_is_a_success() -> None:
    pay = PayOrders(("7",), "10.0.0.1", "agent", 1)
    with served(in_turn(refusal("ORDER_HAVE_PAID", "paid"))) as (client, _):
        assert client.pay_orders(pay).paid
    with (
        served(in_turn(refusal("404", "order not found"))) as (client, _),
        pytest.raises(Refused, match="order not found"),
    ):
        client.pay_orders(pay)


def test_connections_are_kept() -> None:
    with served(in_turn(ok([]))) as (client, server):
        for _ in range(20):
            client.estimate_freight(FREIGHT)
    assert (len(server.seen), server.connections) == (20, 1)


@pytest.mark.parametrize(
    "use",
    [
        lambda client: client.estimate_freight(FREIGHT),
        lambda client: client.describe_product("1"),
        lambda client: client.list_products("local", 0, 5, country="US"),
        lambda client: client.get_order("1"),
        lambda client: client.create_token("code"),
    ],
)
def test_a_gateways_refusal_comes_with_its_own_words(use: Callable[[Client], object]) -> None:
    words = "what the gateway says"
    with (
        served(in_turn(refusal("InvalidAppKey", words))) as (client, _),
        pytest.raises(ApiError, match=words) as raised,
    ):
        use(client)
    assert raised.value.request_id == "0ba2"


def test_a_gateways_repr_names_the_host_alone() -> None:
    gateway: Gateway = gateway_at("https://user:password@gateway.example:8443/rest")
    assert repr(gateway) == "Gateway('gateway.example:8443')"
    assert repr(Client(gateway)) == "Client(Gateway('gateway.example:8443'))"
