"""What is pushed: the changes of products and orders since the last look, as messages (guide: Webhook Payload
Structure). How they get to their receiver is `pushes.py`'s.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import orjson

from dropship_pipeline.sandbox.accounts import Accounts
from dropship_pipeline.sandbox.clock import Clock, real_now_ms
from dropship_pipeline.sandbox.world.catalogue import Catalogue
from dropship_pipeline.sandbox.world.orders import Orders, StatusChange
from dropship_pipeline.sandbox.world.products import Product

_PRODUCTS_A_LOOK = 500  # a look holds up whoever calls the API meanwhile
_LATE_MS = 2_000  # what happens now is dated to its whole second, which may be before the last look


class _Seen(NamedTuple):
    """What was last seen of a product."""

    listed: bool
    price_factor: float


class PushMessages:
    """Finds what has changed. The first look at a product or at the orders tells nothing: it is what later ones are
    compared with.
    """

    def __init__(self, catalogue: Catalogue, orders: Orders, accounts: Accounts, clock: Clock) -> None:
        self._catalogue = catalogue
        self._orders = orders
        self._accounts = accounts
        self._clock = clock
        self._seen: dict[str, _Seen] = {}
        self._next_product = 0
        self._products: list[str] | None = None
        self._looked_ms: int | None = None
        self._told: set[StatusChange] = set()

    def look(self) -> list[bytes]:
        """The bodies of the messages that are due: every status that an order got, and of up to 500 products, in
        turns, whether they are listed and what they cost.
        """
        now_ms = self._clock.now_ms()
        return [*self._order_messages(now_ms), *self._product_messages(now_ms)]

    def _order_messages(self, now_ms: int) -> Iterator[bytes]:
        first, since_ms = self._looked_ms is None, min(self._looked_ms or now_ms, now_ms)
        self._looked_ms = now_ms
        changes = self._orders.changes_between(since_ms - _LATE_MS, now_ms)
        connected = self._accounts.is_connected
        fresh = [change for change in changes if change not in self._told and connected(change.buyer_id)]
        self._told = set(changes)
        if not first:
            yield from map(self._of_order, fresh)

    def _of_order(self, change: StatusChange) -> bytes:
        buyer = self._accounts.buyer(change.buyer_id)
        return _encoded(
            {
                "havana_id": f"1737{buyer.account_id}",
                "seller_id": buyer.user_id,
                "message_type": 3,
                "data": {
                    "status": change.new_status,
                    "trade_id_str": change.trade_id,
                    "order_status": "PLACE_ORDER_SUCCESS",
                    "trade_order_id": str(int(change.trade_id[2:9])),
                    "status_update_time": f"{datetime.fromtimestamp(change.at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}",
                },
                "timestamp": real_now_ms() // 1000,
                "site": "icbu_global",
            }
        )

    def _product_messages(self, now_ms: int) -> Iterator[bytes]:
        if self._products is None:
            self._products = [
                product_id
                for number in range(len(self._catalogue))
                if (product_id := self._catalogue.some_product_id(number)) is not None
            ]
        start, count = self._next_product, len(self._products)
        for turn in range(min(_PRODUCTS_A_LOOK, count)):
            product = self._catalogue.product(self._products[(start + turn) % count], now_ms)
            if product is not None:
                yield from self._of_product(product, now_ms)
        self._next_product = (start + _PRODUCTS_A_LOOK) % max(1, count)

    def _of_product(self, product: Product, now_ms: int) -> Iterator[bytes]:
        listed = bool(self._catalogue.feeds_of(product.product_id, now_ms))
        before = self._seen.get(product.product_id)
        now = self._seen[product.product_id] = _Seen(listed, product.price_factor)
        if before is None or before == now:
            return
        if before.listed != listed:
            yield _about(product.product_id, {"option": "ADD" if listed else "DELETE"})
        if listed and before.price_factor != product.price_factor:
            for sku in product.skus:
                price = str(sku.unit_price(product.moq))
                stamp = str(real_now_ms() // 1000)
                yield _about(
                    product.product_id,
                    {"skuId": sku.sku_id, "option": "PRICE_CHANGE", "value": price, "timestamp": stamp},
                )


def _about(product_id: str, data: dict[str, str]) -> bytes:
    return _encoded(
        {
            "seller_id": "BROADCAST",
            "message_type": 1,
            "data": {"productId": product_id, **data},
            "timestamp": real_now_ms() // 1000,
        }
    )


def _encoded(message: dict[str, object]) -> bytes:
    return orjson.dumps(message)
