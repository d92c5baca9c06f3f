"""Typed requests of orders, payment and logistics (guide §7–§14). Catalogue and tokens are in `requests`.

Addresses and whatever a buyer writes are personal: no repr shows them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from dropship_pipeline.alibaba.dialect import Dialect
from dropship_pipeline.alibaba.operations import OPERATIONS, Operation
from dropship_pipeline.alibaba.requests import as_json, boolean, iso_country


@dataclass(frozen=True, slots=True, repr=False)
class Phone:
    """A phone number in the parts that the guide gives it (guide §8): `+1`, `212`, `5551234567`."""

    country: str
    number: str
    area: str = ""

    def __repr__(self) -> str:
        return "Phone(***)"


@dataclass(frozen=True, slots=True, repr=False)
class Address:
    """Where an order goes, and to whom (guide §7, §8). `country_code` is ISO; UK is sent as GB."""

    zip: str
    country_code: str
    country: str
    province: str
    city: str
    address: str
    province_code: str = ""
    city_code: str = ""
    alternate_address: str = ""
    contact_person: str = ""
    telephone: Phone | None = None
    mobile: Phone | None = None

    def __repr__(self) -> str:
        return f"Address({self.country_code}, ***)"

    def for_freight(self) -> dict[str, object]:
        """As /order/freight/calculate wants it."""
        return {
            "zip": self.zip,
            "country": {"code": iso_country(self.country_code), "name": self.country},
            "province": {"code": self.province_code, "name": self.province},
            "city": {"code": self.city_code, "name": self.city},
            "address": self.address,
        }

    def for_order(self) -> dict[str, object]:
        """As /buynow/order/create wants it; what is empty is left out."""
        texts = {
            "zip": self.zip,
            "country": self.country,
            "country_code": iso_country(self.country_code),
            "province": self.province,
            "province_code": self.province_code,
            "city": self.city,
            "city_code": self.city_code,
            "address": self.address,
            "alternate_address": self.alternate_address,
            "contact_person": self.contact_person,
        }
        address: dict[str, object] = {name: value for name, value in texts.items() if value}
        for name, phone in (("telephone", self.telephone), ("mobile", self.mobile)):
            if phone is not None:
                address[name] = {"country": phone.country, "area": phone.area, "number": phone.number}
        return address


@dataclass(frozen=True, slots=True)
class OrderItem:
    """So many of a SKU. `country_code`: where it ships from, where a freight calculation needs to be told."""

    product_id: str
    sku_id: str
    quantity: int
    country_code: str | None = None

    def told(self) -> dict[str, str]:
        """As the API wants it: text only."""
        item = {"product_id": self.product_id, "sku_id": self.sku_id, "quantity": str(self.quantity)}
        if self.country_code is not None:
            item["country_code"] = self.country_code
        return item


@dataclass(frozen=True, slots=True)
class CalculateOrderFreight:
    """Shipping options for what an order would hold (guide §7); only their vendor codes may carry an order.

    `e_company_id` is the supplier's, from the product's description.
    """

    operation: ClassVar[Operation] = OPERATIONS["calculate_order_freight"]
    e_company_id: str
    destination_country: str
    items: tuple[OrderItem, ...]
    address: Address | None = None
    dispatch_location: str | None = None
    enable_distribution_waybill: bool | None = None

    @property
    def key(self) -> str:
        """The product IDs, joined by commas."""
        return ",".join(item.product_id for item in self.items)

    def params(self, dialect: Dialect) -> dict[str, str]:  # noqa: ARG002 - both dialects say the same
        """Flat, with the address and the items as JSON."""
        params = {
            "e_company_id": self.e_company_id,
            "destination_country": iso_country(self.destination_country),
            "logistics_product_list": as_json([item.told() for item in self.items]),
        }
        if self.address is not None:
            params["address"] = as_json(self.address.for_freight())
        if self.dispatch_location is not None:
            params["dispatch_location"] = self.dispatch_location
        if self.enable_distribution_waybill is not None:
            params["enable_distribution_waybill"] = boolean(self.enable_distribution_waybill)
        return params


@dataclass(frozen=True, slots=True)
class CreateOrder:
    """A BuyNow order (guide §8). Never sent again where an answer was lost: no parameter makes it safe.

    `channel_refer_id` is the merchant's own reference. `carrier_code` is a vendor code of the order's own freight
    calculation from the same `dispatch_location`.
    """

    operation: ClassVar[Operation] = OPERATIONS["create_order"]
    channel_refer_id: str
    items: tuple[OrderItem, ...]
    address: Address
    dispatch_location: str
    carrier_code: str
    properties: Mapping[str, str] | None = None
    remark: str | None = field(default=None, repr=False)
    attachments: tuple[Mapping[str, object], ...] = field(default=(), repr=False)
    enable_distribution_waybill: bool | None = None
    clearance_detail: Mapping[str, object] | None = field(default=None, repr=False)

    @property
    def key(self) -> str:
        """The merchant's reference."""
        return self.channel_refer_id

    def params(self, dialect: Dialect) -> dict[str, str]:  # noqa: ARG002 - both dialects say the same
        """Flat, with lists and objects as JSON."""
        logistics = {
            "shipment_address": self.address.for_order(),
            "dispatch_location": self.dispatch_location,
            "carrier_code": self.carrier_code,
        }
        params = {
            "channel_refer_id": self.channel_refer_id,
            "product_list": as_json([item.told() for item in self.items]),
            "logistics_detail": as_json(logistics),
        }
        if self.properties is not None:
            params["properties"] = as_json(dict(self.properties))
        if self.remark is not None:
            params["remark"] = self.remark
        if self.attachments:
            params["attachments"] = as_json([dict(attachment) for attachment in self.attachments])
        if self.enable_distribution_waybill is not None:
            params["enable_distribution_waybill"] = boolean(self.enable_distribution_waybill)
        if self.clearance_detail is not None:
            params["clearance_detail"] = as_json(dict(self.clearance_detail))
        return params


@dataclass(frozen=True, slots=True)
class PayOrders:
    """Pay for orders (guide §9). Never sent again where an answer was lost: ask `QueryPayResult`.

    `isv_drop_shipper_registration_time`: when the merchant registered with us, epoch milliseconds.
    """

    operation: ClassVar[Operation] = OPERATIONS["pay_orders"]
    trade_ids: tuple[str, ...]
    user_ip: str = field(repr=False)
    user_agent: str = field(repr=False)
    isv_drop_shipper_registration_time: int
    payment_method: str = "CREDIT_CARD"
    accept_language: str = "en-US,en;q=0.9"
    screen_resolution: str = "1920*1080"
    is_pc: bool = True

    @property
    def key(self) -> str:
        """The order IDs, joined by commas."""
        return ",".join(self.trade_ids)

    def params(self, dialect: Dialect) -> dict[str, str]:  # noqa: ARG002 - both dialects say the same
        """`param_order_pay_request`."""
        request = {
            "order_id_list": list(self.trade_ids),
            "payment_method": self.payment_method,
            "user_ip": self.user_ip,
            "user_agent": self.user_agent,
            "accept_language": self.accept_language,
            "screen_resolution": self.screen_resolution,
            "is_pc": self.is_pc,
            "isv_drop_shipper_registration_time": self.isv_drop_shipper_registration_time,
        }
        return {"param_order_pay_request": as_json(request)}


@dataclass(frozen=True, slots=True)
class ListOrders:
    """A page of the account's orders (guide §10). Bounds are UTC; `page_size` at most 100, `start_page` from 0."""

    operation: ClassVar[Operation] = OPERATIONS["list_orders"]
    start_page: int = 0
    page_size: int = 100
    role: str = "buyer"
    status: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    modified_from: datetime | None = None
    modified_to: datetime | None = None

    @property
    def key(self) -> str:
        """`orders:page`."""
        return f"orders:{self.start_page}"

    def params(self, dialect: Dialect) -> dict[str, str]:  # noqa: ARG002 - both dialects say the same
        """Flat, with the bounds as JSON; only their epoch milliseconds, whose zone is certain."""
        params = {"role": self.role, "start_page": str(self.start_page), "page_size": str(self.page_size)}
        if self.status is not None:
            params["status"] = self.status
        bounds = {
            "create_date_start": self.created_from,
            "create_date_end": self.created_to,
            "modified_date_start": self.modified_from,
            "modified_date_end": self.modified_to,
        }
        for name, bound in bounds.items():
            if bound is not None:
                params[name] = as_json({"date_timestamp": str(int(bound.timestamp() * 1000))})
        return params


@dataclass(frozen=True, slots=True)
class OfOrder:
    """A call about one order: its details, fund, logistics, tracking, pay result, or its cancellation.

    `order_parameter`: how the endpoint calls the order's ID. `data_select`, `language`: where the endpoint knows them.
    """

    operation: Operation
    trade_id: str
    order_parameter: str = "trade_id"
    data_select: str | None = None
    language: str | None = None

    @classmethod
    def details(cls, trade_id: str, data_select: str | None = None, language: str | None = None) -> "OfOrder":
        """`/alibaba/order/get` (guide §11)."""
        return cls(OPERATIONS["get_order"], trade_id, "e_trade_id", data_select, language)

    @classmethod
    def fund(cls, trade_id: str) -> "OfOrder":
        """`/alibaba/order/fund/query` (guide §14)."""
        return cls(OPERATIONS["query_fund"], trade_id, "e_trade_id", "fund_transaction_fee")

    @classmethod
    def logistics(cls, trade_id: str) -> "OfOrder":
        """`/order/logistics/query` with tracking numbers (guide §13)."""
        return cls(OPERATIONS["query_logistics"], trade_id, data_select="logistic_order")

    @classmethod
    def tracking(cls, trade_id: str) -> "OfOrder":
        """`/order/logistics/tracking/get` (guide §12)."""
        return cls(OPERATIONS["track_order"], trade_id)

    @classmethod
    def pay_result(cls, trade_id: str) -> "OfOrder":
        """`/alibaba/order/pay/result/query` (live facts: Requests)."""
        return cls(OPERATIONS["query_pay_result"], trade_id)

    @classmethod
    def cancellation(cls, trade_id: str) -> "OfOrder":
        """`/alibaba/order/cancel` (live facts: Requests)."""
        return cls(OPERATIONS["cancel_order"], trade_id)

    @property
    def key(self) -> str:
        """The order's ID."""
        return self.trade_id

    def params(self, dialect: Dialect) -> dict[str, str]:  # noqa: ARG002 - both dialects say the same
        """Flat; what is None is left out."""
        params = {self.order_parameter: self.trade_id}
        if self.data_select is not None:
            params["data_select"] = self.data_select
        if self.language is not None:
            params["language"] = self.language
        return params
