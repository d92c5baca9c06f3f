"""The client against the simulated Alibaba.com, over real HTTP: every endpoint, both dialects, tokens, the call limit.

The sandbox shares no code with the client, so that what they agree on is the guide.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from file_vault import FileVault
from moment import THEN_MS

from dropship_pipeline.alibaba.client import Client
from dropship_pipeline.alibaba.dialect import Dialect, DialectMemory
from dropship_pipeline.alibaba.errors import Permanent, Refused, TokenRefused
from dropship_pipeline.alibaba.fanout import FanOut
from dropship_pipeline.alibaba.gateway import Gateway
from dropship_pipeline.alibaba.inventory import read_inventory
from dropship_pipeline.alibaba.order_requests import (
    Address,
    CalculateOrderFreight,
    CreateOrder,
    ListOrders,
    OrderItem,
    PayOrders,
    Phone,
)
from dropship_pipeline.alibaba.orders import Money
from dropship_pipeline.alibaba.outcomes import Answered
from dropship_pipeline.alibaba.products import Product, read_product
from dropship_pipeline.alibaba.rate import UNLIMITED, LocalCallBudget
from dropship_pipeline.alibaba.requests import EstimateFreight, ProductEvent, ReadInventory
from dropship_pipeline.alibaba.tokens import AccountTokens, NoTokens, StaticTokens, TokenPair
from dropship_pipeline.sandbox.launch import Running, SandboxConfig, start

MUG = "1601206892606"
GUIDES_ORDER, GUIDES_LISTED_ORDER = "234193410001028893", "271207727001028893"
ADDRESS = Address(
    "35022",
    "US",
    "United States",
    "Alabama",
    "Bessemer",
    "4595 Clubview Drive",
    province_code="AL",
    contact_person="Jane Roe",
    telephone=Phone("+1", "5551234567", "205"),
)


@dataclass
class Bench:
    """A sandbox and a client of it."""

    sandbox: Running
    gateway: Gateway
    client: Client

    def truth(self, chapter: str) -> Any:
        return self.sandbox.control(f"truth/{chapter}")


def gateway_of(sandbox: Running, dialect: Dialect = Dialect.AUTO, **changes: Any) -> Gateway:
    options: dict[str, Any] = {
        "app_key": sandbox.env["ALIBABA_APP_KEY"],
        "app_secret": sandbox.env["ALIBABA_APP_SECRET"],
        "tokens": StaticTokens(sandbox.env["ALIBABA_ACCESS_TOKEN"]),
        "budget": LocalCallBudget(UNLIMITED, UNLIMITED),
        **changes,
    }
    return Gateway(sandbox.base_url, dialect=DialectMemory(dialect), **options)


@pytest.fixture(scope="module", params=["guide", "live"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """A sandbox of either dialect that does not drift, and a client that is not told which."""
    with start(
        SandboxConfig(products=120, orders=30, drift=0.0, dialect=request.param, clock_start_ms=THEN_MS)
    ) as sandbox:
        gateway = gateway_of(sandbox)
        with Client(gateway) as client:
            yield Bench(sandbox, gateway, client)


@pytest.fixture
def sandbox() -> Iterator[Callable[..., Running]]:
    """Starts sandboxes of a test's own."""
    running: list[Running] = []

    def start_one(**options: Any) -> Running:
        running.append(
            start(SandboxConfig(**{"clock_start_ms": THEN_MS, "products": 60, "orders": 0, "drift": 0.0, **options}))
        )
        return running[-1]

    yield start_one
    for one in running:
        one.stop()


@pytest.mark.parametrize(
    ("endpoint", "more"),
    [
        ("scene", {"scene_id": "906124611"}),
        ("scene", {"scene_id": "907180664"}),
        ("local", {"country": "US"}),
        ("local", {"country": "MX"}),
        ("localregular", {}),
        ("crossborder", {}),
    ],
)
def test_every_listing_is_paged_to_its_end(bench: Bench, endpoint: str, more: dict[str, str]) -> None:
    seen: list[str] = []
    for page in range(100):
        answered = bench.client.list_products(endpoint, page, 7, **more)
        if not answered.product_ids:
            break
        assert len(answered.product_ids) <= 7
        seen += answered.product_ids
    assert len(seen) == len(set(seen)) > 0
    whole = bench.client.list_products(endpoint, 0, 100, **more)
    assert seen[:100] == whole.product_ids


def test_the_guides_product_is_described_as_the_guide_describes_it(bench: Bench) -> None:
    product = bench.client.describe_product(MUG)
    assert product.title == "Sublimation Mug 40oz Tumbler Stainless Steel Double Wall"
    assert (product.min_order_quantity, product.wholesale_price) == (50, Decimal("12.34"))
    assert product.skus[0].tiers[0].price == Decimal("3.69")
    assert product.nulled == ()


def test_the_guides_stock_is_read(bench: Bench) -> None:
    (level,) = bench.client.read_inventory("1600927952535", shipping_from="CN").levels
    assert (level.sku_id, level.shipping_from, level.quantity, level.unit) == ("104536974925", "CN", 1196, "Piece")


def test_the_guides_freight_is_estimated(bench: Bench) -> None:
    options = bench.client.estimate_freight(EstimateFreight("1600124642247", 5, "US", "90001", "CN"))
    (economy,) = [option for option in options if option.vendor_code == "EX_ASP_Economy_Express_3C"]
    assert (economy.fee, economy.currency) == (Decimal("19.1"), "USD")
    assert (economy.delivery_days_min, economy.delivery_days_max) == (10, 15)


def test_batch_reads_answer_what_single_reads_answer(bench: Bench) -> None:
    ids = bench.client.list_products("crossborder", 0, 5).product_ids
    described = bench.client.describe_products([*ids, "1"])
    stocked = bench.client.read_inventories(ids)
    assert set(described.items) == set(stocked.items) == set(ids)
    assert set(described.failures) == {"1"}
    for product_id in ids:
        single = bench.client.describe_product(product_id)
        assert read_product(described.items[product_id], product_id).skus == single.skus
        assert read_inventory(stocked.items[product_id], product_id) == bench.client.read_inventory(product_id)
    assert set(bench.client.read_key_attributes(ids).items) == set(ids)


def test_product_events_are_taken(bench: Bench) -> None:
    bench.client.send_product_events([ProductEvent(MUG, "PRODUCT_LISTED", "shopify", "store-1")])


def orderable(bench: Bench) -> tuple[Product, str]:
    """A product that ships from China to the US, and a SKU of which there is enough."""
    for product_id in bench.client.list_products("crossborder", 0, 100).product_ids:
        product = bench.client.describe_product(product_id)
        quantity = product.min_order_quantity or 1
        levels = bench.client.read_inventory(product_id, shipping_from="CN").levels
        for level in levels:
            amount = max((tier.price or Decimal(0) for sku in product.skus for tier in sku.tiers), default=Decimal(0))
            if (level.quantity or 0) >= quantity and Decimal(1) < amount * quantity < Decimal(4000):
                return product, level.sku_id
    raise AssertionError("the sandbox has nothing to order")


def test_an_order_is_quoted_placed_paid_and_followed(bench: Bench) -> None:
    product, sku_id = orderable(bench)
    items = (OrderItem(product.product_id, sku_id, product.min_order_quantity or 1),)
    quote = CalculateOrderFreight(product.e_company_id or "", "US", items, ADDRESS, "CN")
    cheapest = min(bench.client.calculate_order_freight(quote), key=lambda option: option.fee or Decimal(0))

    created = bench.client.create_order(CreateOrder("REF-1", items, ADDRESS, "CN", cheapest.vendor_code))
    order = bench.client.get_order(created.trade_id)
    assert (order.status, order.carrier_code) == ("unpay", cheapest.vendor_code)
    assert order.shipment_fee == Money(cheapest.fee or Decimal(0), "USD")
    assert [(line.product_id, line.sku_id, int(line.quantity or 0)) for line in order.lines] == [
        (product.product_id, sku_id, items[0].quantity)
    ]
    assert order.recipient is not None
    assert (order.recipient.contact_person, order.recipient.address) == ("Jane Roe", "4595 Clubview Drive")
    assert order.nulled == ()

    assert bench.client.query_pay_result(created.trade_id).status == "UNPAID"
    assert bench.client.query_fund(created.trade_id).transaction_fee is None
    pay = PayOrders((created.trade_id,), "10.11.102.11", "Mozilla/5.0", 1616595118627)
    assert bench.client.pay_orders(pay).paid
    assert bench.client.pay_orders(pay).paid, "paid before is paid"
    assert bench.client.query_pay_result(created.trade_id).paid
    fee = bench.client.query_fund(created.trade_id).transaction_fee
    assert fee is not None
    assert fee.amount > 0
    with pytest.raises(Refused):
        bench.client.cancel_order(created.trade_id)


def test_an_order_that_is_not_paid_can_be_cancelled(bench: Bench) -> None:
    product, sku_id = orderable(bench)
    items = (OrderItem(product.product_id, sku_id, product.min_order_quantity or 1),)
    quote = CalculateOrderFreight(product.e_company_id or "", "US", items, ADDRESS, "CN")
    carrier = bench.client.calculate_order_freight(quote)[0].vendor_code
    trade_id = bench.client.create_order(CreateOrder("REF-2", items, ADDRESS, "CN", carrier)).trade_id
    bench.client.cancel_order(trade_id)
    assert bench.client.get_order(trade_id).status == "trade_close"


def test_a_carrier_of_the_basic_estimate_is_refused_on_an_order(bench: Bench) -> None:
    product, sku_id = orderable(bench)
    items = (OrderItem(product.product_id, sku_id, product.min_order_quantity or 1),)
    with pytest.raises(Refused) as refused:
        bench.client.create_order(CreateOrder("REF-3", items, ADDRESS, "CN", "NO_SUCH_CARRIER"))
    assert refused.value.code in ("4028", "130602")
    assert refused.value.remedy


def test_the_order_list_is_paged_and_bounded(bench: Bench) -> None:
    first = bench.client.list_orders(ListOrders(0, 10))
    second = bench.client.list_orders(ListOrders(1, 10))
    assert first.total is not None
    assert first.total >= 30
    assert not {order.trade_id for order in first.orders} & {order.trade_id for order in second.orders}
    everything = [order for page in range(10) for order in bench.client.list_orders(ListOrders(page, 100)).orders]
    created = sorted(order.created_at for order in everything if order.created_at)
    middle = created[len(created) // 2]
    bounded = bench.client.list_orders(ListOrders(created_from=middle, created_to=middle + timedelta(days=400))).orders
    assert 0 < len(bounded) < len(everything)
    assert all(order.created_at and order.created_at >= middle for order in bounded)
    unpaid = bench.client.list_orders(ListOrders(status="unpay")).orders
    assert unpaid
    assert {order.status for order in unpaid} == {"unpay"}


def test_the_guides_order_is_told_as_the_guide_tells_it(bench: Bench) -> None:
    order = bench.client.get_order(GUIDES_ORDER, language="en_US")
    assert (order.status, order.total) == ("unpay", Money(Decimal("4.87"), "USD"))
    assert bench.client.get_order(GUIDES_LISTED_ORDER).trade_id == GUIDES_LISTED_ORDER
    fee = bench.client.query_fund(GUIDES_ORDER).transaction_fee
    assert fee == Money(Decimal(11), "USD")
    logistics = bench.client.query_logistics(GUIDES_ORDER)
    assert (logistics.status, logistics.parcels[0].tracking_number) == ("CONFIRM_RECEIPT", "123432")
    (parcel,) = bench.client.track_order(GUIDES_ORDER)
    assert (parcel.carrier, parcel.tracking_number) == ("FEDEX", "776705370628")
    assert [event.code for event in parcel.events] == ["DELIVERED", "IN_TRANSIT"]


def test_an_order_that_does_not_exist_is_refused(bench: Bench) -> None:
    with pytest.raises(Refused, match="order not found") as refused:
        bench.client.get_order("1")
    assert refused.value.code == "404"


def test_a_product_that_does_not_exist_is_refused(bench: Bench) -> None:
    with pytest.raises(Refused):
        bench.client.describe_product("999")


def test_a_wrong_secret_is_told_from_a_wrong_key(bench: Bench) -> None:
    for change, variable in (({"app_secret": "wrong"}, "ALIBABA_APP_SECRET"), ({"app_key": "1"}, "ALIBABA_APP_KEY")):
        with (
            Client(gateway_of(bench.sandbox, **change)) as client,
            pytest.raises(Permanent, match=variable) as raised,
        ):
            client.get_order(GUIDES_ORDER)
        assert raised.value.fatal


def test_a_revoked_token_is_refused_with_the_gateways_own_words(bench: Bench) -> None:
    gateway = gateway_of(bench.sandbox, tokens=StaticTokens("50000nonsense"))
    with Client(gateway) as client, pytest.raises(TokenRefused, match="dropship auth login"):
        client.get_order(GUIDES_ORDER)


def test_the_guides_code_is_exchanged_for_the_guides_tokens(bench: Bench) -> None:
    with Client(gateway_of(bench.sandbox, tokens=NoTokens())) as client:
        grant = client.create_token("3_500102_JxZ05Ux3cnnSSUm6dCxYg6Q26")
        assert grant.pair.access_token == "50000601c30atpedfgu3LVvik87Ixlsvle3mSoB7701ceb156fPunYZ43GBg"
        assert grant.profile["account_platform"] == "buyApp"
        with pytest.raises(Refused, match="dropship auth login"):
            client.create_token("never-given-out")


def test_a_token_that_expires_is_refreshed_under_way(sandbox: Callable[..., Running], tmp_path: Any) -> None:
    running = sandbox(rotate_refresh_token=True)
    vault = FileVault(tmp_path)
    seeded = TokenPair(running.env["ALIBABA_ACCESS_TOKEN"], running.env["ALIBABA_REFRESH_TOKEN"])
    vault.save("default", seeded, {})
    with Client(gateway_of(running, tokens=NoTokens())) as auth:
        tokens = AccountTokens(vault, "default", auth.refresh_token)
        with Client(gateway_of(running, tokens=tokens)) as client:
            client.describe_product(MUG)
            running.control("accounts/expire", {"token": seeded.access_token})
            client.describe_product(MUG)
            renewed = vault.load("default")
            assert renewed is not None
            assert renewed.access_token != seeded.access_token
            assert renewed.expires_at is not None
            assert renewed.expires_at > datetime.now(UTC) + timedelta(days=9)

            running.control("accounts/revoke", {"token": renewed.refresh_token})
            running.control("accounts/revoke", {"token": renewed.access_token})
            with pytest.raises(TokenRefused, match="dropship auth login"):
                client.describe_product(MUG)
            assert "IllegalRefreshToken" in vault.marks("default")[0]


def test_a_call_limit_that_nobody_told_is_found_and_kept(sandbox: Callable[..., Running]) -> None:
    limit = 300.0
    running = sandbox(calls_per_second=limit, ban_s=1)
    gateway = gateway_of(running, budget=LocalCallBudget(1000.0))
    with FanOut(gateway, 32) as fan_out:
        list(fan_out.batches((ReadInventory(MUG) for _ in range(900)), 300))  # finding out
        before, started = gateway.tally.snapshot(), time.monotonic()
        outcomes = [
            outcome for batch in fan_out.batches((ReadInventory(MUG) for _ in range(900)), 300) for outcome in batch
        ]
        took = time.monotonic() - started
    settled = gateway.tally.snapshot()
    assert all(isinstance(outcome, Answered) for outcome in outcomes)
    throttles = settled.throttles - before.throttles
    assert throttles / 900 < 0.03, "the last of the finding out may fall into these calls"
    assert 900 / took > 0.7 * limit, "a ban of a second may fall into these three, too"


@pytest.mark.parametrize(
    "fault",
    ["http_500:0.3", "throttle_body:0.02:ban=0", "truncated_json:0.2", "html_page:0.2", "bad_gzip:0.2", "reset:0.2"],
)
def test_a_fan_out_gets_everything_past_a_fault(sandbox: Callable[..., Running], fault: str) -> None:
    running = sandbox()
    gateway = gateway_of(running)
    with Client(gateway) as client, FanOut(gateway, 32) as fan_out:
        ids = client.list_products("crossborder", 0, 100).product_ids[:40]
        expected = {product_id: client.read_inventory(product_id) for product_id in ids}
        running.control("faults", {"fault": fault})
        outcomes = fan_out.map(ReadInventory(product_id) for product_id in ids)
    got = {
        outcome.request.key: read_inventory(outcome.answer.payload, outcome.request.key)
        for outcome in outcomes
        if isinstance(outcome, Answered)
    }
    assert got == expected
