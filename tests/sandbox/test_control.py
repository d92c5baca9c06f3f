"""The control API: what was answered, what is true, and the levers."""

import json
from urllib.error import HTTPError

import pytest

MUG = "1601206892606"
DESCRIPTION, INVENTORY = "/eco/buyer/product/description", "/eco/buyer/product/inventory"
START = 1_769_000_000_000
DAY_MS = 86_400_000


def test_health_names_every_api_path_of_the_guide_and_those_beyond_it(frozen):
    health = frozen.control("health")
    assert (health["status"], health["products"]) == ("up", 700)
    guide = {
        "/auth/token/create",
        "/auth/token/refresh",
        "/eco/buyer/product/check",
        "/eco/buyer/local/product/check",
        "/eco/buyer/localregular/product/check",
        "/eco/buyer/crossborder/product/check",
        DESCRIPTION,
        INVENTORY,
        "/shipping/freight/calculate",
        "/order/freight/calculate",
        "/buynow/order/create",
        "/alibaba/dropshipping/order/pay",
        "/alibaba/order/list",
        "/alibaba/order/get",
        "/alibaba/order/fund/query",
        "/order/logistics/query",
        "/order/logistics/tracking/get",
    }
    beyond = {
        "/alibaba/order/cancel",
        "/alibaba/order/pay/result/query",
        "/eco/buyer/product/batch/description",
        "/eco/buyer/product/batch/inventory",
        "/eco/buyer/product/batch/keyattributes",
        "/eco/buyer/product/keyattributes",
        "/eco/buyer/product/events",
    }
    assert set(health["paths"]) == guide | beyond


def test_every_answered_call_is_counted_by_endpoint_and_outcome(own):
    running, client = own()
    client.describe(MUG)
    client.describe(MUG)
    client.describe("1")
    client.freight(MUG, 1)
    client.call("/no/such/path")
    stats = running.control("stats")
    assert stats["answered"] == 5
    assert stats["endpoints"] == {
        DESCRIPTION: {"ok": 2, "404": 1},
        "/shipping/freight/calculate": {"4027": 1},
        "(unknown path)": {"InvalidApiPath": 1},
    }
    assert running.control("stats/reset", {})["endpoints"] == {}


def test_each_product_and_how_often_it_was_read_can_be_asked(own):
    running, client = own()
    for product_id in (MUG, MUG, "1600927952535"):
        client.describe(product_id)
    client.describe("1")
    client.call("/eco/buyer/product/batch/inventory", {"query_req": json.dumps({"product_ids": [MUG, "100001"]})})
    answer = running.control(f"calls?path={DESCRIPTION}")
    assert answer == {"calls": {MUG: 2, "1600927952535": 1}, "complete": True}
    batch = running.control("calls?path=/eco/buyer/product/batch/inventory")
    assert batch["calls"] == {MUG: 1, "100001": 1}
    client.freight("1600124642247", 5, dispatch="CN")
    freight = running.control("calls?path=/shipping/freight/calculate")["calls"]
    assert freight == {"1600124642247|5|US|CN": 1}


def test_the_log_tells_calls_in_their_order_and_from_where_one_left_off(own):
    running, client = own()
    client.describe(MUG)
    client.inventory(MUG)
    first, second = running.control("log")["calls"]
    assert (first["path"], first["key"], first["outcome"], first["http_status"]) == (
        DESCRIPTION,
        {"product_id": MUG},
        "ok",
        200,
    )
    assert (second["path"], second["method"], second["sequence"]) == (INVENTORY, "GET", 2)
    client.describe("100001")
    assert [call["sequence"] for call in running.control("log?since=2")["calls"]] == [3]
    assert [call["sequence"] for call in running.control(f"log?path={INVENTORY}")["calls"]] == [2]


def test_a_log_file_gets_a_line_for_each_call_and_nothing_secret_is_told_anywhere(own, tmp_path):
    log = tmp_path / "calls.jsonl"
    running, client = own(log_file=str(log))
    client.describe(MUG)
    client.call("/auth/token/refresh", {"refresh_token": client.env["ALIBABA_REFRESH_TOKEN"]})
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["path"] for line in lines] == [DESCRIPTION, "/auth/token/refresh"]
    told = log.read_text() + json.dumps([running.control(path) for path in ("log", "stats", "health")])
    for name in ("ALIBABA_APP_SECRET", "ALIBABA_ACCESS_TOKEN", "ALIBABA_REFRESH_TOKEN"):
        assert client.env[name] not in told


def test_the_clock_can_be_read_set_moved_on_and_made_to_run(own):
    running, _ = own(clock_start_ms=START, clock_speed=0)
    assert running.control("clock") == {"now_ms": START, "speed": 0.0}
    assert running.control("clock", {"advance_s": 1.5})["now_ms"] == START + 1500
    assert running.control("clock", {"set_ms": START - DAY_MS})["now_ms"] == START - DAY_MS
    running.control("clock", {"speed": 100_000})
    moved = running.control("clock")["now_ms"] - (START - DAY_MS)
    assert 0 < moved < 100_000_000


def test_moving_the_clock_on_moves_prices_and_stock(own):
    running, client = own(products=300, drift=1, clock_start_ms=START, clock_speed=0, access_token_s=90 * 86_400)
    ids = running.control("truth/products")["product_ids"][8:60]

    def look():
        return [
            (client.describe(i)["result"]["result_data"], client.inventory(i)["result"]["result_data"]) for i in ids
        ]

    first = look()
    assert look() == first
    running.control("clock", {"advance_s": 30 * 86_400})
    later = look()
    prices_moved = sum(a["skus"] != b["skus"] for (a, _), (b, _) in zip(first, later, strict=True))
    stock_moved = sum(a != b for (_, a), (_, b) in zip(first, later, strict=True))
    assert prices_moved > len(ids) / 2
    assert stock_moved > len(ids) * 0.9


def test_orders_and_what_became_of_them_can_be_asked(own):
    running, client = own(orders=20, products=300, clock_start_ms=START, clock_speed=0)
    orders = running.control("truth/orders")["orders"]
    listed = client.call("/alibaba/order/list", {"role": "buyer", "page_size": "100"}, method="POST")["value"]
    true_ids = {order["trade_id"] for order in orders}
    mine = {order["trade_id"] for order in listed["order_list"]}
    assert len(mine & true_ids) >= 20
    changes = running.control(f"truth/order_changes?since_ms=0&until_ms={START}")["changes"]
    assert {change["trade_id"] for change in changes} <= true_ids
    assert changes


def test_accounts_are_told_and_tokens_issued_expired_and_revoked(own):
    running, client = own()
    accounts = running.control("accounts")
    assert accounts["apps"] == [{"app_key": "12345678", "app_secret": "helloworld"}]
    assert accounts["buyers"][0]["access_token"] == client.env["ALIBABA_ACCESS_TOKEN"]
    other = accounts["buyers"][1]["user_id"]
    issued = running.control("accounts/issue", {"user_id": other})
    assert issued["user_id"] == other
    client.env["ALIBABA_ACCESS_TOKEN"] = issued["access_token"]
    assert client.describe(MUG)["code"] == "0"
    assert running.control("accounts/expire", {"token": issued["access_token"]}) == {"expired": True}
    assert client.describe(MUG)["code"] == "IllegalAccessToken"
    assert running.control("accounts/revoke", {"token": "nobodys"}) == {"revoked": False}


def test_a_buyers_payment_standing_can_be_changed(own):
    running, _ = own()
    assert running.control("accounts/payment", {"payment": "declined"})["payment"] == "declined"
    assert running.control("accounts/pay_by_hand", {"trade_id": "1"}) == {"paid": False}


@pytest.mark.parametrize(
    ("path", "document", "status"),
    [
        ("nonsense", None, 404),
        ("truth/product?id=1", None, 404),
        ("truth/feed?key=nothing", None, 404),
        ("truth/product", None, 400),
        ("clock", {"set_ms": "soon"}, 400),
        ("faults", {}, 400),
        ("faults", [], 400),
        ("accounts/issue", {"user_id": "nobody"}, 400),
        ("accounts/payment", {"payment": "bitcoin"}, 400),
    ],
)
def test_a_control_request_that_makes_no_sense_is_refused_with_a_reason(frozen, path, document, status):
    with pytest.raises(HTTPError) as caught:
        frozen.control(path, document)
    assert caught.value.code == status
    assert json.load(caught.value)["error"]


def test_the_control_api_is_not_counted_nor_limited(own):
    running, _ = own(calls_per_second=1)
    for _ in range(5):
        running.control("health")
    assert running.control("stats")["answered"] == 0


def test_a_latency_delays_the_api_and_not_the_control_api(own):
    import time

    running, client = own(latency_ms=250)

    def told():
        started = time.monotonic()
        running.control("health")
        return time.monotonic() - started

    started = time.monotonic()
    client.describe(MUG)
    assert time.monotonic() - started >= 0.25
    assert min(told() for _ in range(20)) < 0.25
