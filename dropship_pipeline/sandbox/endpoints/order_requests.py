"""Reads the parameters of /buynow/order/create (guide §8) into a typed request, or refuses what cannot be read.

Whether the order can be placed is decided in `order_placement.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dropship_pipeline.sandbox.api import Call
from dropship_pipeline.sandbox.endpoints.order_refusals import refusal
from dropship_pipeline.sandbox.endpoints.parameters import (
    flag,
    invalid,
    json_object,
    json_objects,
    missing,
    required,
    text_of,
    whole_number,
)
from dropship_pipeline.sandbox.world.recipients import Phone, Recipient

ADDRESS = "logistics_detail.shipment_address"
_MOST_LINES, _MOST_UNITS = 50, 1_000_000
# Where a tariff cannot be told without the province.
_WITH_PROVINCES = frozenset({"US", "CA", "MX", "AU", "BR"})


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of `product_list`."""

    product_id: str
    sku_id: str
    quantity: int


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What a call of /buynow/order/create asks for. `dispatch_location` None: not given, which means CN."""

    channel_refer_id: str
    items: tuple[Item, ...]
    recipient: Recipient
    dispatch_location: str | None
    carrier_code: str
    properties: Mapping[str, Any]
    remark: str
    attachments: tuple[Mapping[str, Any], ...]
    enable_distribution_waybill: bool
    clearance: Mapping[str, Any]


def order_request(call: Call) -> OrderRequest:
    """The call's parameters. Raises `MissingParameter`, `InvalidParameter`, or 800022 for an incomplete address."""
    channel_refer_id = required(call, "channel_refer_id")
    items = tuple(
        _item(entry, f"product_list[{number}]")
        for number, entry in enumerate(json_objects(required(call, "product_list"), "product_list"))
    )
    if not 1 <= len(items) <= _MOST_LINES:
        raise invalid("product_list", f"1 to {_MOST_LINES} products are expected")
    logistics = json_object(required(call, "logistics_detail"), "logistics_detail")
    carrier_code = text_of(logistics, "carrier_code")
    if not carrier_code:
        raise missing("logistics_detail.carrier_code")
    clearance = _optional_object(call, "clearance_detail")
    return OrderRequest(
        channel_refer_id=channel_refer_id,
        items=items,
        recipient=_recipient(logistics.get("shipment_address"), clearance),
        dispatch_location=text_of(logistics, "dispatch_location") or None,
        carrier_code=carrier_code,
        properties=_optional_object(call, "properties"),
        remark=call.params.get("remark", "").strip(),
        attachments=tuple(json_objects(call.params.get("attachments") or "[]", "attachments")),
        enable_distribution_waybill=flag(call.params.get("enable_distribution_waybill"), "enable_distribution_waybill"),
        clearance=clearance,
    )


def _item(entry: Mapping[str, Any], name: str) -> Item:
    for key in ("product_id", "sku_id", "quantity"):
        if not text_of(entry, key):
            raise missing(f"{name}.{key}")
    quantity = whole_number(entry["quantity"], f"{name}.quantity", 1, _MOST_UNITS)
    return Item(text_of(entry, "product_id"), text_of(entry, "sku_id"), quantity)


def _optional_object(call: Call, name: str) -> Mapping[str, Any]:
    text = call.params.get(name, "").strip()
    return json_object(text, name) if text else {}


def _recipient(address: object, clearance: Mapping[str, Any]) -> Recipient:
    if not isinstance(address, dict):
        raise missing(ADDRESS)
    country_code = text_of(address, "country_code").upper()
    needed = ["country_code", "zip", "city", "address"]
    if country_code in _WITH_PROVINCES:
        needed.append("province")
    lacking = [name for name in needed if not text_of(address, name)]
    if country_code == "KR" and not clearance:
        lacking.append("clearance_detail")
    if lacking:
        raise refusal("800022", f"Missing: {', '.join(lacking)}.")
    if not text_of(address, "contact_person"):
        raise missing(f"{ADDRESS}.contact_person")
    mobile, telephone = _phone(address.get("mobile")), _phone(address.get("telephone"))
    if not mobile.number and not telephone.number:
        raise missing(f"{ADDRESS}.telephone.number")
    return Recipient(
        contact_person=text_of(address, "contact_person"),
        address=text_of(address, "address"),
        alternate_address=text_of(address, "alternate_address"),
        city=text_of(address, "city"),
        city_code=text_of(address, "city_code"),
        province=text_of(address, "province"),
        province_code=text_of(address, "province_code"),
        zip=text_of(address, "zip"),
        country=text_of(address, "country") or country_code,
        country_code=country_code,
        port=text_of(address, "port"),
        port_code=text_of(address, "port_code"),
        mobile=mobile if mobile.number else telephone,
        telephone=telephone,
    )


def _phone(value: object) -> Phone:
    if not isinstance(value, dict):
        return Phone()
    return Phone(text_of(value, "country"), text_of(value, "area"), text_of(value, "number"))
