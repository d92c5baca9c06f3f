"""Where an order's parcels are: /order/logistics/query and /order/logistics/tracking/get (guide §12, §13).

Event times carry no zone (live facts: Answers); here they are in Los Angeles' time, like every text date of the
platform.
"""

from collections.abc import Mapping

from dropship_pipeline.sandbox import order_examples
from dropship_pipeline.sandbox.api import Body, Call, Endpoint
from dropship_pipeline.sandbox.endpoints.order_documents import date, local
from dropship_pipeline.sandbox.endpoints.orders import METHODS, find
from dropship_pipeline.sandbox.endpoints.parameters import required
from dropship_pipeline.sandbox.world import lifecycle, shipments
from dropship_pipeline.sandbox.world.lifecycle import OrderStatus
from dropship_pipeline.sandbox.world.order_model import Order
from dropship_pipeline.sandbox.world.orders import Orders
from dropship_pipeline.sandbox.world.shipments import Parcel

# The newest of these that the order has reached decides.
_LOGISTIC_STATUSES = (
    (OrderStatus.TRADE_SUCCESS, "CONFIRM_RECEIPT"),
    (OrderStatus.WAIT_CONFIRM_RECEIPT, "DELIVERED"),
    (OrderStatus.DELIVERING, "DELIVERING"),
)


def endpoints(orders: Orders) -> list[Endpoint]:
    """The two logistics endpoints."""

    def query(call: Call) -> Body:
        trade_id = required(call, "trade_id")
        if trade_id in order_examples.TRADE_IDS:
            return order_examples.logistics_answer(trade_id)
        return {"value": _logistics(find(orders, call, trade_id), call)}

    def tracking(call: Call) -> Body:
        trade_id = required(call, "trade_id")
        if trade_id in order_examples.TRADE_IDS:
            return order_examples.tracking_answer(trade_id)
        order = find(orders, call, trade_id)
        return {"tracking_list": [_tracked(order, parcel) for parcel in shipments.parcels(order, call.now_ms)]}

    return [
        Endpoint("/order/logistics/query", METHODS, needs_token=True, handler=query),
        Endpoint("/order/logistics/tracking/get", METHODS, needs_token=True, handler=tracking),
    ]


def _logistics(order: Order, call: Call) -> Mapping[str, object]:
    told: dict[str, object] = {"logistic_status": _logistic_status(order, call.now_ms)}
    shipped_ms = shipments.shipped_at(order, call.now_ms)
    if shipped_ms is not None:
        told["shipment_date"] = date(shipped_ms)
    if "logistic_order" in call.params.get("data_select", ""):
        told["shipping_order_list"] = [
            {
                "voucher": {
                    "tracking_number": parcel.tracking_number,
                    "service_provider": order.draft.carrier_code,
                    "logistics_type": "EXPRESS",
                }
            }
            for parcel in shipments.parcels(order, call.now_ms)
        ]
    return told


def _logistic_status(order: Order, now_ms: int) -> str:
    for status, told in _LOGISTIC_STATUSES:
        if lifecycle.reached(order.timeline, now_ms, {status}) is not None:
            return told
    return "UNDELIVERED"


def _tracked(order: Order, parcel: Parcel) -> Mapping[str, object]:
    return {
        "carrier": parcel.carrier,
        "tracking_number": parcel.tracking_number,
        "current_event_code": parcel.events[0].code,
        "tracking_url": f"https://sale.alibaba.com/p/tracking/index.html?sourceOrderId={order.trade_id}",
        "event_list": [
            {
                "event_code": event.code,
                "event_name": event.name,
                "event_location": event.location,
                "event_time": f"{local(event.at_ms):%Y-%m-%d %H:%M:%S}",
            }
            for event in parcel.events
        ],
    }
