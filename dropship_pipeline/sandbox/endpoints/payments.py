"""Paying for orders and asking what came of it (guide §9; live facts: /alibaba/order/pay/result/query)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dropship_pipeline.sandbox import order_examples
from dropship_pipeline.sandbox.accounts import Accounts
from dropship_pipeline.sandbox.api import Body, Call
from dropship_pipeline.sandbox.endpoints.order_refusals import refusal
from dropship_pipeline.sandbox.endpoints.parameters import (
    buyer_id,
    invalid,
    json_object,
    missing,
    required,
    whole_number,
)
from dropship_pipeline.sandbox.world import lifecycle
from dropship_pipeline.sandbox.world.buyers import PaymentStanding
from dropship_pipeline.sandbox.world.lifecycle import OrderStatus
from dropship_pipeline.sandbox.world.order_model import Order
from dropship_pipeline.sandbox.world.orders import Orders

VERIFICATION_S = 600
_MOST_ORDERS = 100
_LATEST_MS = 10**14


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a payment was not made."""

    reason_code: str
    reason_message: str


HAVE_PAID = Failure("ORDER_HAVE_PAID", "The order has been paid.")
NOT_PAYABLE = Failure("ORDER_STATUS_ERROR", "The status of the order does not allow payment.")
FAILURES: dict[PaymentStanding, Failure] = {
    PaymentStanding.NEVER_PAID: Failure(
        "NEVER_PAY_SUCCESS_IN_DROPSHIPER",
        "The buyer has never paid for a successful dropshipping order and needs to visit payUrl to pay.",
    ),
    PaymentStanding.DECLINED: Failure("50006", "The payment was declined by the issuer of the card."),
}


class Payments:
    """The two payment endpoints, and what was last answered for an order that is still unpaid."""

    def __init__(self, orders: Orders, accounts: Accounts) -> None:
        self._orders = orders
        self._accounts = accounts
        self._failed: dict[str, Failure] = {}

    def pay(self, call: Call) -> Body:
        """/alibaba/dropshipping/order/pay: all the orders or none of them."""
        trade_ids = _trade_ids(json_object(required(call, "param_order_pay_request"), "param_order_pay_request"))
        if set(trade_ids) <= set(order_examples.TRADE_IDS):
            return order_examples.paid_answer()
        buyer = self._accounts.buyer(buyer_id(call))
        payable = [self._order(trade_id, buyer.user_id, call.now_ms) for trade_id in trade_ids]
        states = {order.trade_id: _pay_status(order, call.now_ms) for order in payable}
        for trade_id, state in states.items():
            if state == "PAYING":
                return {"value": _paying()}
            if state != "UNPAID":
                return self._failed_answer(trade_id, HAVE_PAID if state == "PAY_SUCCESS" else NOT_PAYABLE)
        if failure := FAILURES.get(buyer.payment):
            self._failed.update(dict.fromkeys(trade_ids, failure))
            return self._failed_answer(trade_ids[0], failure)
        verification_s = VERIFICATION_S if buyer.payment is PaymentStanding.VERIFIED_FIRST else 0
        for order in payable:
            self._orders.pay(order, call.now_ms, verification_s)
        return {"value": _paying() if verification_s else {"status": "PAY_SUCCESS"}}

    def result(self, call: Call) -> Body:
        """/alibaba/order/pay/result/query: the state of one order's payment."""
        trade_id = required(call, "trade_id")
        unpaid = {"status": "UNPAID", "trade_id": trade_id, "pay_url": order_examples.pay_url(trade_id)}
        if trade_id in order_examples.TRADE_IDS:
            return {"value": unpaid}
        state = _pay_status(self._order(trade_id, buyer_id(call), call.now_ms), call.now_ms)
        if state == "UNPAID":
            failure = self._failed.get(trade_id)
            return {"value": {**unpaid, **_told(failure)} if failure else unpaid}
        return {"value": {**(_paying() if state == "PAYING" else {"status": state}), "trade_id": trade_id}}

    def pay_by_hand(self, trade_id: str, user_id: str, now_ms: int) -> bool:
        """What happens when the buyer opens `pay_url` and pays: from then on the API may pay as well.

        False where the order is unknown or cannot be paid.
        """
        order = self._orders.find(trade_id, user_id, now_ms)
        if order is None or _pay_status(order, now_ms) != "UNPAID":
            return False
        self._orders.pay(order, now_ms)
        if self._accounts.buyer(user_id).payment is PaymentStanding.NEVER_PAID:
            self._accounts.set_payment(user_id, PaymentStanding.SAVED_METHOD)
        return True

    def _order(self, trade_id: str, user_id: str, now_ms: int) -> Order:
        order = self._orders.find(trade_id, user_id, now_ms)
        if order is None:
            raise refusal("404")
        return order

    def _failed_answer(self, trade_id: str, failure: Failure) -> Body:
        return {"value": {**_told(failure), "pay_url": order_examples.pay_url(trade_id)}}


def _trade_ids(request: Mapping[str, Any]) -> list[str]:
    """The orders to pay, each once. Raises `MissingParameter` and `InvalidParameter`."""
    name = "param_order_pay_request.order_id_list"
    listed = request.get("order_id_list")
    if not listed:
        raise missing(name)
    if not isinstance(listed, list) or not all(isinstance(entry, str | int) for entry in listed):
        raise invalid(name, "an array of order ids is expected")
    if len(listed) > _MOST_ORDERS:
        raise invalid(name, f"at most {_MOST_ORDERS} orders are expected")
    registered = request.get("isv_drop_shipper_registration_time")
    if registered is not None:
        whole_number(registered, "param_order_pay_request.isv_drop_shipper_registration_time", 0, _LATEST_MS)
    return list(dict.fromkeys(str(entry).strip() for entry in listed))


def _pay_status(order: Order, now_ms: int) -> str:
    """PAY_SUCCESS once the money came, PAYING while it is verified, UNPAID, or CLOSED where it is no longer wanted."""
    if lifecycle.reached(order.timeline, now_ms, {OrderStatus.PAID}) is not None:
        return "PAY_SUCCESS"
    status = lifecycle.current(order.timeline, now_ms).status
    if status is OrderStatus.PAYING:
        return "PAYING"
    return "UNPAID" if status in lifecycle.PAYABLE else "CLOSED"


def _paying() -> dict[str, object]:
    return {"status": "PAYING", "reason_code": "PAY_PROCESSING", "reason_message": "Payment verification in progress."}


def _told(failure: Failure) -> dict[str, object]:
    return {"status": "PAY_FAILED", "reason_code": failure.reason_code, "reason_message": failure.reason_message}
