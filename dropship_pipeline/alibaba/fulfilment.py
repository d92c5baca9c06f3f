"""What becomes of an order, typed and tolerant: creation, payment, parcels, tracking (guide §8, §9, §12–§14).

The orders themselves are in `orders`.
"""

from dataclasses import dataclass
from datetime import datetime

from dropship_pipeline.alibaba.orders import Money, read_moment, read_money
from dropship_pipeline.alibaba.values import Nulled, Unreadable, as_list, as_object, identifier, shown, text

PAID_REASONS = frozenset({"ORDER_HAVE_PAID"})


@dataclass(frozen=True, slots=True)
class CreatedOrder:
    """An order that was placed. `pay_url`: where a person can pay it by hand."""

    trade_id: str
    pay_url: str | None


@dataclass(frozen=True, slots=True)
class PayResult:
    """How a payment stands (guide §9): PAY_SUCCESS, PAY_FAILED, PAYING, UNPAID, … and why."""

    status: str
    reason_code: str | None
    reason_message: str | None
    pay_url: str | None

    @property
    def paid(self) -> bool:
        """Whether the order is paid, now or already before."""
        return self.status == "PAY_SUCCESS" or self.reason_code in PAID_REASONS


@dataclass(frozen=True, slots=True)
class Fund:
    """What an order's payment cost (guide §14)."""

    transaction_fee: Money | None
    nulled: tuple[Nulled, ...]


@dataclass(frozen=True, slots=True)
class Parcel:
    """A parcel of an order (guide §13)."""

    tracking_number: str
    service_provider: str | None
    logistics_type: str | None


@dataclass(frozen=True, slots=True)
class Logistics:
    """How far an order's delivery is (guide §13). `shipped_at` is UTC."""

    status: str | None
    shipped_at: datetime | None
    parcels: tuple[Parcel, ...]
    nulled: tuple[Nulled, ...]


@dataclass(frozen=True, slots=True)
class TrackingEvent:
    """What happened to a parcel. `time` is as answered, `2024-06-11 15:53:00`: it has no zone (live facts: Answers)."""

    code: str | None
    name: str | None
    location: str | None
    time: str | None


@dataclass(frozen=True, slots=True)
class Tracking:
    """The way of a parcel, in the order of the answer (guide §12)."""

    tracking_number: str
    carrier: str | None
    current_event_code: str | None
    tracking_url: str | None
    events: tuple[TrackingEvent, ...]


def read_created_order(payload: object) -> CreatedOrder:
    """From `value` (guide §8). Raises Unreadable with code `no_order_id`: whether an order exists is then unknown."""
    notes: list[Nulled] = []
    raw = as_object(payload, "value", notes) or {}
    trade_id = identifier(raw.get("trade_id"), "trade_id", notes)
    if trade_id is None:
        raise Unreadable("no_order_id", f"the answer to an order is {shown(payload)}")
    return CreatedOrder(trade_id, text(raw.get("pay_url"), "pay_url", notes))


def read_reference(payload: object) -> str | None:
    """The merchant's own reference of an order, from `value` of its details, where Alibaba.com tells it: the guide does
    not say that it does (§11).
    """
    raw = as_object(payload, "value", []) or {}
    return text(raw.get("channel_refer_id"), "channel_refer_id", [])


def read_pay_result(payload: object) -> PayResult:
    """From `value` (guide §9). Raises Unreadable with code `no_status`."""
    notes: list[Nulled] = []
    raw = as_object(payload, "value", notes) or {}
    status = text(raw.get("status"), "status", notes)
    if status is None:
        raise Unreadable("no_status", f"the answer to a payment is {shown(payload)}")
    return PayResult(
        status,
        text(raw.get("reason_code"), "reason_code", notes),
        text(raw.get("reason_message"), "reason_message", notes),
        text(raw.get("pay_url"), "pay_url", notes),
    )


def read_fund(payload: object) -> Fund:
    """From `value` (guide §14). No fee is no fault: an unpaid order has none."""
    notes: list[Nulled] = []
    raw = as_object(payload, "value", notes) or {}
    fee = read_money(raw.get("payment_transaction_fee"), "payment_transaction_fee", notes)
    return Fund(fee, tuple(notes))


def read_logistics(payload: object) -> Logistics:
    """From `value` (guide §13). A parcel without a tracking number is left out."""
    notes: list[Nulled] = []
    raw = as_object(payload, "value", notes) or {}
    parcels = []
    for entry in as_list(raw.get("shipping_order_list")):
        shipment = as_object(entry, "shipping_order_list[]", notes) or {}
        voucher = as_object(shipment.get("voucher"), "voucher", notes) or {}
        number = identifier(voucher.get("tracking_number"), "voucher.tracking_number", notes)
        if number is not None:
            parcels.append(
                Parcel(
                    number,
                    text(voucher.get("service_provider"), "voucher.service_provider", notes),
                    text(voucher.get("logistics_type"), "voucher.logistics_type", notes),
                )
            )
    return Logistics(
        text(raw.get("logistic_status"), "logistic_status", notes),
        read_moment(raw.get("shipment_date"), "shipment_date", notes),
        tuple(parcels),
        tuple(notes),
    )


def read_tracking(payload: object) -> tuple[Tracking, ...]:
    """From `tracking_list` (guide §12). A parcel without a tracking number is left out."""
    notes: list[Nulled] = []
    found = []
    for entry in as_list(payload):
        raw = as_object(entry, "tracking_list[]", notes) or {}
        number = identifier(raw.get("tracking_number"), "tracking_number", notes)
        if number is None:
            continue
        events = [as_object(event, "event_list[]", notes) for event in as_list(raw.get("event_list"))]
        found.append(
            Tracking(
                number,
                text(raw.get("carrier"), "carrier", notes),
                text(raw.get("current_event_code"), "current_event_code", notes),
                text(raw.get("tracking_url"), "tracking_url", notes),
                tuple(_event(event, notes) for event in events if event is not None),
            )
        )
    return tuple(found)


def _event(raw: dict[str, object], notes: list[Nulled]) -> TrackingEvent:
    return TrackingEvent(
        text(raw.get("event_code"), "event_code", notes),
        text(raw.get("event_name"), "event_name", notes),
        text(raw.get("event_location"), "event_location", notes),
        text(raw.get("event_time"), "event_time", notes),
    )
