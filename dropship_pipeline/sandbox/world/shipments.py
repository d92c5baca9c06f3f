"""The parcels of an order and what happens to them on the way: a pure function of the order and the clock (guide
§12, §13).
"""

import hashlib
from typing import NamedTuple

from dropship_pipeline.sandbox.world.lifecycle import DAY, OrderStatus, whole_second
from dropship_pipeline.sandbox.world.order_model import Order

S = OrderStatus
_USUAL_TRANSIT_MS = 12 * DAY * 1000


class TrackingEvent(NamedTuple):
    """Something that happened to a parcel."""

    code: str
    name: str
    location: str
    at_ms: int


class Parcel(NamedTuple):
    """A parcel and its events so far, the newest first."""

    tracking_number: str
    carrier: str
    events: tuple[TrackingEvent, ...]


class Leg(NamedTuple):
    """An event of the usual course: after which thousandth of the transit, and where ("" at the recipient's)."""

    permille: int
    code: str
    name: str
    place: str


_DELIVERED = (Leg(955, "OUT_FOR_DELIVERY", "Out for Delivery", ""), Leg(1000, "DELIVERED", "Delivered", ""))
_FROM_CHINA = (
    Leg(0, "PICKED_UP", "Picked Up", "CN, GUANGDONG, SHENZHEN"),
    Leg(60, "IN_TRANSIT", "In Transit", "CN, GUANGDONG, DONGGUAN"),
    Leg(160, "EXPORT_CLEARED", "Export Customs Cleared", "CN, GUANGDONG, SHENZHEN"),
    Leg(240, "DEPARTED", "Departed from Origin Country", "CN, GUANGDONG, SHENZHEN"),
    Leg(620, "ARRIVED", "Arrived at Destination Country", "{country}, GATEWAY"),
    Leg(720, "IMPORT_CLEARED", "Import Customs Cleared", "{country}, GATEWAY"),
    Leg(850, "IN_TRANSIT", "In Transit", "{country}, {region}, REGIONAL HUB"),
    *_DELIVERED,
)
_LOCAL = (
    Leg(0, "PICKED_UP", "Picked Up", "{origin}, WAREHOUSE"),
    Leg(250, "IN_TRANSIT", "In Transit", "{origin}, SORTING CENTER"),
    Leg(700, "IN_TRANSIT", "In Transit", "{country}, {region}, REGIONAL HUB"),
    *_DELIVERED,
)

# part of a carrier code -> the carrier that the parcel travels with, and what its tracking numbers look like
_CARRIERS = (
    ("fedex", "FEDEX", "77{:010d}"),
    ("usps", "USPS", "92001902{:014d}"),
    ("ups", "UPS", "1Z88E7{:012d}"),
    ("dhl", "DHL", "{:010d}"),
    ("estafeta", "ESTAFETA", "80559{:017d}"),
    ("ocean", "MATSON", "MATS{:08d}"),
    ("", "YANWEN", "UG{:09d}YP"),
)
_SECOND_PARCEL_FROM = 20  # units


def parcels(order: Order, now_ms: int) -> tuple[Parcel, ...]:
    """What has been sent of the order by now; nothing before the seller has shipped."""
    shipped_ms = shipped_at(order, now_ms)
    if shipped_ms is None:
        return ()
    arrival_ms = next((step.at_ms for step in order.timeline if step.status is S.WAIT_CONFIRM_RECEIPT), None)
    until_ms = arrival_ms or shipped_ms + _USUAL_TRANSIT_MS
    stopped_ms = next((step.at_ms for step in order.timeline if step.status is S.FROZEN), None)
    seen_ms = min(now_ms, stopped_ms or now_ms)
    count = 2 if sum(line.quantity for line in order.draft.lines) >= _SECOND_PARCEL_FROM else 1
    return tuple(_parcel(order, number, shipped_ms, until_ms, seen_ms) for number in range(count))


def shipped_at(order: Order, now_ms: int) -> int | None:
    """When the seller shipped the order, if that was before now."""
    return next((step.at_ms for step in order.timeline if step.status is S.DELIVERING and step.at_ms <= now_ms), None)


def _parcel(order: Order, number: int, shipped_ms: int, until_ms: int, seen_ms: int) -> Parcel:
    draw = int.from_bytes(hashlib.blake2b(f"{order.trade_id}:{number}".encode(), digest_size=8).digest(), "little")
    code = order.draft.carrier_code.lower()
    _, carrier, pattern = next(row for row in _CARRIERS if row[0] in code)
    width = int(pattern.split(":0")[1].split("d")[0])
    recipient = order.draft.recipient
    names = {
        "origin": order.draft.dispatch_location,
        "country": recipient.country_code,
        "region": (recipient.province_code or recipient.province).upper(),
    }
    home = ", ".join(filter(None, (names["country"], names["region"], recipient.city.upper())))
    legs = _FROM_CHINA if order.draft.dispatch_location == "CN" else _LOCAL
    events = [
        TrackingEvent(leg.code, leg.name, leg.place.format(**names) or home, at_ms)
        for leg in legs
        for at_ms in [whole_second(shipped_ms + (until_ms - shipped_ms) * leg.permille // 1000)]
        if at_ms <= seen_ms
    ]
    return Parcel(pattern.format(draw % 10**width), carrier, tuple(reversed(events)))
