"""Every endpoint, one row each: what is fixed about it. What a call may carry is in `requests` and `order_requests`.

The paths are those of the guide's quick reference, then those that the live facts add.
"""

from dataclasses import dataclass
from enum import Enum


class Envelope(Enum):
    """Where an answer keeps what was asked for (live facts: Answers)."""

    RESULT = "result"  # the whole `result` object: a listing carries its total beside its ids
    RESULT_DATA = "result_data"  # `result.result_data`, or `result.data`
    VALUE = "value"
    TRACKING_LIST = "tracking_list"
    FLAT = "flat"  # the document itself


@dataclass(frozen=True, slots=True)
class Operation:
    """One endpoint.

    `methods`: the HTTP methods that the guide allows, the one that we use first. POST where the parameters hold an
    address or a secret, for a URL ends in the logs of every proxy. `wrapper`: the one parameter that holds all others
    as JSON, if any. `repeatable`: sending it twice does no harm. `speaks_dialect`: its parameters differ between the
    guide and the live gateway. `batch`: reads several products at once; the guide has none of these, nor has every
    gateway, and what is refused to one says nothing of other calls.
    """

    name: str
    path: str
    methods: tuple[str, ...]
    envelope: Envelope
    wrapper: str | None = None
    repeatable: bool = True
    needs_token: bool = True
    speaks_dialect: bool = False
    batch: bool = False


_GET, _EITHER, _POSTED, _POST_ONLY = ("GET",), ("GET", "POST"), ("POST", "GET"), ("POST",)


def _batch(name: str, path: str, wrapper: str) -> Operation:
    return Operation(name, path, _GET, Envelope.RESULT_DATA, wrapper, batch=True)


_ROWS = (
    # A code serves once: sent again after a lost answer it would only hide what happened.
    Operation("create_token", "/auth/token/create", _POSTED, Envelope.FLAT, repeatable=False, needs_token=False),
    Operation("refresh_token", "/auth/token/refresh", _POSTED, Envelope.FLAT, needs_token=False),
    Operation("list_scene", "/eco/buyer/product/check", _GET, Envelope.RESULT, "query_req", speaks_dialect=True),
    Operation("list_local", "/eco/buyer/local/product/check", _GET, Envelope.RESULT, "req", speaks_dialect=True),
    Operation(
        "list_local_regular", "/eco/buyer/localregular/product/check", _GET, Envelope.RESULT, "req", speaks_dialect=True
    ),
    Operation(
        "list_cross_border",
        "/eco/buyer/crossborder/product/check",
        _GET,
        Envelope.RESULT,
        "param0",
        speaks_dialect=True,
    ),
    Operation(
        "describe_product",
        "/eco/buyer/product/description",
        _GET,
        Envelope.RESULT_DATA,
        "query_req",
        speaks_dialect=True,
    ),
    Operation("read_inventory", "/eco/buyer/product/inventory", _GET, Envelope.RESULT_DATA, "inv_req"),
    _batch("describe_products", "/eco/buyer/product/batch/description", "param0"),
    _batch("read_inventories", "/eco/buyer/product/batch/inventory", "query_req"),
    _batch("read_key_attributes", "/eco/buyer/product/batch/keyattributes", "query_req"),
    Operation(
        "send_product_events",
        "/eco/buyer/product/events",
        _POST_ONLY,
        Envelope.RESULT_DATA,
        "query_req",
        repeatable=False,
    ),
    Operation("estimate_freight", "/shipping/freight/calculate", _EITHER, Envelope.VALUE),
    Operation("calculate_order_freight", "/order/freight/calculate", _POSTED, Envelope.VALUE),
    Operation("create_order", "/buynow/order/create", _POSTED, Envelope.VALUE, repeatable=False),
    Operation(
        "pay_orders",
        "/alibaba/dropshipping/order/pay",
        _POSTED,
        Envelope.VALUE,
        "param_order_pay_request",
        repeatable=False,
    ),
    Operation("query_pay_result", "/alibaba/order/pay/result/query", _EITHER, Envelope.VALUE),
    Operation("cancel_order", "/alibaba/order/cancel", _POSTED, Envelope.VALUE, repeatable=False),
    Operation("list_orders", "/alibaba/order/list", _EITHER, Envelope.VALUE),
    Operation("get_order", "/alibaba/order/get", _EITHER, Envelope.VALUE),
    Operation("query_fund", "/alibaba/order/fund/query", _EITHER, Envelope.VALUE),
    Operation("query_logistics", "/order/logistics/query", _EITHER, Envelope.VALUE),
    Operation("track_order", "/order/logistics/tracking/get", _EITHER, Envelope.TRACKING_LIST),
)

OPERATIONS: dict[str, Operation] = {row.name: row for row in _ROWS}
