"""What is true of an order, told as plain values: the oracle of tests and of the control API, apart from the API's
own words.
"""

from dataclasses import asdict

from dropship_pipeline.sandbox.world import lifecycle
from dropship_pipeline.sandbox.world.lifecycle import OrderStatus
from dropship_pipeline.sandbox.world.order_model import CURRENCY, Order
from dropship_pipeline.sandbox.world.shipments import parcels, shipped_at


def truth(order: Order, now_ms: int) -> dict[str, object]:
    """All of an order by now: times in epoch milliseconds, amounts as text in `currency`, events the oldest first."""
    draft, step = order.draft, lifecycle.current(order.timeline, now_ms)
    paid_ms = lifecycle.reached(order.timeline, now_ms, {OrderStatus.PAID})
    return {
        "trade_id": order.trade_id,
        "buyer_id": order.buyer_id,
        "status": step.status,
        "created_ms": order.created_ms,
        "modified_ms": step.at_ms,
        "paid_ms": paid_ms,
        "shipped_ms": shipped_at(order, now_ms),
        "statuses": [[at_ms, status] for at_ms, status in lifecycle.past(order.timeline, now_ms)],
        "channel_refer_id": draft.channel_refer_id,
        "properties": dict(draft.properties),
        "remark": draft.remark,
        "dispatch_location": draft.dispatch_location,
        "carrier_code": draft.carrier_code,
        "carrier_name": draft.carrier_name,
        "seller_eid": draft.seller_eid,
        "seller_name": draft.seller_name,
        "product_total": str(draft.product_total),
        "shipment_fee": str(draft.shipment_fee),
        "total": str(draft.total),
        "transaction_fee": None if paid_ms is None else str(draft.transaction_fee),
        "currency": CURRENCY,
        "recipient": asdict(draft.recipient),
        "lines": [{**asdict(line), "unit_price": str(line.unit_price)} for line in draft.lines],
        "parcels": [
            {
                "tracking_number": parcel.tracking_number,
                "carrier": parcel.carrier,
                "events": [event._asdict() for event in reversed(parcel.events)],
            }
            for parcel in parcels(order, now_ms)
        ],
    }
