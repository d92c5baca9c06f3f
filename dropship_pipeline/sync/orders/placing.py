"""Placing an order exactly once (guide §8): written down, sent, and where the answer is lost looked for before anything
is sent again (ADR 0015).

Two who place the same reference go one after the other: a lock of the database keeps them apart, and every step is made
only from the state that it may follow. Who lost the lock, asleep or cut off from the database, sends nothing any more.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from dropship_pipeline.alibaba.errors import CODES, ApiError, Permanent, Refused
from dropship_pipeline.alibaba.fulfilment import read_reference
from dropship_pipeline.alibaba.order_requests import OfOrder
from dropship_pipeline.alibaba.orders import read_order
from dropship_pipeline.alibaba.transport_requests import TooLate
from dropship_pipeline.alibaba.values import Unreadable
from dropship_pipeline.orders.placing import REPLACEABLE, UNSETTLED, OrderAsked, State, create_request
from dropship_pipeline.orders.placing_match import Candidate, Match, match
from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.ops.secrets import Cipher
from dropship_pipeline.storage.orders.placements import Placement, PlacementStore
from dropship_pipeline.storage.server.database import DatabaseProblem
from dropship_pipeline.storage.server.locks import Held, hold
from dropship_pipeline.sync.orders.following import refresh_orders
from dropship_pipeline.sync.orders.quoting import Quoted, quote_order
from dropship_pipeline.sync.orders.reconciling import Patience, legible, reconcile, unclaimed_orders
from dropship_pipeline.sync.session import Desk

_AGAIN = "Run the command again: it looks for the order before it sends anything"


_NO_CODE = "UNSUCCESSFUL"  # ours, for an answer that says no and not why


@dataclass(frozen=True, slots=True)
class PlaceOutcome:
    """What became of an order. `remarks`: what a person should know, such as a price that moved. `sent`: just now."""

    placement: Placement
    remarks: tuple[str, ...] = ()
    sent: bool = False

    @property
    def problem(self) -> Problem | None:
        """Why it is not placed, with the remedy; None if it is."""
        return problem_of(self.placement)


def placement_store(desk: Desk) -> PlacementStore:
    """The placements of this deployment."""
    settings = desk.settings
    shared = settings.database_url is not None
    return PlacementStore(
        desk.database, Cipher.from_settings(settings.secret_key, settings.absolute_home, shared=shared)
    )


def problem_of(placement: Placement) -> Problem | None:
    """Why an order is not placed, or not any more, with the remedy; None if it is."""
    of, why = f"Order {placement.reference}", f": {placement.reason}" if placement.reason else ""
    problems = {
        State.PLANNED: Problem(f"{of} is not placed{why}", "Run the command again to place it"),
        State.REFUSED: Problem(f"{of} was refused{why}", "Mend that, and place it again under the same reference"),
        State.SENDING: Problem(f"{of} was sent, and what became of it is not known", _AGAIN),
        State.AMBIGUOUS: Problem(f"{of} was sent, and what became of it is not known yet{why}", _AGAIN),
        State.NEEDS_PERSON: Problem(
            f"{of} was sent, and its orders do not tell what became of it{why}",
            f"Then say what you found: dropship orders settle {placement.reference} --order ID, or --nothing-placed",
        ),
        State.CANCELLING: Problem(
            f"{of} is being cancelled{why}", f"Find out: dropship orders cancel {placement.reference}"
        ),
        State.CANCELLED: Problem(f"{of} is cancelled{why}", "To order it again, choose another reference"),
    }
    return problems.get(placement.state)


def plan(desk: Desk, asked: OrderAsked) -> tuple[Placement, Quoted]:
    """Quote an order and write both down; nothing is sent. Raises `OrderFaults`, and Problem where it was sent."""
    store = placement_store(desk)
    _not_sent(store.find(asked.reference), desk, asked)
    quoted = quote_order(desk, asked)
    with alone(desk, asked.reference, Patience()):
        placement = store.plan(asked, desk.place.account)
        _not_sent(placement, desk, asked)
        return store.quoted(placement, quoted.quote), quoted


def place(
    desk: Desk, reference: str, asked: OrderAsked | None = None, patience: Patience | None = None
) -> PlaceOutcome:
    """Place the order of this reference, once, whoever else does the same and however often; say what became of it.

    `asked`: what it is, where it was not planned. Nothing is paid. Raises `OrderFaults` before anything is sent,
    Problem for a reference that stands for another order, and what makes every call fail.
    """
    patience, store = patience or Patience(), placement_store(desk)
    with alone(desk, reference, patience) as held:
        placement = store.plan(asked, desk.place.account) if asked is not None else store.get(reference)
        if placement.account != desk.place.account:
            raise Problem(
                f"Reference {reference} is an order of account {placement.account}",
                f"Give --account {placement.account}, or choose another reference",
            )
        if asked is not None and placement.fingerprint != asked.fingerprint(desk.place.account):
            raise _another(placement)
        with alone(desk, placement.likeness, patience) as held_too:

            def confirm() -> None:
                held.confirm()
                held_too.confirm()

            outcome = _go_on(desk, store, placement, asked, patience, confirm)
    return read_back(desk, outcome)


def settle(desk: Desk, reference: str, trade_id: str | None) -> Placement:
    """What a person found out about an order that needs one: its ID, or None: there is none, and it may be sent."""
    store = placement_store(desk)
    with alone(desk, reference, Patience()):
        placement = store.get(reference)
        if placement.state not in (State.AMBIGUOUS, State.NEEDS_PERSON):
            raise Problem(
                f"Order {reference} is {placement.state}: there is nothing to settle", "See dropship orders show"
            )
        if trade_id is None:
            return store.never_sent(placement, "A person found that no such order exists")
        payload = desk.client.call(OfOrder.details(trade_id)).payload
        with legible(f"order {trade_id}", f"dropship orders settle {reference} --order {trade_id}"):
            found = Candidate(read_order(payload, trade_id), read_reference(payload))
        if match(store.asked(reference), found) is Match.OTHER:
            raise Problem(
                f"Order {trade_id} holds something else, or goes somewhere else, than order {reference}",
                "Look again: an ID like it may be meant",
            )
        placed = store.placed(placement, trade_id, reason="A person found it among the account's orders")
    return read_back(desk, PlaceOutcome(placed)).placement


def _go_on(
    desk: Desk,
    store: PlacementStore,
    placement: Placement,
    asked: OrderAsked | None,
    patience: Patience,
    confirm: Callable[[], None],
) -> PlaceOutcome:
    """From whatever state it is found in, to one in which nothing is to be done by itself."""
    outcome, sends = PlaceOutcome(placement), 0
    if placement.state not in UNSETTLED | REPLACEABLE:
        return outcome
    asked = asked or store.asked(placement.reference)
    if placement.state is State.REFUSED:
        outcome = PlaceOutcome(store.plan(asked, placement.account))  # at another quote
    while True:
        placement = outcome.placement
        if placement.state in UNSETTLED or placement.sent_at is not None:
            outcome = replace(outcome, placement=reconcile(desk, store, placement, asked, patience))
            if outcome.placement.state is not State.PLANNED or sends == patience.sends:
                return outcome
        outcome = _send(desk, store, asked, patience, outcome, confirm)
        sends += 1
        if outcome.placement.state is not State.AMBIGUOUS:
            return outcome


def _send(
    desk: Desk,
    store: PlacementStore,
    asked: OrderAsked,
    patience: Patience,
    so_far: PlaceOutcome,
    confirm: Callable[[], None],
) -> PlaceOutcome:
    placement, remarks = _quoted(desk, store, so_far.placement, asked)
    assert placement.quote is not None  # noqa: S101 - for the type checker: just quoted
    outcome = PlaceOutcome(placement, (*so_far.remarks, *remarks), sent=True)
    request = create_request(asked, placement.quote)
    sent_at = datetime.now(UTC)
    before, lacking = unclaimed_orders(desk, store, sent_at)
    if lacking:
        # could it not be looked for, it must not get lost
        return replace(outcome, placement=store.move(placement, [State.PLANNED], State.PLANNED, lacking), sent=False)
    until = time.time() + patience.send_within
    placement = store.sending(placement, sent_at, before)
    try:
        created = desk.client.create_order(request, until, confirm)
    except (ApiError, Unreadable, TooLate, DatabaseProblem) as error:
        placement = _failed(store, placement, error)
        if isinstance(error, Refused) and placement.state is State.AMBIGUOUS:
            placement = _doubted(desk, store, placement, asked, patience)
        return replace(outcome, placement=placement, sent=placement.state is not State.PLANNED)
    try:
        placed = store.placed(placement, created.trade_id, created.pay_url)
    except DatabaseProblem as error:
        raise Problem(
            f"Order {created.trade_id} was placed for reference {asked.reference}, and that could not be written "
            f"down: {error.what}",
            f"{error.remedy}. {_AGAIN}",
        ) from error
    return replace(outcome, placement=placed)


def _failed(
    store: PlacementStore, placement: Placement, error: ApiError | Unreadable | TooLate | DatabaseProblem
) -> Placement:
    """What a failed call says about the order: refused, never sent, or nothing at all."""
    if isinstance(error, Refused) and error.code in CODES and error.code != _NO_CODE:
        state, reason = State.REFUSED, f"{error.what}. {error.remedy}"
    elif isinstance(error, TooLate | DatabaseProblem) or (
        isinstance(error, ApiError) and not error.outcome_unknown and not isinstance(error, Refused)
    ):
        state, reason = (State.REFUSED if isinstance(error, Permanent) else State.PLANNED), str(error).rstrip(".")
    else:
        # a code that nobody knows may be said of an order that was created all the same
        state, reason = State.AMBIGUOUS, error.what if isinstance(error, ApiError) else str(error)
    return store.move(placement, [State.SENDING], state, reason)


def _doubted(
    desk: Desk, store: PlacementStore, placement: Placement, asked: OrderAsked, patience: Patience
) -> Placement:
    """An order refused with a code that nobody knows: where none is found it is what it seems, and not sent again."""
    said = placement.reason
    placement = reconcile(desk, store, placement, asked, patience)
    if placement.state is State.PLANNED:
        return store.move(placement, [State.PLANNED], State.REFUSED, said)
    return placement


def _quoted(
    desk: Desk, store: PlacementStore, placement: Placement, asked: OrderAsked
) -> tuple[Placement, tuple[str, ...]]:
    """The placement with a quote that has not expired."""
    before = placement.quote
    if before is not None and not before.expired(datetime.now(UTC)):
        return placement, ()
    quoted = quote_order(desk, asked)
    moved = before and quoted.quote.moved_since(before)
    return store.quoted(placement, quoted.quote), (*quoted.remarks, *([moved] if moved else []))


def read_back(desk: Desk, outcome: PlaceOutcome) -> PlaceOutcome:
    """Read the order into the order tables. That it was placed stands, whatever comes of that."""
    trade_id = outcome.placement.trade_id
    if trade_id is None:
        return outcome
    try:
        problems = refresh_orders(desk, [trade_id]).problems
    except Problem as problem:
        problems = [str(problem)]
    if not problems:
        return outcome
    said = f"The order could not be read back: {problems[0].rstrip('.')}. dropship orders sync --order {trade_id}"
    return replace(outcome, remarks=(*outcome.remarks, said))


def _not_sent(placement: Placement | None, desk: Desk, asked: OrderAsked) -> None:
    if placement is None or placement.state in REPLACEABLE:
        return
    if placement.fingerprint != asked.fingerprint(desk.place.account):
        raise _another(placement)
    raise problem_of(placement) or Problem(
        f"Order {placement.reference} is {placement.state}", f"dropship orders show {placement.reference}"
    )


def _another(placement: Placement) -> Problem:
    return Problem(
        f"Reference {placement.reference} stands for another order, which is {placement.state}",
        "A reference is used once: choose another one",
    )


def alone(desk: Desk, name: str, patience: Patience) -> AbstractContextManager[Held]:
    """Inside, nobody else works on the order of this name. Raises Problem where that takes too long."""
    held = Problem("Somebody else is placing this very order", "Run the command again when that is done")
    return hold(desk.database, f"placement {name}", patience.others, held)
