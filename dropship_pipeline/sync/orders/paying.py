"""Paying for orders that we placed (guide §9): written down, sent, and followed to its end by asking for the result.

One order a call: the answer to several tells one status for all, and not which of them is paid. An order that is paid
is not paid again, by us or by Alibaba.com (`ORDER_HAVE_PAID`).
"""

import socket
import time
from dataclasses import dataclass, field

from dropship_pipeline import __version__
from dropship_pipeline.alibaba.errors import ApiError
from dropship_pipeline.alibaba.fulfilment import PayResult
from dropship_pipeline.alibaba.order_requests import PayOrders
from dropship_pipeline.alibaba.redaction import message
from dropship_pipeline.alibaba.transport_requests import TooLate
from dropship_pipeline.alibaba.values import Unreadable
from dropship_pipeline.orders.placing import PayState
from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.orders.placements import Placement, PlacementStore, find_placement
from dropship_pipeline.storage.server.database import DatabaseProblem
from dropship_pipeline.storage.server.locks import Held
from dropship_pipeline.sync.orders.placing import PlaceOutcome, alone, placement_store, problem_of, read_back
from dropship_pipeline.sync.orders.reconciling import Patience, legible
from dropship_pipeline.sync.session import Desk

USER_AGENT = f"Mozilla/5.0 (compatible; dropship-pipeline/{__version__})"

_BY_HAND = frozenset({"NEVER_PAY_SUCCESS_IN_DROPSHIPER"})
_PAYING, _CLOSED = "PAYING", "CLOSED"
_UNDER_WAY = (PayState.SENDING, PayState.AMBIGUOUS, PayState.VERIFYING)


@dataclass(frozen=True, slots=True)
class Payer:
    """Who pays, as Alibaba.com wants to know for its own checks (guide §9)."""

    user_ip: str = field(repr=False)
    user_agent: str = USER_AGENT


def own_address(desk: Desk) -> str:
    """The address from which this machine calls Alibaba.com, as it knows it itself; behind a router a private one."""
    host = desk.gateway.host.rpartition(":")[0] or desk.gateway.host
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nothing_sent:
            nothing_sent.connect((host, 443))
            return str(nothing_sent.getsockname()[0])
    except OSError:
        return "127.0.0.1"


def payment_problem(placement: Placement) -> Problem | None:
    """Why an order is not paid, with the remedy; None if it is."""
    of, why = f"Order {placement.reference}", f": {placement.reason}" if placement.reason else ""
    again = f"dropship orders pay {placement.reference}"
    problems = {
        None: Problem(f"{of} is not paid{why}", f"Pay it: {again}"),
        PayState.SENDING: Problem(f"{of} may be paid or not: its payment was cut short", f"Find out: {again}"),
        PayState.AMBIGUOUS: Problem(f"{of} may be paid or not{why}", f"Find out: {again}"),
        PayState.VERIFYING: Problem(f"The payment of order {placement.reference} is being verified", f"Ask: {again}"),
        PayState.BY_HAND: Problem(
            f"{of} is not paid{why}",
            "Pay this one by hand, signed in at Alibaba.com, where the address leads; later ones are paid from here",
        ),
        PayState.FAILED: Problem(
            f"The payment of order {placement.reference} failed{why}", f"Mend that, then: {again}"
        ),
    }
    return problems.get(placement.pay_state)


def payable(desk: Desk, name: str) -> Placement:
    """The placement of this reference or order ID, if it can be paid or is. Raises Problem for any other."""
    placement = find_placement(desk.database, name)
    if placement is None:
        raise Problem(
            f"No order was placed here under {name[:64]!r}",
            "Give the reference under which it was placed; pay others at Alibaba.com",
        )
    if placement.account != desk.place.account:
        raise Problem(f"Order {name} is of account {placement.account}", f"Give --account {placement.account}")
    problem = problem_of(placement)
    if problem is not None:
        raise problem
    return placement


def pay_request(store: PlacementStore, placement: Placement, payer: Payer) -> PayOrders:
    """The request that pays for this order."""
    return PayOrders(
        trade_ids=(str(placement.trade_id),),
        user_ip=payer.user_ip,
        user_agent=payer.user_agent,
        isv_drop_shipper_registration_time=int(store.in_use_since().timestamp() * 1000),
    )


def pay(desk: Desk, name: str, payer: Payer, patience: Patience | None = None) -> PlaceOutcome:
    """Pay for the order of this reference or order ID, unless it is paid; say how its payment stands.

    Spends money. Raises Problem for an order that cannot be paid, and what makes every call fail.
    """
    patience, store = patience or Patience(), placement_store(desk)
    with alone(desk, payable(desk, name).reference, patience) as held:
        placement = payable(desk, name)
        if placement.pay_state in _UNDER_WAY:
            placement = _follow(desk, store, placement, patience)
        sent = placement.pay_state not in (*_UNDER_WAY, PayState.PAID)
        if sent:
            placement = _send(desk, store, placement, payer, patience, held)
    return read_back(desk, PlaceOutcome(placement, sent=sent))


def _send(
    desk: Desk, store: PlacementStore, placement: Placement, payer: Payer, patience: Patience, held: Held
) -> Placement:
    request = pay_request(store, placement, payer)
    until = time.time() + patience.send_within
    before = placement.pay_state
    placement = store.pay(placement, PayState.SENDING)
    try:
        result = desk.client.pay_orders(request, until, held.confirm)
    except (TooLate, DatabaseProblem) as unsent:
        return store.pay(placement, before, unsent.what)
    except Unreadable as why:
        placement = store.pay(placement, PayState.AMBIGUOUS, str(why))
    except ApiError as error:
        if not error.outcome_unknown:
            return store.pay(placement, PayState.FAILED, f"{error.what}. {error.remedy}")
        placement = store.pay(placement, PayState.AMBIGUOUS, error.what)
    else:
        placement = _stands(store, placement, result)
    return _follow(desk, store, placement, patience) if placement.pay_state in _UNDER_WAY else placement


def _stands(store: PlacementStore, placement: Placement, result: PayResult) -> Placement:
    """How the payment stands by this result."""
    said = ", ".join(filter(None, (result.reason_code, result.reason_message and message(result.reason_message))))
    if result.paid:
        return store.pay(placement, PayState.PAID)
    if result.status == _PAYING:
        return store.pay(placement, PayState.VERIFYING)
    if result.reason_code in _BY_HAND:
        return store.pay(placement, PayState.BY_HAND, said, result.pay_url)
    if result.status == _CLOSED:
        return store.pay(placement, PayState.FAILED, "the order is closed")
    return store.pay(placement, PayState.FAILED, said or f"Alibaba.com says {message(result.status)}", result.pay_url)


def _follow(desk: Desk, store: PlacementStore, placement: Placement, patience: Patience) -> Placement:
    """Ask how a payment stands until that is decided, or until it has been long enough.

    A payment whose answer was lost is taken for not made only when Alibaba.com has had the time to make it. What it
    says of a failure until then may be of a payment before.
    """
    until = time.monotonic() + patience.verifying
    looks = 0
    while True:
        settled = store.now() >= placement.updated_at + patience.settled
        with legible(f"the payment of order {placement.reference}", f"dropship orders pay {placement.reference}"):
            result = desk.client.query_pay_result(str(placement.trade_id))
        if result.paid or result.status == _CLOSED:
            return _stands(store, placement, result)
        if result.status == _PAYING:
            if placement.pay_state is not PayState.VERIFYING:
                placement = store.pay(placement, PayState.VERIFYING)
            if time.monotonic() >= until:
                return placement
        elif placement.pay_state is PayState.VERIFYING or (settled and result.reason_code):
            return _stands(store, placement, result)
        elif settled:
            return store.pay(placement, None, "nothing was paid")
        pause = patience.looks[min(looks, len(patience.looks) - 1)]
        looks += 1
        time.sleep(pause)
