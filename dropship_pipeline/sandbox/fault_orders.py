"""Faults of orders: a list that hides some of them, details that tell another status than the truth or nothing."""

from collections.abc import Mapping
from zlib import crc32

from dropship_pipeline.sandbox.api import Body, Call
from dropship_pipeline.sandbox.faults import ActiveFault, FaultKind, Json, Scene

_LIST, _DETAILS = "/alibaba/order/list", "/alibaba/order/get"


def _is_hidden(trade_id: object) -> bool:
    return crc32(str(trade_id).encode()) % 3 == 0


def _orders_missing(fault: ActiveFault, _call: Call, body: Json, _scene: Scene) -> Body:
    value = body["value"]
    shown = [order for order in value["order_list"] if not _is_hidden(order["trade_id"])]
    if fault.options.get("total") != "kept":
        value["total_count"] = str(int(value["total_count"]) - len(value["order_list"]) + len(shown))
    value["order_list"] = shown
    return body


def _orders_late(fault: ActiveFault, call: Call, body: Json, _scene: Scene) -> Body:
    newest_ms = call.now_ms - fault.number("seconds", 5) * 1000
    value = body["value"]
    shown = [order for order in value["order_list"] if int(order["create_date"]["timestamp"]) <= newest_ms]
    value["total_count"] = str(int(value["total_count"]) - len(value["order_list"]) + len(shown))
    value["order_list"] = shown
    return body


def _order_status(fault: ActiveFault, _call: Call, body: Json, _scene: Scene) -> Body:
    body["value"]["trade_status"] = fault.options.get("status", "wait_confirm_modify")
    return body


def _order_garbled(_fault: ActiveFault, _call: Call, body: Json, _scene: Scene) -> Body:
    body["value"] = "?"
    return body


ORDER_FAULTS: Mapping[str, FaultKind] = {
    "orders_missing": FaultKind(
        "order lists that lack a third of their orders, always the same",
        _LIST,
        body=_orders_missing,
        options={"total": "kept: total_count counts the missing ones; otherwise it does not, page by page"},
    ),
    "orders_late": FaultKind(
        "order lists that show an order only some time after it was created",
        _LIST,
        body=_orders_late,
        options={"seconds": "how long after, 5"},
    ),
    "order_status": FaultKind(
        "orders that tell another status than they have",
        _DETAILS,
        by_key=True,
        body=_order_status,
        options={"status": "which, wait_confirm_modify"},
    ),
    "order_garbled": FaultKind(
        "answers of which the value is a word where an object is due", _DETAILS, body=_order_garbled
    ),
}
