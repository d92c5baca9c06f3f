"""`Client`: one method for each endpoint, over pooled connections of `requests`. For single calls: tokens, orders, the
command line. Many reads at once are for `fanout`.

How a call is carried is in `transport_requests`; what its answer's fields mean is in the modules of typed answers.
"""

from collections.abc import Callable, Sequence

from dropship_pipeline.alibaba import fulfilment, orders, products
from dropship_pipeline.alibaba.batches import BatchAnswer, read_batch
from dropship_pipeline.alibaba.errors import Refused
from dropship_pipeline.alibaba.freight import FreightOption, read_freight_options
from dropship_pipeline.alibaba.gateway import Gateway
from dropship_pipeline.alibaba.inventory import Inventory, read_inventory
from dropship_pipeline.alibaba.order_requests import (
    CalculateOrderFreight,
    CreateOrder,
    ListOrders,
    OfOrder,
    PayOrders,
)
from dropship_pipeline.alibaba.protocol import Answer
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
from dropship_pipeline.alibaba.transport_requests import BlockingCalls


class Client:
    """Calls one gateway, a call at a time. Every method raises ApiError; those that read an answer, Unreadable too."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._calls = BlockingCalls(gateway)

    def __repr__(self) -> str:
        return f"Client({self._gateway!r})"

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the pooled connections."""
        self._calls.close()

    def call(
        self, request: Request, send_until: float | None = None, confirm: Callable[[], None] | None = None
    ) -> Answer:
        """Send any request and wait for its answer.

        `send_until` (epoch seconds): after it nothing is sent (TooLate). `confirm`: asked just before the request
        leaves, each time; what it raises keeps it here, and nothing has been carried out.
        """
        return self._calls.answer(request, send_until, confirm)

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

    def create_order(
        self, request: CreateOrder, send_until: float | None = None, confirm: Callable[[], None] | None = None
    ) -> fulfilment.CreatedOrder:
        """Place an order (guide §8). An error with `outcome_unknown` means that it may exist all the same.

        `send_until`, `confirm`: see `call`.
        """
        return fulfilment.read_created_order(self.call(request, send_until, confirm).payload)

    def pay_orders(
        self, request: PayOrders, send_until: float | None = None, confirm: Callable[[], None] | None = None
    ) -> fulfilment.PayResult:
        """Pay for orders (guide §9). An error with `outcome_unknown` means that they may be paid all the same.

        `send_until`, `confirm`: see `call`.
        """
        try:
            return fulfilment.read_pay_result(self.call(request, send_until, confirm).payload)
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
