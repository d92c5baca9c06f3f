"""The API guide, item by item, as a caller of `alibaba/` meets it: our client against the simulated Alibaba.com.

The two share no code, so that what they agree on is the guide. Requests, answers and refusals in their many shapes are
in the modules beside this one; `docs/guide-coverage.md` says which item is shown where.
"""

import hashlib
import hmac
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from deployment import Deployment
from moment import THEN_MS

from dropship_pipeline.alibaba.authorize import authorize_url
from dropship_pipeline.alibaba.client import Client
from dropship_pipeline.alibaba.dialect import Dialect, DialectMemory
from dropship_pipeline.alibaba.errors import CODES, ApiError, Family
from dropship_pipeline.alibaba.fanout import FanOut
from dropship_pipeline.alibaba.gateway import Gateway
from dropship_pipeline.alibaba.operations import OPERATIONS
from dropship_pipeline.alibaba.order_requests import (
    Address,
    CalculateOrderFreight,
    CreateOrder,
    ListOrders,
    OrderItem,
    PayOrders,
    Phone,
)
from dropship_pipeline.alibaba.products import Level, read_inventory, read_product
from dropship_pipeline.alibaba.rate import UNLIMITED, LocalCallBudget
from dropship_pipeline.alibaba.requests import EstimateFreight, ProductEvent
from dropship_pipeline.alibaba.signing import push_is_genuine
from dropship_pipeline.alibaba.tokens import StaticTokens, TokenPair
from dropship_pipeline.catalog.destinations import Destination, parse_destinations
from dropship_pipeline.catalog.dispatch import quote_flow, quote_target
from dropship_pipeline.catalog.feeds import FEEDS, Feed
from dropship_pipeline.problem import Problem
from dropship_pipeline.sandbox.launch import Running, SandboxConfig, start
from dropship_pipeline.settings import load_settings
from dropship_pipeline.sync.accounts.authorise import login as log_in
from dropship_pipeline.sync.accounts.authorise import open_authority

MUG, STOCKED, ORDERED = "1601206892606", "1600927952535", "234193410001028893"
CODE = "3_500102_JxZ05Ux3cnnSSUm6dCxYg6Q26"
ACCESS_TOKEN = "50000601c30atpedfgu3LVvik87Ixlsvle3mSoB7701ceb156fPunYZ43GBg"
REFRESH_TOKEN = "500016000300bwa2WteaQyfwBMnPxurcA0mXGhQdTt18356663CfcDTYpWoi"
STATUSES = """
to_be_audited unpay paying paid captured undeliver delivering wait_confirm_receipt
trade_close trade_success frozen charge_back
"""
NEW_YORK = Address(
    "10012",
    "US",
    "United States of America",
    "New York",
    "New York",
    "123 Main Street",
    province_code="NY",
    contact_person="John Doe",
    telephone=Phone("+1", "5551234567"),
)
BESSEMER = Address("35022", "US", "United States", "Alabama", "Bessemer", "4595 Clubview Drive", province_code="AL")


def client_of(sandbox: Running, dialect: Dialect = Dialect.AUTO, token: str | None = None) -> Client:
    return Client(gateway_of(sandbox, dialect, token))


def gateway_of(sandbox: Running, dialect: Dialect = Dialect.AUTO, token: str | None = None) -> Gateway:
    return Gateway(
        sandbox.base_url,
        sandbox.env["ALIBABA_APP_KEY"],
        sandbox.env["ALIBABA_APP_SECRET"],
        DialectMemory(dialect),
        StaticTokens(token or sandbox.env["ALIBABA_ACCESS_TOKEN"]),
        LocalCallBudget(UNLIMITED, UNLIMITED),
    )


@pytest.fixture(scope="module")
def still() -> Iterator[Running]:
    """A simulated Alibaba.com in which nothing moves; for tests that change nothing in it."""
    with start(SandboxConfig(products=400, orders=0, drift=0, clock_start_ms=THEN_MS, clock_speed=0)) as running:
        yield running


@pytest.fixture
def client(still: Running) -> Iterator[Client]:
    with client_of(still) as api:
        yield api


# The endpoints: each of the guide's examples, asked by a method of the client, comes back as the guide prints it.


def create_token(api: Client) -> object:
    grant = api.create_token(CODE)
    left = grant.pair.expires_at - datetime.now(UTC) if grant.pair.expires_at else None
    assert left is not None
    return grant.pair.access_token, left > timedelta(days=9.9), grant.profile["user_id"], grant.profile["account"]


def refresh_token(api: Client) -> object:
    pair = api.refresh_token(TokenPair("stale", REFRESH_TOKEN)).pair
    return pair.access_token, pair.refresh_token


def listed(endpoint: str, **which: str) -> Callable[[Client], object]:
    def ask(api: Client) -> object:
        page = api.list_products(endpoint, 0, 50, **which)
        return page.product_ids[:2], page.total is not None, page.unreadable

    return ask


def describe_product(api: Client) -> object:
    mug = api.describe_product(MUG)
    (sku,) = mug.skus
    return mug.e_company_id, mug.wholesale_price, mug.delivery_periods, sku.sku_id, sku.tiers, mug.nulled


def freight_of_an_order(api: Client) -> object:
    items = (OrderItem("1600191825486", "12321", 1),)
    (option,) = api.calculate_order_freight(
        CalculateOrderFreight("cVmhg7/xG8q3UQgcH/5Fag==", "US", items, BESSEMER, "CN")
    )
    return option.vendor_name, option.delivery_days_min, option.delivery_days_max, option.fee, option.store_type


def freight_estimate(api: Client) -> object:
    (option,) = api.estimate_freight(EstimateFreight("1600124642247", 5, "US", "90001", "CN"))
    return option.vendor_code, option.delivery_days_min, option.delivery_days_max, option.fee, option.currency


def create_order(api: Client) -> object:
    order = CreateOrder(
        "ORDER-2026-001",
        (OrderItem("100001", "200001", 10),),
        NEW_YORK,
        "CN",
        "EX_ASP_JYC_FEDEX",
        properties={"platform": "Shopify", "orderId": "SH12345678"},
        remark="Please handle with care",
    )
    created = api.create_order(order)
    return created.trade_id, created.pay_url


def pay_orders(api: Client) -> object:
    return api.pay_orders(PayOrders((ORDERED,), "192.168.1.1", "Mozilla/5.0", 1616595118627)).paid


def list_orders(api: Client) -> object:
    page = api.list_orders(ListOrders(0, 20, status="unpay"))
    return page.total, [(order.trade_id, order.status) for order in page.orders]


def get_order(api: Client) -> object:
    order = api.get_order(ORDERED, language="en_US")
    assert order.total is not None
    return order.status, order.total.amount, order.lines[0].quantity, order.carrier_code, order.nulled


def cancel_order(api: Client) -> object:
    api.cancel_order("271207727001028893")
    return "cancelled"


def query_fund(api: Client) -> object:
    fee = api.query_fund(ORDERED).transaction_fee
    return fee and (fee.amount, fee.currency)


def query_logistics(api: Client) -> object:
    logistics = api.query_logistics(ORDERED)
    return logistics.status, [parcel.tracking_number for parcel in logistics.parcels]


def track_order(api: Client) -> object:
    (parcel,) = api.track_order(ORDERED)
    return parcel.tracking_number, [event.code for event in parcel.events]


def batch_of_descriptions(api: Client) -> object:
    batch = api.describe_products([MUG, STOCKED, "1"])
    alone = api.describe_product(MUG)
    in_the_batch = read_product(batch.items[MUG], MUG)
    return in_the_batch.skus == alone.skus, in_the_batch.images == alone.images, list(batch.items), list(batch.failures)


def batch_of_inventories(api: Client) -> object:
    batch = api.read_inventories([STOCKED, "1"])
    alone = api.read_inventory(STOCKED)
    return read_inventory(batch.items[STOCKED], STOCKED) == alone, list(batch.items), list(batch.failures)


def batch_of_key_attributes(api: Client) -> object:
    batch = api.read_key_attributes([MUG, "1"])
    return list(batch.items), list(batch.failures)


def send_product_events(api: Client) -> object:
    api.send_product_events([ProductEvent(MUG, "PRODUCT_LISTED", "shopify", "store-1")])
    return "taken"


EXAMPLES: dict[str, tuple[Callable[[Client], object], object]] = {
    "create_token": (create_token, (ACCESS_TOKEN, True, "200042362", "buyer@example.com")),
    "refresh_token": (refresh_token, (ACCESS_TOKEN, REFRESH_TOKEN)),
    "list_scene": (listed("scene", scene_id="906124611"), (["1284823", "28743823"], True, 0)),
    "list_local": (listed("local", country="US"), (["1284823", "28743823"], False, 0)),
    "list_local_regular": (lambda api: api.list_products("localregular", 0, 50).total, None),
    "list_cross_border": (lambda api: len(api.list_products("crossborder", 0, 50).product_ids), 50),
    "describe_product": (
        describe_product,
        (
            "xxxxxxxxx",
            Decimal("12.34"),
            ((50, 3),),
            "105613018158",
            ((50, 499, Decimal("3.69"), "USD"),),
            (),
        ),
    ),
    "read_inventory": (
        lambda api: api.read_inventory(STOCKED, shipping_from="CN").levels,
        (Level("104536974925", "CN", STOCKED, 1196, "Piece"),),
    ),
    "estimate_freight": (freight_estimate, ("EX_ASP_Economy_Express_3C", 10, 15, Decimal("19.1"), "USD")),
    "calculate_order_freight": (
        freight_of_an_order,
        ("Seller's Shipping Method 1", 3, 9, Decimal("3.0"), "CERTIFIED"),
    ),
    "create_order": (create_order, (ORDERED, f"https://biz.alibaba.com/ta/detail.htm?orderId={ORDERED}")),
    "pay_orders": (pay_orders, True),
    "list_orders": (list_orders, (2, [("271207727001028893", "unpay"), (ORDERED, "unpay")])),
    "get_order": (
        get_order,
        ("unpay", Decimal("4.87"), Decimal(2), "SEMI_MANAGED_CARRIER_CODE_CHEAPEST", ()),
    ),
    "track_order": (track_order, ("776705370628", ["DELIVERED", "IN_TRANSIT"])),
    "query_logistics": (query_logistics, ("CONFIRM_RECEIPT", ["123432"])),
    "query_fund": (query_fund, (Decimal(11), "USD")),
    # what the live facts add
    "describe_products": (batch_of_descriptions, (True, True, [MUG, STOCKED], ["1"])),
    "read_inventories": (batch_of_inventories, (True, [STOCKED], ["1"])),
    "read_key_attributes": (batch_of_key_attributes, ([MUG], ["1"])),
    "send_product_events": (send_product_events, "taken"),
    "query_pay_result": (lambda api: api.query_pay_result(ORDERED).status, "UNPAID"),
    "cancel_order": (cancel_order, "cancelled"),
}


def test_every_endpoint_has_an_example() -> None:
    assert EXAMPLES.keys() == OPERATIONS.keys()


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_guides_example_comes_back_typed(still: Running, client: Client, name: str) -> None:
    ask, expected = EXAMPLES[name]
    path = OPERATIONS[name].path
    before = answered(still, path)
    assert ask(client) == expected
    assert answered(still, path) > before, "the client asked another endpoint"


def answered(sandbox: Running, path: str) -> int:
    return sum(sandbox.control("stats")["endpoints"].get(path, {}).values())


@pytest.mark.parametrize("dialect", [Dialect.GUIDE, Dialect.LIVE])
def test_every_feed_lists_what_is_true_in_its_order(dialect: Dialect) -> None:
    spoken = "guide" if dialect is Dialect.GUIDE else "live"
    config = SandboxConfig(products=700, orders=0, drift=0, clock_start_ms=THEN_MS, dialect=spoken)
    with start(config) as sandbox, client_of(sandbox) as api:
        found = {feed.key: pages_of(api, feed) for feed in FEEDS}
        assert found == {feed.key: sandbox.control(f"truth/feed?key={feed.key}")["product_ids"] for feed in FEEDS}
        assert all(found.values()), "a feed is empty at the server: the test shows nothing"


def pages_of(api: Client, feed: Feed) -> list[str]:
    ids: list[str] = []
    for page in range(1000):
        told = api.list_products(feed.endpoint, page, 70, feed.scene_id, feed.country).product_ids
        if not told:
            break
        ids += told
    return ids


# Base URLs, the OAuth flow


def test_base_urls_follow_the_settings() -> None:
    key = {"ALIBABA_APP_KEY": "1", "ALIBABA_APP_SECRET": "2"}
    assert load_settings(key).base_url == "https://openapi-api.alibaba.com/rest"
    own_sandbox = load_settings(key | {"ALIBABA_USE_SANDBOX": "true"})
    assert own_sandbox.base_url == "https://openapi-api-sandbox.alibaba.com/rest"
    elsewhere = load_settings(key | {"ALIBABA_USE_SANDBOX": "true", "ALIBABA_BASE_URL": "http://127.0.0.1:1/rest/"})
    assert elsewhere.base_url == "http://127.0.0.1:1/rest"


def test_the_authorize_url_asks_what_the_guide_asks() -> None:
    url = urlsplit(authorize_url("12345678", "https://shop.example/callback?shop=1", "s&1"))
    assert f"{url.scheme}://{url.netloc}{url.path}" == "https://openapi-auth.alibaba.com/oauth/authorize"
    assert parse_qs(url.query) == {
        "response_type": ["code"],
        "client_id": ["12345678"],
        "redirect_uri": ["https://shop.example/callback?shop=1"],
        "state": ["s&1"],
        "force_auth": ["true"],
    }


def test_the_authorize_url_leads_to_a_code_that_gives_a_working_token_once(still: Running, client: Client) -> None:
    page = still.base_url.removesuffix("/rest") + "/oauth/authorize"
    url = authorize_url(still.env["ALIBABA_APP_KEY"], "http://127.0.0.1:8799/callback", "mine", page)
    assert "Authorize" in requests.get(url, timeout=10).text
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    click = {**asked, "buyer": "200057718", "decision": "authorize"}
    answer = requests.post(page, data=click, allow_redirects=False, timeout=10)
    back = parse_qs(urlsplit(answer.headers["location"]).query)
    assert back["state"] == ["mine"]
    grant = client.create_token(back["code"][0])
    assert grant.profile["user_id"] == "200057718"
    with client_of(still, token=grant.pair.access_token) as buyer:
        assert buyer.describe_product(MUG).product_id == MUG
    with pytest.raises(ApiError, match="InvalidCode"):
        client.create_token(back["code"][0])


def press_authorize(url: str, buyer: str) -> None:
    """What a buyer does in the browser, the redirect back to the caller included."""
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    back = requests.post(
        url.partition("?")[0],
        data={**asked, "buyer": buyer, "decision": "authorize"},
        allow_redirects=False,
        timeout=10,
    ).headers["location"]
    requests.get(back, timeout=10)


def test_a_buyer_who_authorises_in_the_browser_has_tokens_kept_encrypted(deploy: Callable[..., Deployment]) -> None:
    merchant = deploy(products=20, variables={"ALIBABA_ACCESS_TOKEN": "", "ALIBABA_REFRESH_TOKEN": ""})
    page = merchant.sandbox.base_url.removesuffix("/rest") + "/oauth/authorize"
    merchant.variables["ALIBABA_AUTHORIZE_URL"] = page
    with open_authority(merchant.settings) as authority:
        log_in(authority, 0, lambda url: press_authorize(url, "200057718"), wait_seconds=20)
        assert authority.client.describe_product(MUG).product_id == MUG
        [account] = authority.vault.accounts()
        token = authority.tokens.access_token()
    assert (account.state, account.reason, account.alibaba_user_id) == ("active", None, "200057718")
    assert token.encode() not in bytes(merchant.value("SELECT access_token FROM ops.accounts"))
    assert account.access_token_expires_at is not None
    assert account.access_token_expires_at > datetime.now(UTC) + timedelta(days=9.9)


# Error handling


REFUSALS = [code for code, row in CODES.items() if row.family in (Family.BUSINESS, Family.PERMANENT)]


@pytest.mark.parametrize("shape", ["flat", "business", "error_response", "result"])
def test_every_refusal_reaches_the_caller_with_its_code_its_words_and_a_remedy(shape: str) -> None:
    with start(SandboxConfig(products=20, orders=0)) as sandbox, client_of(sandbox) as api:
        for code in REFUSALS:
            sandbox.control("faults", {"fault": f"refuse:code={code}:message=so it is:shape={shape}:first=1"})
            with pytest.raises(ApiError, match="so it is") as raised:
                api.estimate_freight(EstimateFreight("1600124642247", 5, "US"))
            assert (raised.value.code, raised.value.family) == (code, CODES[code].family)
            assert CODES[code].remedy in str(raised.value)


def test_error_code_7_slows_the_client_down_and_the_call_is_repeated() -> None:
    with start(SandboxConfig(products=20, orders=0, faults=("throttle_body:code=7:ban=1:first=1",))) as sandbox:
        gateway = gateway_of(sandbox)
        began = time.monotonic()
        with Client(gateway) as api:
            assert api.describe_product(MUG).product_id == MUG
        assert time.monotonic() - began >= 1
        assert (gateway.tally.snapshot().throttles, gateway.tally.snapshot().total_calls) == (1, 2)


def test_freight_falls_back_from_china_to_where_the_product_is(still: Running) -> None:
    chosen = {
        place: next(
            product["product_id"]
            for product in still.control("truth/catalogue")["products"]
            if product["dispatch_locations"] == [place]
            and not product["freight_template_fails"]
            and not product["restricted_countries"]
        )
        for place in ("CN", "US", "MX")
    }
    minimum = {id_: still.control(f"truth/product?id={id_}")["order_minimum"] for id_ in chosen.values()}
    with FanOut(gateway_of(still)) as fanout:
        flows = (
            quote_flow(quote_target(product_id, (), minimum[product_id], None), Destination("US"))
            for product_id in chosen.values()
        )
        quotes = [quote for batch in fanout.run_flows(flows, 10) for quote in batch]
    tried = {quote.requested_dispatch: [refusal.dispatch_location for refusal in quote.refusals] for quote in quotes}
    assert tried == {"CN": [], "US": ["CN"], "MX": ["CN", "US"]}
    assert all(quote.options for quote in quotes)
    assert {quote.refusals[0].code for quote in quotes if quote.requested_dispatch == "MX"} == {"130608"}


def test_freight_to_the_uk_is_asked_for_as_gb(client: Client) -> None:
    to_uk, to_gb = (client.estimate_freight(EstimateFreight(STOCKED, 50, country)) for country in ("UK", "GB"))
    assert to_uk == to_gb
    assert {option.destination_country for option in to_uk} == {"GB"}


def test_uk_in_the_destinations_is_quoted_as_gb() -> None:
    assert parse_destinations("US:90001,uk") == (Destination("US", "90001"), Destination("GB"))
    with pytest.raises(Problem, match="GB twice"):
        parse_destinations("GB,UK")


# Orders: what the client can do today. The tables, the sensor and placing exactly once come with their own rooms.


@pytest.fixture(scope="module")
def busy() -> Iterator[Running]:
    """A simulated Alibaba.com with a long history of orders, at a moment when some order is in every status."""
    moment = int(datetime(2026, 11, 2, tzinfo=UTC).timestamp() * 1000)
    with start(SandboxConfig(products=400, orders=4_000, drift=0, clock_start_ms=moment, clock_speed=0)) as running:
        yield running


@pytest.mark.parametrize("status", STATUSES.split())
def test_every_order_status_of_the_guide_can_be_asked_for_and_is_read(busy: Running, status: str) -> None:
    with client_of(busy) as api:
        page = api.list_orders(ListOrders(0, 5, status=status))
        assert page.orders
        assert {order.status for order in page.orders} == {status}
        assert api.get_order(page.orders[0].trade_id).status == status


def test_orders_changed_since_a_moment_can_be_polled(busy: Running) -> None:
    now_ms = busy.control("clock")["now_ms"]
    since = datetime.fromtimestamp((now_ms - 3_600_000) / 1000, UTC)
    changed = {
        row["trade_id"]
        for row in busy.control("truth/orders")["orders"]
        if row["buyer_id"] == "200042362" and row["modified_ms"] >= now_ms - 3_600_000
    }
    assert changed
    with client_of(busy) as api:
        polled: set[str] = set()
        for page in range(1000):
            told = api.list_orders(ListOrders(page, 100, modified_from=since)).orders
            polled.update(order.trade_id for order in told)
            if len(told) < 100:
                break
    assert polled == changed


# Push notifications: their signature. The receiver comes with its own room.

PUSHES = {
    "PRODUCT_OPTION_TAG": b'{"seller_id": "BROADCAST", "message_type": 1, "data": {"productId": "123456789", '
    b'"option": "ADD"}, "timestamp": 1650435537}',
    "PRODUCT_CHANGE_TAG": b'{"seller_id": "BROADCAST", "message_type": 1, "data": {"productId": "123456789", '
    b'"skuId": "123456789", "option": "PRICE_CHANGE", "value": "11.00", "timestamp": "1650435537"}, '
    b'"timestamp": 1650435537}',
    "ICBU ORDER SYNC MESSAGE": b'{"havana_id": "17379911544", "seller_id": "200042360", "message_type": 3, "data": '
    b'{"status": "trade_close", "trade_id_str": "255201166001024316", "order_status": "PLACE_ORDER_SUCCESS", '
    b'"trade_order_id": "30160843", "status_update_time": "2025-04-19 23:18:56"}, "timestamp": 1650435537, '
    b'"site": "icbu_global"}',
}


@pytest.mark.parametrize("kind", PUSHES)
def test_every_kind_of_push_is_genuine_as_signed_and_not_when_changed(kind: str) -> None:
    body = PUSHES[kind]
    header = hmac.new(b"helloworld", b"12345678" + body, hashlib.sha256).hexdigest()
    assert push_is_genuine("12345678", "helloworld", body, header)
    assert not push_is_genuine("12345678", "helloworld", body.replace(b"1650435537", b"1650435538"), header)
    assert not push_is_genuine("87654321", "helloworld", body, header)
