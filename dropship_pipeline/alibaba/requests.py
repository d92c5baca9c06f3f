"""Typed requests of the catalogue and of tokens: what each call takes, in which dialect, under which name it is landed.

A request knows nothing of signing or transport. `params(dialect)` gives the business parameters as they are signed and
sent: strings only. What is personal or secret in a request never shows in its repr. Orders are in `order_requests`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import orjson

from dropship_pipeline.alibaba.dialect import LARGEST_PAGE, Dialect
from dropship_pipeline.alibaba.operations import OPERATIONS, Operation


class Request(Protocol):
    """What the flow of a call needs of a request."""

    @property
    def operation(self) -> Operation:
        """The endpoint."""

    @property
    def key(self) -> str:
        """What the request is about: the name of its answer in the raw lake. Never a secret."""

    def params(self, dialect: Dialect) -> dict[str, str]:
        """The business parameters, as strings, in GUIDE or LIVE."""


def as_json(value: object) -> str:
    """A parameter's value as JSON text."""
    return orjson.dumps(value).decode()


_LISTINGS = {
    "scene": OPERATIONS["list_scene"],
    "local": OPERATIONS["list_local"],
    "localregular": OPERATIONS["list_local_regular"],
    "crossborder": OPERATIONS["list_cross_border"],
}


@dataclass(frozen=True, slots=True)
class ListProducts:
    """One page of a listing (guide §3, §3a–c).

    `endpoint`: scene, local, localregular or crossborder. `page` counts from 0. `page_size` is cut to what the dialect
    allows (100; live: 300). `label`: what the caller calls the listing.
    """

    endpoint: str
    page: int
    page_size: int
    scene_id: str | None = None
    country: str | None = None
    label: str = ""

    @property
    def operation(self) -> Operation:
        """The endpoint."""
        return _LISTINGS[self.endpoint]

    @property
    def key(self) -> str:
        """`label:page`."""
        return f"{self.label or self.scene_id or self.endpoint}:{self.page}"

    def params(self, dialect: Dialect) -> dict[str, str]:
        """One parameter, named by the endpoint."""
        size = min(self.page_size, LARGEST_PAGE[dialect])
        query: dict[str, object] = {}
        if self.scene_id is not None:
            query["scene_id"] = self.scene_id
        if dialect is Dialect.LIVE:
            query |= {"index": self.page, "size": size}
            if self.endpoint == "scene":
                query["product_type"] = "common"
        else:
            query |= {"page": self.page, "page_size": size}
        if self.country is not None:
            query["country"] = self.country
        return {str(self.operation.wrapper): as_json(query)}


@dataclass(frozen=True, slots=True)
class DescribeProduct:
    """A product's details (guide §4). `country` is told to the live gateway only, which demands it."""

    operation: ClassVar[Operation] = OPERATIONS["describe_product"]
    product_id: str
    country: str = "US"
    ship_to_country: str | None = None

    @property
    def key(self) -> str:
        """The product ID."""
        return self.product_id

    def params(self, dialect: Dialect) -> dict[str, str]:
        """`query_req`."""
        query = {"product_id": self.product_id}
        if dialect is Dialect.LIVE:
            query["country"] = self.country
        if self.ship_to_country is not None:
            query["ship_to_country"] = self.ship_to_country
        return {"query_req": as_json(query)}


@dataclass(frozen=True, slots=True)
class ReadInventory:
    """A product's stock, at every origin unless `shipping_from` names one (guide §5)."""

    operation: ClassVar[Operation] = OPERATIONS["read_inventory"]
    product_id: str
    sku_id: str | None = None
    shipping_from: str | None = None

    @property
    def key(self) -> str:
        """The product ID."""
        return self.product_id

    def params(self, dialect: Dialect) -> dict[str, str]:  # noqa: ARG002 - both dialects say the same
        """`inv_req`."""
        query = {"product_id": self.product_id, "sku_id": self.sku_id, "shipping_from": self.shipping_from}
        return {"inv_req": as_json({name: value for name, value in query.items() if value is not None})}


@dataclass(frozen=True, slots=True)
class EstimateFreight:
    """Shipping options for one product (guide §6). `destination_country`: ISO code; UK is sent as GB."""

    operation: ClassVar[Operation] = OPERATIONS["estimate_freight"]
    product_id: str
    quantity: int
    destination_country: str
    zip_code: str | None = None
    dispatch_location: str | None = None
    enable_distribution_waybill: bool | None = None

    @property
    def key(self) -> str:
        """The product ID."""
        return self.product_id

    def params(self, dialect: Dialect) -> dict[str, str]:  # noqa: ARG002 - both dialects say the same
        """Flat parameters; what is None is left out."""
        params = {
            "product_id": self.product_id,
            "quantity": str(self.quantity),
            "destination_country": iso_country(self.destination_country),
        }
        if self.zip_code is not None:
            params["zip_code"] = self.zip_code
        if self.dispatch_location is not None:
            params["dispatch_location"] = self.dispatch_location
        if self.enable_distribution_waybill is not None:
            params["enable_distribution_waybill"] = boolean(self.enable_distribution_waybill)
        return params


@dataclass(frozen=True, slots=True)
class BatchRead:
    """Several products in one call (live facts: Requests). Opt-in: not every gateway has these endpoints.

    `country` is told to the batch description only, as its single counterpart demands it of the live gateway.
    """

    operation: Operation
    product_ids: tuple[str, ...]
    country: str | None = None

    @classmethod
    def descriptions(cls, product_ids: Sequence[str], country: str | None = "US") -> "BatchRead":
        """`/eco/buyer/product/batch/description`."""
        return cls(OPERATIONS["describe_products"], tuple(product_ids), country)

    @classmethod
    def inventories(cls, product_ids: Sequence[str]) -> "BatchRead":
        """`/eco/buyer/product/batch/inventory`."""
        return cls(OPERATIONS["read_inventories"], tuple(product_ids))

    @classmethod
    def key_attributes(cls, product_ids: Sequence[str]) -> "BatchRead":
        """`/eco/buyer/product/batch/keyattributes`."""
        return cls(OPERATIONS["read_key_attributes"], tuple(product_ids))

    @property
    def key(self) -> str:
        """The product IDs, joined by commas."""
        return ",".join(self.product_ids)

    def params(self, dialect: Dialect) -> dict[str, str]:
        """One parameter, named by the endpoint."""
        query: dict[str, object] = {"product_ids": list(self.product_ids)}
        if self.country is not None and dialect is Dialect.LIVE:
            query["country"] = self.country
        return {str(self.operation.wrapper): as_json(query)}


@dataclass(frozen=True, slots=True)
class ProductEvent:
    """What the merchant did with a product: PRODUCT_LISTED, PRODUCT_DELISTED or ORDER_PLACED in one of its channels."""

    product_id: str
    event_type: str
    channel: str
    channel_store_id: str
    body: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SendProductEvents:
    """Tell Alibaba.com what became of products (live facts: Requests)."""

    operation: ClassVar[Operation] = OPERATIONS["send_product_events"]
    events: tuple[ProductEvent, ...]

    @property
    def key(self) -> str:
        """The product IDs, joined by commas."""
        return ",".join(event.product_id for event in self.events)

    def params(self, dialect: Dialect) -> dict[str, str]:  # noqa: ARG002 - both dialects say the same
        """`query_req`."""
        events = [
            {
                "ali_product_id": event.product_id,
                "event_type": event.event_type,
                "channel": event.channel,
                "channel_store_id": event.channel_store_id,
                "body": dict(event.body),
            }
            for event in self.events
        ]
        return {"query_req": as_json({"events": events})}


@dataclass(frozen=True, slots=True)
class CreateToken:
    """Exchange the code of an authorisation for tokens (guide §1). A code lasts 30 minutes and serves once."""

    operation: ClassVar[Operation] = OPERATIONS["create_token"]
    code: str = field(repr=False)
    uuid: str | None = field(default=None, repr=False)
    key: ClassVar[str] = "authorization code"

    def params(self, dialect: Dialect) -> dict[str, str]:  # noqa: ARG002 - both dialects say the same
        """`code`, and `uuid` if given."""
        return {"code": self.code} if self.uuid is None else {"code": self.code, "uuid": self.uuid}


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """Exchange a refresh token for a new pair (guide §2)."""

    operation: ClassVar[Operation] = OPERATIONS["refresh_token"]
    refresh_token: str = field(repr=False)
    key: ClassVar[str] = "refresh token"

    def params(self, dialect: Dialect) -> dict[str, str]:  # noqa: ARG002 - both dialects say the same
        """`refresh_token`."""
        return {"refresh_token": self.refresh_token}


def iso_country(code: str) -> str:
    """The ISO code that Alibaba.com knows: UK is GB (guide: Country Code Mapping)."""
    upper = code.strip().upper()
    return "GB" if upper == "UK" else upper


def boolean(value: bool) -> str:
    """As it is signed and sent: `true`, not `True` (live facts: Signing)."""
    return "true" if value else "false"
