"""What is true, as the control API tells it under `/_sandbox/truth/`: a test holds its copy of the world against it."""

from collections.abc import Callable, Mapping
from typing import Any

from dropship_pipeline.sandbox.api import Refusal
from dropship_pipeline.sandbox.assembly import Sandbox
from dropship_pipeline.sandbox.endpoints.freight import told_options
from dropship_pipeline.sandbox.endpoints.payloads import description_of, inventory_of
from dropship_pipeline.sandbox.world.freight import DISPATCH_LOCATIONS
from dropship_pipeline.sandbox.world.products import Product

Json = dict[str, Any]


class ControlError(Exception):
    """A control request that makes no sense: HTTP status and what is wrong."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(what)
        self.status = status


class Truth:
    """The world without faults, limits and signatures, at the current time of the sandbox clock."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self.chapters: Mapping[str, Callable[[Mapping[str, str], Json], object]] = {
            "feeds": self._feeds,
            "feed": self._feed,
            "products": self._products,
            "product": self._product,
            "catalogue": self._catalogue,
            "freight": self._freight,
            "orders": self._orders,
            "order_changes": self._order_changes,
        }

    @property
    def _now_ms(self) -> int:
        return self._sandbox.clock.now_ms()

    def _feeds(self, _query: Mapping[str, str], _body: Json) -> object:
        catalogue, now_ms = self._sandbox.catalogue, self._now_ms
        return {
            key: {"path": listed.feed.path, "selector": listed.feed.selector, "total": catalogue.total(key, now_ms)}
            for key, listed in catalogue.listings.items()
        }

    def _feed(self, query: Mapping[str, str], _body: Json) -> object:
        catalogue, key = self._sandbox.catalogue, query["key"]
        if key not in catalogue.listings:
            raise ControlError(404, f"there is no feed {key!r}; there are {', '.join(catalogue.listings)}")
        ids = catalogue.page(key, 0, len(catalogue), self._now_ms)
        return {"key": key, "product_ids": [str(product_id) for product_id in ids]}

    def _products(self, _query: Mapping[str, str], _body: Json) -> object:
        return {"product_ids": self._sandbox.catalogue.ids(self._now_ms)}

    def _product(self, query: Mapping[str, str], _body: Json) -> object:
        return self._told(self._found(query["id"]), query.get("ship_to_country", ""))

    def _catalogue(self, query: Mapping[str, str], _body: Json) -> object:
        offset, limit = int(query.get("offset", 0)), int(query.get("limit", 1000))
        ids = self._sandbox.catalogue.ids(self._now_ms)[offset : offset + limit]
        ship_to = query.get("ship_to_country", "")
        return {"products": [self._told(self._found(product_id), ship_to) for product_id in ids]}

    def _freight(self, query: Mapping[str, str], _body: Json) -> object:
        """What each dispatch location answers: its options, or the code and text that it refuses with."""
        product = self._found(query["id"])
        quantity, destination = int(query.get("quantity", product.moq)), query.get("destination", "US")
        advanced, zip_code = query.get("advanced") == "true", query.get("zip", "")
        told: Json = {}
        for location in DISPATCH_LOCATIONS:
            try:
                options = self._sandbox.catalogue.freight(product, quantity, destination, location, advanced, zip_code)
                told[location] = {"value": told_options(options)}
            except Refusal as refusal:
                told[location] = {"code": refusal.code, "message": refusal.message}
        return {"product_id": product.product_id, "quantity": quantity, "destination": destination, "answers": told}

    def _found(self, product_id: str) -> Product:
        product = self._sandbox.catalogue.product(product_id, self._now_ms)
        if product is None:
            raise ControlError(404, f"there is no product {product_id!r}")
        return product

    def _told(self, product: Product, ship_to: str) -> Json:
        live = self._sandbox.config.dialect == "live"
        return {
            "product_id": product.product_id,
            "status": product.status,
            "feeds": self._sandbox.catalogue.feeds_of(product.product_id, self._now_ms),
            "dispatch_locations": product.dispatch_locations,
            "order_minimum": product.moq,
            "restricted_countries": sorted(product.restricted_countries),
            "freight_template_fails": product.design.template_fails,
            "price_changes_per_day": product.design.price_rate,
            "description": description_of(product, live=live, ship_to=ship_to),
            "inventory": inventory_of(product),
        }

    def _orders(self, _query: Mapping[str, str], _body: Json) -> object:
        return {"orders": self._sandbox.orders.orders_truth(self._now_ms)}

    def _order_changes(self, query: Mapping[str, str], _body: Json) -> object:
        until_ms = int(query.get("until_ms", self._now_ms))
        changes = self._sandbox.orders.changes_between(int(query.get("since_ms", 0)), until_ms)
        return {"changes": [change._asdict() for change in changes]}
