"""`Client`: one method for each endpoint, over pooled connections of `requests`. For single calls: tokens, orders, the
command line. Many reads at once are for `fanout`.

The flow of a call is in `protocol`; here bytes are carried and time is slept.
"""

import time
from collections.abc import Generator, Sequence
from datetime import UTC, datetime

import requests
import urllib3

from dropship_pipeline.alibaba import fulfilment, orders, products
from dropship_pipeline.alibaba.batches import BatchAnswer, read_batch
from dropship_pipeline.alibaba.errors import Refused
from dropship_pipeline.alibaba.freight import FreightOption, read_freight_options
from dropship_pipeline.alibaba.gateway import Gateway, HttpRequest
from dropship_pipeline.alibaba.inventory import Inventory, read_inventory
from dropship_pipeline.alibaba.order_requests import (
    CalculateOrderFreight,
    CreateOrder,
    ListOrders,
    OfOrder,
    PayOrders,
)
from dropship_pipeline.alibaba.protocol import (
    Answer,
    Fault,
    GiveUpToken,
    HttpAnswer,
    NeedToken,
    RenewToken,
    ReportThrottle,
    Send,
    Step,
    StepResult,
    TakeTurn,
    Wait,
    call,
)
from dropship_pipeline.alibaba.requests import (
    BatchRead,
    CreateToken,
    DescribeProduct,
    EstimateFreight,
    ListProducts,
    ProductEvent,
    ReadInventory,
    RefreshToken,
    Request,
    SendProductEvents,
)
from dropship_pipeline.alibaba.tokens import TokenGrant, TokenPair, read_token_grant
from dropship_pipeline.alibaba.transport import FORM, HEADERS, words_about

_CHUNK = 1 << 16


class Client:
    """Calls one gateway, a call at a time. Every method raises ApiError; those that read an answer, Unreadable too."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._transport = _Transport(gateway)

    def __repr__(self) -> str:
        return f"Client({self._gateway!r})"

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the pooled connections."""
        self._transport.close()

    def call(self, request: Request) -> Answer:
        """Send any request and wait for its answer."""
        return _drive(call(request, self._gateway), self._gateway, self._transport)

    def create_token(self, code: str, uuid: str | None = None) -> TokenGrant:
        """Exchange an authorisation code (guide §1)."""
        answer = self.call(CreateToken(code, uuid))
        return read_token_grant(answer.payload, answer.received_at)

    def refresh_token(self, pair: TokenPair) -> TokenGrant:
        """Exchange a refresh token for a new pair (guide §2); what the answer leaves out is kept from `pair`."""
        answer = self.call(RefreshToken(pair.refresh_token or ""))
        return read_token_grant(answer.payload, answer.received_at, pair)

    def list_products(
        self, endpoint: str, page: int, page_size: int, scene_id: str | None = None, country: str | None = None
    ) -> products.ProductPage:
        """A page of a listing: `endpoint` is scene, local, localregular or crossborder (guide §3, §3a–c)."""
        request = ListProducts(endpoint, page, page_size, scene_id, country)
        return products.read_product_page(self.call(request).payload)

    def describe_product(
        self, product_id: str, country: str = "US", ship_to_country: str | None = None
    ) -> products.Product:
        """A product's details (guide §4)."""
        request = DescribeProduct(product_id, country, ship_to_country)
        return products.read_product(self.call(request).payload, product_id)

    def read_inventory(self, product_id: str, sku_id: str | None = None, shipping_from: str | None = None) -> Inventory:
        """A product's stock (guide §5)."""
        return read_inventory(self.call(ReadInventory(product_id, sku_id, shipping_from)).payload, product_id)

    def describe_products(self, product_ids: Sequence[str]) -> BatchAnswer:
        """Several products' details (live facts: Requests); each item reads as `products.read_product` reads it."""
        return read_batch(self.call(BatchRead.descriptions(product_ids)).payload)

    def read_inventories(self, product_ids: Sequence[str]) -> BatchAnswer:
        """Several products' stock (live facts: Requests); each item reads as `inventory.read_inventory` reads it."""
        return read_batch(self.call(BatchRead.inventories(product_ids)).payload)

    def read_key_attributes(self, product_ids: Sequence[str]) -> BatchAnswer:
        """Several products' key attributes (live facts: Requests)."""
        return read_batch(self.call(BatchRead.key_attributes(product_ids)).payload)

    def send_product_events(self, events: Sequence[ProductEvent]) -> None:
        """Tell what became of products (live facts: Requests)."""
        self.call(SendProductEvents(tuple(events)))

    def estimate_freight(self, request: EstimateFreight) -> list[FreightOption]:
        """Shipping options for one product (guide §6)."""
        return read_freight_options(self.call(request).payload)

    def calculate_order_freight(self, request: CalculateOrderFreight) -> list[FreightOption]:
        """Shipping options for an order (guide §7); their vendor codes may be used as its carrier."""
        return read_freight_options(self.call(request).payload)

    def create_order(self, request: CreateOrder) -> fulfilment.CreatedOrder:
        """Place an order (guide §8). An error with `outcome_unknown` means that it may exist all the same."""
        return fulfilment.read_created_order(self.call(request).payload)

    def pay_orders(self, request: PayOrders) -> fulfilment.PayResult:
        """Pay for orders (guide §9). An error with `outcome_unknown` means that they may be paid all the same."""
        try:
            return fulfilment.read_pay_result(self.call(request).payload)
        except Refused as error:
            if error.code in fulfilment.PAID_REASONS:
                return fulfilment.PayResult("PAY_SUCCESS", error.code, error.message, None)
            raise

    def query_pay_result(self, trade_id: str) -> fulfilment.PayResult:
        """How an order's payment stands (live facts: Requests)."""
        return fulfilment.read_pay_result(self.call(OfOrder.pay_result(trade_id)).payload)

    def cancel_order(self, trade_id: str) -> None:
        """Cancel an order that is not paid yet (live facts: Requests)."""
        self.call(OfOrder.cancellation(trade_id))

    def list_orders(self, request: ListOrders) -> orders.OrderPage:
        """A page of the account's orders (guide §10)."""
        return orders.read_order_page(self.call(request).payload)

    def get_order(self, trade_id: str, data_select: str | None = None, language: str | None = None) -> orders.Order:
        """An order in full (guide §11)."""
        return orders.read_order(self.call(OfOrder.details(trade_id, data_select, language)).payload, trade_id)

    def query_fund(self, trade_id: str) -> fulfilment.Fund:
        """What an order's payment cost (guide §14)."""
        return fulfilment.read_fund(self.call(OfOrder.fund(trade_id)).payload)

    def query_logistics(self, trade_id: str) -> fulfilment.Logistics:
        """How far an order's delivery is, with tracking numbers (guide §13)."""
        return fulfilment.read_logistics(self.call(OfOrder.logistics(trade_id)).payload)

    def track_order(self, trade_id: str) -> tuple[fulfilment.Tracking, ...]:
        """Where an order's parcels have been (guide §12)."""
        return fulfilment.read_tracking(self.call(OfOrder.tracking(trade_id)).payload)


def _drive(flow: Generator[Step, StepResult, Answer], gateway: Gateway, transport: "_Transport") -> Answer:
    """Do what the flow asks for until it returns."""
    try:
        step = next(flow)
        while True:
            step = flow.send(_do(step, gateway, transport))
    except StopIteration as stop:
        answer: Answer = stop.value
        return answer
    finally:
        flow.close()


def _do(step: Step, gateway: Gateway, transport: "_Transport") -> StepResult:
    match step:
        case Send(request):
            return transport.send(request)
        case TakeTurn():
            gateway.tally.waited(gateway.pacer.wait_turn())
        case NeedToken():
            return gateway.tokens.access_token()
        case Wait(seconds):
            time.sleep(seconds)
        case RenewToken(stale):
            return gateway.tokens.renew(stale)
        case GiveUpToken(refused, reason):
            gateway.tokens.give_up(refused, reason)
        case ReportThrottle(wait_seconds, sent_at):
            gateway.pacer.throttled(wait_seconds, sent_at)
    return None


class _Transport:
    """Carries a signed request there and the whole answer back."""

    def __init__(self, gateway: Gateway) -> None:
        self._timeouts = gateway.timeouts
        self._session = requests.Session()
        self._session.headers.update(HEADERS)
        # A proxy is for the way out; and no entry of a .netrc file is ever to be added to a signed request.
        self._session.trust_env = not gateway.on_this_machine
        self._session.auth = lambda prepared: prepared

    def close(self) -> None:
        self._session.close()

    def send(self, request: HttpRequest) -> HttpAnswer | Fault:
        started = time.monotonic()
        try:
            return self._exchange(request, started)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            took = time.monotonic() - started
            code, never_sent = _kind_of(error)
            return Fault(code, words_about(error), never_sent, took)

    def _exchange(self, request: HttpRequest, started: float) -> HttpAnswer:
        response = self._session.request(
            request.method,
            request.url,
            data=request.form,
            headers={"Content-Type": FORM} if request.form is not None else None,
            timeout=(self._timeouts.connect, self._timeouts.answer),
            allow_redirects=False,  # a signed request goes nowhere else
            stream=True,
        )
        with response:
            body = bytearray()
            while chunk := response.raw.read1(_CHUNK, decode_content=True):
                body += chunk
                if time.monotonic() - started > self._timeouts.connect + self._timeouts.answer:
                    raise requests.ReadTimeout
            received = time.monotonic()
            return HttpAnswer(
                response.status_code,
                bytes(body),
                response.headers.get("Retry-After"),
                datetime.now(UTC),
                started,
                received - started,
            )


def _kind_of(error: Exception) -> tuple[str, bool]:
    """Our code for a fault of `requests`, and whether the request certainly never left."""
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.SSLError | requests.exceptions.ProxyError):
        return "ConnectionFailed", True
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError):
        return "Timeout", False
    reason = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(reason, urllib3.exceptions.NewConnectionError):
        return "ConnectionFailed", True
    return "ConnectionLost", False
