"""Orders as the API tells them, typed and tolerant (guide §10, §11). Payment and parcels are in `fulfilment`.

The one place that knows what the fields of an order are called. Statuses are kept as they come: there are more than the
guide lists (live facts: Answers).
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from dropship_pipeline.alibaba.values import (
    Nulled,
    Unreadable,
    as_list,
    as_object,
    boolean,
    count,
    currency_code,
    epoch_ms,
    identifier,
    money,
    shown,
    text,
)


@dataclass(frozen=True, slots=True)
class Money:
    """An amount and its currency."""

    amount: Decimal
    currency: str | None


@dataclass(frozen=True, slots=True)
class OrderSummary:
    """An order as the list has it. Times are UTC."""

    trade_id: str
    status: str | None
    created_at: datetime | None
    modified_at: datetime | None


@dataclass(frozen=True, slots=True)
class OrderPage:
    """A page of the order list. `total`: orders in all, as reported; `unreadable`: entries without an order ID."""

    orders: tuple[OrderSummary, ...]
    total: int | None
    unreadable: int
    nulled: tuple[Nulled, ...]


@dataclass(frozen=True, slots=True)
class OrderLine:
    """A line of an order. `line` counts from 1. `attributes`: name and value of each variant attribute."""

    line: int
    product_id: str | None
    sku_id: str | None
    name: str | None
    quantity: Decimal | None
    unit: str | None
    unit_price: Money | None
    image_url: str | None
    attributes: tuple[tuple[str | None, str | None], ...]


@dataclass(frozen=True, slots=True, repr=False)
class Recipient:
    """To whom an order goes. Personal data: no repr shows it. Phones are `country area number`."""

    contact_person: str | None
    country_code: str | None
    country: str | None
    province: str | None
    city: str | None
    zip: str | None
    address: str | None
    alternate_address: str | None
    mobile: str | None
    telephone: str | None

    def __repr__(self) -> str:
        return f"Recipient({self.country_code}, ***)"


@dataclass(frozen=True, slots=True)
class Order:
    """An order in full. Times are UTC; amounts carry their currency."""

    trade_id: str
    status: str | None
    pay_step: str | None
    fulfillment_channel: str | None
    dropshipping: bool | None
    created_at: datetime | None
    modified_at: datetime | None
    lines: tuple[OrderLine, ...]
    product_total: Money | None
    shipment_fee: Money | None
    total: Money | None
    carrier_code: str | None
    carrier_name: str | None
    recipient: Recipient | None
    buyer_eid: str | None
    seller_eid: str | None
    buyer_name: str | None = field(repr=False)
    seller_name: str | None
    nulled: tuple[Nulled, ...] = field(repr=False)


def read_order_page(payload: object) -> OrderPage:
    """A page of the order list from `value` (guide §10). Raises Unreadable with code `not_an_object`."""
    notes: list[Nulled] = []
    page = as_object(payload, "value", notes)
    if page is None:
        raise Unreadable("not_an_object", f"the order list is {shown(payload)}")
    entries = as_list(page.get("order_list"))
    orders = [order for entry in entries if (order := _summary(entry, notes)) is not None]
    total = count(page.get("total_count"), "total_count", notes)
    return OrderPage(tuple(orders), total, len(entries) - len(orders), tuple(notes))


def _summary(entry: object, notes: list[Nulled]) -> OrderSummary | None:
    raw = as_object(entry, "order_list[]", notes)
    trade_id = identifier(raw.get("trade_id"), "trade_id", notes) if raw else None
    if raw is None or trade_id is None:
        return None
    return OrderSummary(
        trade_id,
        text(raw.get("trade_status"), "trade_status", notes),
        read_moment(raw.get("create_date"), "create_date", notes),
        read_moment(raw.get("modify_date"), "modify_date", notes),
    )


def read_order(payload: object, trade_id: str) -> Order:
    """An order from `value` (guide §11). Raises Unreadable with code `not_an_object` or `other_order`."""
    notes: list[Nulled] = []
    raw = as_object(payload, "value", notes)
    if raw is None:
        # the answer itself is not shown: whatever it is, it may hold somebody's address
        raise Unreadable("not_an_object", f"order {trade_id} is no object but a {type(payload).__name__}")
    answered = identifier(raw.get("trade_id"), "trade_id", notes)
    if answered is not None and answered != trade_id:
        raise Unreadable("other_order", f"asked for order {trade_id}, told of {answered}")
    get = raw.get
    carrier = as_object(get("carrier"), "carrier", notes) or {}
    buyer = as_object(get("buyer"), "buyer", notes) or {}
    seller = as_object(get("seller"), "seller", notes) or {}
    return Order(
        trade_id=trade_id,
        status=text(get("trade_status"), "trade_status", notes),
        pay_step=text(get("pay_step"), "pay_step", notes),
        fulfillment_channel=text(get("fulfillment_channel"), "fulfillment_channel", notes),
        dropshipping=boolean(get("dropshipping"), "dropshipping", notes),
        created_at=read_moment(get("create_date"), "create_date", notes),
        modified_at=read_moment(get("modify_date"), "modify_date", notes),
        lines=_lines(get("order_products"), notes),
        product_total=read_money(get("product_total_amount"), "product_total_amount", notes),
        shipment_fee=read_money(get("shipment_fee"), "shipment_fee", notes),
        total=read_money(get("total_amount"), "total_amount", notes),
        carrier_code=text(carrier.get("code"), "carrier.code", notes),
        carrier_name=text(carrier.get("name"), "carrier.name", notes),
        recipient=_recipient(get("shipping_address"), notes),
        buyer_eid=text(buyer.get("immutable_eid"), "buyer.immutable_eid", notes),
        seller_eid=text(seller.get("immutable_eid"), "seller.immutable_eid", notes),
        buyer_name=text(buyer.get("full_name"), "buyer.full_name", notes),
        seller_name=text(seller.get("full_name"), "seller.full_name", notes),
        nulled=tuple(notes),
    )


def read_money(value: object, field_name: str, notes: list[Nulled]) -> Money | None:
    """An `{"amount", "currency"}` object; None where it, or its amount, is absent or cannot be read."""
    raw = as_object(value, field_name, notes)
    if raw is None:
        return None
    amount = money(raw.get("amount"), f"{field_name}.amount", notes)
    if amount is None:
        return None
    return Money(amount, currency_code(raw.get("currency"), f"{field_name}.currency", notes))


def read_moment(value: object, field_name: str, notes: list[Nulled]) -> datetime | None:
    """The UTC time of a date object: its epoch milliseconds, for its text may be a literal pattern (live facts)."""
    raw = as_object(value, field_name, notes)
    return None if raw is None else epoch_ms(raw.get("timestamp"), f"{field_name}.timestamp", notes)


def _lines(value: object, notes: list[Nulled]) -> tuple[OrderLine, ...]:
    lines = []
    for number, entry in enumerate(as_list(value), start=1):
        raw = as_object(entry, "order_products[]", notes)
        if raw is None:
            continue
        attributes = [as_object(item, "sku_attributes[]", notes) for item in as_list(raw.get("sku_attributes"))]
        lines.append(
            OrderLine(
                line=number,
                product_id=identifier(raw.get("product_id"), "order_products[].product_id", notes),
                sku_id=identifier(raw.get("sku_id"), "order_products[].sku_id", notes),
                name=text(raw.get("name"), "order_products[].name", notes),
                quantity=money(raw.get("quantity"), "order_products[].quantity", notes),
                unit=text(raw.get("unit"), "order_products[].unit", notes),
                unit_price=read_money(raw.get("unit_price"), "order_products[].unit_price", notes),
                image_url=text(raw.get("product_image"), "order_products[].product_image", notes),
                attributes=tuple(
                    (text(item.get("key"), "sku_attributes[].key", notes), text(item.get("value"), "value", notes))
                    for item in attributes
                    if item is not None
                ),
            )
        )
    return tuple(lines)


def _recipient(value: object, notes: list[Nulled]) -> Recipient | None:
    # What cannot be read here is not noted: a note would carry somebody's address to where it must not be.
    unspoken: list[Nulled] = []
    raw = as_object(value, "shipping_address", unspoken)
    if raw is None:
        return None
    found = {
        name: text(raw.get(name), name, unspoken)
        for name in (
            "contact_person",
            "country_code",
            "country",
            "province",
            "city",
            "zip",
            "address",
            "alternate_address",
        )
    }
    if unspoken:
        notes.append(Nulled("shipping_address", "***"))
    return Recipient(**found, mobile=_phone(raw.get("mobile")), telephone=_phone(raw.get("telephone")))


def _phone(value: object) -> str | None:
    raw = as_object(value, "phone", [])
    if raw is None:
        return text(value, "phone", [])
    parts = [text(raw.get(name), name, []) for name in ("country", "area", "number")]
    return " ".join(part for part in parts if part) or None
