"""Cancelling orders that we placed, as long as nobody paid for them (live facts: /alibaba/order/cancel)."""

from contextlib import suppress

from dropship_pipeline.alibaba.errors import ApiError, Refused
from dropship_pipeline.alibaba.values import Unreadable
from dropship_pipeline.orders.placing import REPLACEABLE, UNSETTLED, PayState, State
from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.orders.placements import Placement, PlacementStore, find_placement
from dropship_pipeline.sync.orders.placing import PlaceOutcome, alone, placement_store, problem_of, read_back
from dropship_pipeline.sync.orders.reconciling import Patience, legible
from dropship_pipeline.sync.session import Desk

OPEN = frozenset({"to_be_audited", "unpay"})
"""Statuses of an order that may be cancelled; who paid asks the seller for the money back."""

_CLOSED = "trade_close"
_PAYS = (PayState.SENDING, PayState.AMBIGUOUS, PayState.VERIFYING, PayState.PAID)


def cancellable(desk: Desk, name: str) -> Placement:
    """The placement of this reference or order ID, if it can be cancelled or is. Raises Problem for any other."""
    placement = find_placement(desk.database, name)
    if placement is None:
        raise Problem(f"No order was placed here under {name[:64]!r}", "Give the reference under which it was placed")
    if placement.account != desk.place.account:
        raise Problem(f"Order {name} is of account {placement.account}", f"Give --account {placement.account}")
    if placement.state in UNSETTLED:
        raise problem_of(placement) or Problem(f"Order {name} is {placement.state}")
    if placement.pay_state in _PAYS:
        raise Problem(
            f"Order {name} is paid, or is being paid ({placement.pay_state})",
            "Ask the seller for a refund, on the order's page at Alibaba.com",
        )
    return placement


def cancel(desk: Desk, name: str, reason: str | None = None, patience: Patience | None = None) -> PlaceOutcome:
    """Cancel the order of this reference or order ID, unless it is; one that was never sent will not be.

    `reason` is kept. Raises Problem for an order that cannot be cancelled any more, and what makes every call fail.
    """
    patience, store = patience or Patience(), placement_store(desk)
    with alone(desk, cancellable(desk, name).reference, patience):
        placement = cancellable(desk, name)
        if placement.state is State.CANCELLED:
            return PlaceOutcome(placement)
        if placement.state in REPLACEABLE:
            return PlaceOutcome(store.move(placement, REPLACEABLE, State.CANCELLED, reason))
        placement = _cancel(desk, store, placement, reason or placement.reason)
    return read_back(desk, PlaceOutcome(placement, sent=True))


def _cancel(desk: Desk, store: PlacementStore, placement: Placement, reason: str | None) -> Placement:
    """To be done again is no harm: an order that is closed is refused, and asked for its status."""
    trade_id = str(placement.trade_id)
    with legible(f"order {placement.reference}", f"dropship orders cancel {placement.reference}"):
        status = desk.client.get_order(trade_id).status
    if status not in OPEN | {_CLOSED}:
        if placement.state is State.CANCELLING:
            store.move(placement, [State.CANCELLING], State.PLACED, None)
        raise Problem(
            f"Order {placement.reference} is {status} at Alibaba.com, and cannot be cancelled any more",
            "Ask the seller for a refund, on the order's page",
        )
    if status != _CLOSED:
        placement = store.move(placement, [State.PLACED, State.CANCELLING], State.CANCELLING, reason)
        failure: ApiError | None = None
        try:
            desk.client.cancel_order(trade_id)
        except ApiError as error:
            failure = error
        if failure is not None:
            # whatever was said of the call, the order tells
            with suppress(ApiError, Unreadable):
                status = desk.client.get_order(trade_id).status
            if status != _CLOSED:
                if isinstance(failure, Refused):
                    store.move(placement, [State.CANCELLING], State.PLACED, None)
                raise Problem(
                    f"Order {placement.reference} is not cancelled: {failure.what}",
                    f"Run it again: dropship orders cancel {placement.reference}",
                ) from failure
    return store.move(placement, [State.PLACED, State.CANCELLING], State.CANCELLED, reason)
