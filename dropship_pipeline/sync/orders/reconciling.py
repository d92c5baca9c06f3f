"""Finding out what became of an order whose answer was lost, from the account's orders. Nothing is sent here.

An order is looked for until it is found, or until Alibaba.com has had the time to show it; that it does not exist is
believed only of a list that was read to its end after that time, with every order on it looked at.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from dropship_pipeline.alibaba.errors import Refused
from dropship_pipeline.alibaba.fulfilment import read_reference
from dropship_pipeline.alibaba.order_requests import ListOrders, OfOrder
from dropship_pipeline.alibaba.orders import read_order
from dropship_pipeline.alibaba.outcomes import Answered
from dropship_pipeline.alibaba.values import Unreadable
from dropship_pipeline.orders.placing import OrderAsked, State
from dropship_pipeline.orders.placing_match import CLOCKS_APART, Candidate, Match, match
from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.orders.placements import Placement, PlacementStore
from dropship_pipeline.sync.orders.listing import list_orders
from dropship_pipeline.sync.session import Desk

_UNDECIDED = (State.SENDING, State.AMBIGUOUS, State.NEEDS_PERSON, State.PLANNED)
_LOOKED_FOR_BEFORE = (State.NEEDS_PERSON, State.PLANNED)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for what.

    `send_within`: seconds in which a request must leave, once it is written down that it is about to. `settled`: after
    that long what left last has been answered or has failed (`Timeouts`: 44 s), and what it did shows. Between two
    looks, `looks` seconds. `sends`: how often an order is sent in all. `others`: for whoever works on the same order.
    `verifying`: seconds that a bank is given to look at a payment.
    """

    send_within: float = 60.0
    settled: timedelta = timedelta(seconds=150)
    looks: tuple[float, ...] = (1, 2, 4, 8, 15)
    sends: int = 3
    others: timedelta = timedelta(minutes=10)
    verifying: float = 60.0


@dataclass(slots=True)
class _Look:
    """What one look at the account's orders came to. `lacking`: why it may not have seen all."""

    same: list[str] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)
    lacking: str = ""


@contextmanager
def legible(of: str, again: str) -> Iterator[None]:
    """Raise an answer about `of` that cannot be read as a Problem: nothing is known by it, and `again` asks again."""
    try:
        yield
    except Unreadable as why:
        raise Problem(f"What Alibaba.com says of {of} cannot be read: {why}", f"Ask again: {again}") from why


def reconcile(
    desk: Desk, store: PlacementStore, placement: Placement, asked: OrderAsked, patience: Patience
) -> Placement:
    """Decide whether the order exists: `placed`, `planned` (it does not), `needs_person`, or still `ambiguous`.

    One that needs a person becomes `placed` where it is found, and nothing else by itself. Raises what makes every call
    fail; the placement is as it was then.
    """
    others = set(placement.orders_before)
    looks = 0
    while True:
        settled = store.now() >= placement.updated_at + patience.settled or placement.state in _LOOKED_FOR_BEFORE
        seen = _look(desk, store, placement, asked, others)
        rivals = store.rivals(placement) if seen.same else []
        if len(seen.same) == 1 and not seen.unsure and not rivals:
            found = "Its answer was lost; it was found among the account's orders, by its lines and recipient"
            return store.placed(placement, seen.same[0], reason=found)
        if settled:
            return _settle(store, placement, seen, rivals)
        pause = patience.looks[min(looks, len(patience.looks) - 1)]
        left = (placement.updated_at + patience.settled - store.now()).total_seconds()
        if not looks:
            desk.progress.note(
                f"The answer about order {placement.reference} was lost: looking for it among the account's orders, "
                f"for {max(0, left):.0f} s"
            )
        time.sleep(max(0.0, min(pause, left)))
        looks += 1


def _settle(store: PlacementStore, placement: Placement, seen: _Look, rivals: list[str]) -> Placement:
    if placement.state is State.NEEDS_PERSON:
        return placement
    maybe = [*seen.same, *seen.unsure]
    if maybe:
        beside = f", and it could be that of reference {', '.join(rivals)} as well" if rivals else ""
        said = f"Look at order {', '.join(maybe[:5])}: it may be this one{beside}"
        return store.move(placement, _UNDECIDED, State.NEEDS_PERSON, said)
    if seen.lacking:
        return store.move(placement, _UNDECIDED, State.AMBIGUOUS, seen.lacking)
    return store.move(placement, _UNDECIDED, State.PLANNED, "It was sent, and no such order exists")


def unclaimed_orders(desk: Desk, store: PlacementStore, since: datetime) -> tuple[set[str], str]:
    """The account's orders since then (UTC) that are no placement's; and why these may not be all, "" if they are."""
    listed = list_orders(desk, ListOrders(created_from=since - CLOCKS_APART))
    found = {order.trade_id for order in listed.orders}
    found |= store.known_orders(desk.place.account, since - CLOCKS_APART)
    return found - store.claimed(sorted(found)), listed.reason and f"The order list {listed.reason}"


def _look(desk: Desk, store: PlacementStore, placement: Placement, asked: OrderAsked, others: set[str]) -> _Look:
    """Compare the orders that were created since, but for `others`, to which those that are none are added."""
    found, lacking = unclaimed_orders(desk, store, placement.sent_at or placement.created_at)
    seen = _Look(lacking=lacking)
    for outcome in desk.fanout.map([OfOrder.details(trade_id) for trade_id in sorted(found - others)]):
        trade_id = outcome.request.key
        if not isinstance(outcome, Answered):
            # refused: listed and yet not told of, so that nobody can say what it is
            (seen.unsure.append(trade_id) if isinstance(outcome.error, Refused) else None)
            seen.lacking = f"Order {trade_id} could not be read: {outcome.error.what}"
            continue
        payload = outcome.answer.payload
        try:
            candidate = Candidate(read_order(payload, trade_id), read_reference(payload))
        except Unreadable:
            seen.unsure.append(trade_id)
            continue
        verdict = match(asked, candidate)
        if verdict is Match.OTHER:
            others.add(trade_id)
        else:
            (seen.same if verdict is Match.SAME else seen.unsure).append(trade_id)
    return seen
