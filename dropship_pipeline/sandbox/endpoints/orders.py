"""The order endpoints: create, pay, pay result, cancel, list, get, fund (guide §8–§11, §14; live facts: Requests).

Each buyer sees only its own orders; another's is "order not found". How an order is placed is in
`order_placement.py`, how it is paid in `payments.py`, what it looks like in `order_documents.py`.
"""

from collections.abc import Callable
from datetime import datetime

from dropship_pipeline.sandbox import order_examples
from dropship_pipeline.sandbox.accounts import Accounts
from dropship_pipeline.sandbox.api import Body, Call, Endpoint
from dropship_pipeline.sandbox.endpoints.order_documents import LOS_ANGELES, document, list_entry, money
from dropship_pipeline.sandbox.endpoints.order_placement import creator
from dropship_pipeline.sandbox.endpoints.order_refusals import refusal
from dropship_pipeline.sandbox.endpoints.parameters import (
    buyer_id,
    invalid,
    json_object,
    required,
    text_of,
    whole_number,
)
from dropship_pipeline.sandbox.endpoints.payments import Payments
from dropship_pipeline.sandbox.world import lifecycle
from dropship_pipeline.sandbox.world.catalogue_view import CatalogueView
from dropship_pipeline.sandbox.world.lifecycle import OrderStatus
from dropship_pipeline.sandbox.world.order_model import Order
from dropship_pipeline.sandbox.world.orders import OrderEntry, OrderFilter, Orders

METHODS = frozenset({"GET", "POST"})
ROLES = frozenset({"buyer", "seller"})
_LATEST_MS = 10**14
_MOST_PAGES, _LARGEST_PAGE = 10**9, 100


def endpoints(orders: Orders, accounts: Accounts, catalogue: CatalogueView, payments: Payments) -> list[Endpoint]:
    """The seven endpoints; `payments` is shared with the control API."""
    handlers: dict[str, Callable[[Call], Body]] = {
        "/buynow/order/create": creator(orders, accounts, catalogue),
        "/alibaba/dropshipping/order/pay": payments.pay,
        "/alibaba/order/pay/result/query": payments.result,
        "/alibaba/order/cancel": lambda call: _cancel(orders, call),
        "/alibaba/order/list": lambda call: _list(orders, accounts, call),
        "/alibaba/order/get": lambda call: _get(orders, accounts, call),
        "/alibaba/order/fund/query": lambda call: _fund(orders, call),
    }
    return [Endpoint(path, METHODS, needs_token=True, handler=handler) for path, handler in handlers.items()]


def find(orders: Orders, call: Call, trade_id: str) -> Order:
    """The caller's order with this id. Raises 404."""
    order = orders.find(trade_id, buyer_id(call), call.now_ms)
    if order is None:
        raise refusal("404")
    return order


def _get(orders: Orders, accounts: Accounts, call: Call) -> Body:
    trade_id = required(call, "e_trade_id")
    if trade_id in order_examples.TRADE_IDS:
        return order_examples.get_answer(trade_id)
    order = find(orders, call, trade_id)
    selected = frozenset(part.strip() for part in call.params.get("data_select", "").split(","))
    return {"value": document(order, accounts.buyer(order.buyer_id), call.now_ms, selected)}


def _cancel(orders: Orders, call: Call) -> Body:
    trade_id = required(call, "trade_id")
    if trade_id in order_examples.TRADE_IDS:
        return {"value": {}}
    order = find(orders, call, trade_id)
    if lifecycle.current(order.timeline, call.now_ms).status not in lifecycle.OPEN:
        raise refusal("ORDER_STATUS_ERROR")
    orders.cancel(order, call.now_ms)
    return {"value": {}}


def _fund(orders: Orders, call: Call) -> Body:
    trade_id = required(call, "e_trade_id")
    if trade_id in order_examples.TRADE_IDS:
        return order_examples.fund_answer(trade_id)
    order = find(orders, call, trade_id)
    if call.params.get("data_select", "fund_transaction_fee") != "fund_transaction_fee":
        return {"value": {}}
    if lifecycle.reached(order.timeline, call.now_ms, {OrderStatus.PAID}) is None:
        return {"value": {}}
    return {"value": {"payment_transaction_fee": money(order.draft.transaction_fee)}}


def _list(orders: Orders, accounts: Accounts, call: Call) -> Body:
    role = required(call, "role")
    if role not in ROLES:
        raise invalid("role", "buyer or seller is expected")
    page = whole_number(call.params.get("start_page") or "0", "start_page", 0, _MOST_PAGES)
    size = whole_number(call.params.get("page_size") or "10", "page_size", 1, _LARGEST_PAGE)
    wanted = OrderFilter(
        status=call.params.get("status") or None,
        created_from_ms=_bound(call, "create_date_start"),
        created_to_ms=_bound(call, "create_date_end"),
        modified_from_ms=_bound(call, "modified_date_start"),
        modified_to_ms=_bound(call, "modified_date_end"),
    )
    # these are buyer accounts: they have sold nothing
    entries = orders.listed(buyer_id(call), wanted, call.now_ms) if role == "buyer" else []
    told = [list_entry(entry) for entry in entries[page * size : (page + 1) * size]]
    if role == "buyer" and call.buyer_id == accounts.default_buyer.user_id:
        examples = [trade_id for trade_id in order_examples.TRADE_IDS if wanted.admits(_example(trade_id))]
        first = max(0, page * size - len(entries))
        told += [order_examples.list_entry(trade_id) for trade_id in examples[first : first + size - len(told)]]
        return {"value": {"total_count": str(len(entries) + len(examples)), "order_list": told}}
    return {"value": {"total_count": str(len(entries)), "order_list": told}}


def _example(trade_id: str) -> OrderEntry:
    created_ms, modified_ms = order_examples.created_ms(trade_id), order_examples.modified_ms(trade_id)
    return OrderEntry(trade_id, OrderStatus(order_examples.STATUS), created_ms, modified_ms)


def _bound(call: Call, name: str) -> int | None:
    """A date of the list as epoch milliseconds: `date_timestamp`, or else `date_str`, which is in Los Angeles' time."""
    text = call.params.get(name, "").strip()
    if not text:
        return None
    bound = json_object(text, name)
    if timestamp := text_of(bound, "date_timestamp"):
        return whole_number(timestamp, f"{name}.date_timestamp", 0, _LATEST_MS)
    try:
        at = datetime.strptime(text_of(bound, "date_str"), "%Y-%m-%d %H:%M:%S").replace(tzinfo=LOS_ANGELES)
    except ValueError:
        raise invalid(f"{name}.date_str", "YYYY-MM-DD HH:MM:SS is expected") from None
    return int(at.timestamp() * 1000)
