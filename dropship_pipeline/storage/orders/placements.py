"""Placements: rows of `orders.placements`, and every step from one state to the next, each a transaction of its own.

A step is made only from the states that it may follow, so that of two that would make it one does. What a step means
and when it is made is decided in `sync/`.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, Row, TextClause, text

from dropship_pipeline.orders.placing import REPLACEABLE, UNSETTLED, OrderAsked, PayState, Quote, State
from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.ops.secrets import Cipher
from dropship_pipeline.storage.orders import placement_sql
from dropship_pipeline.storage.server.database import Database


@dataclass(frozen=True, slots=True)
class Placement:
    """An order that we place, as it stands; without what is personal. Times are UTC.

    `sends`: how often it was sent. `sent_at`: first, by the clock that signed; `orders_before`: orders that it is none
    of. `reason`: why it is as it is, fit to be shown. `pay_url` is for the person who pays, and for nobody else.
    """

    reference: str
    account: str
    state: State
    trade_id: str | None
    quote: Quote | None
    fingerprint: str
    likeness: str
    sends: int
    sent_at: datetime | None
    orders_before: tuple[str, ...]
    pay_state: PayState | None
    pay_url: str | None = field(repr=False)
    reason: str | None
    created_at: datetime
    updated_at: datetime


class PlacementStore:
    """The placements of a deployment. Every method raises `DatabaseProblem`."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        self._database = database
        self._cipher = cipher

    def now(self) -> datetime:
        """The time (UTC) by the clock that `updated_at` is of."""
        with self._database.begin() as connection:
            now: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
            return now

    def find(self, reference: str) -> Placement | None:
        """The placement of this reference."""
        return find_placement(self._database, reference)

    def get(self, reference: str) -> Placement:
        """The placement of this reference, which exists."""
        found = self.find(reference)
        if found is None:
            raise Problem(
                f"Nothing is known of an order with reference {reference[:64]!r}",
                "Describe it in a file: dropship orders place --file ORDER.yaml",
            )
        return found

    def asked(self, reference: str) -> OrderAsked:
        """What was asked for; of an order that was placed the recipient is forgotten. Raises Problem, `WrongKey`."""
        with self._database.begin() as connection:
            row = connection.execute(placement_sql.ASKED, {"reference": reference}).one()
        if row.recipient is None:
            raise Problem(
                f"The recipient of order {reference} is not kept here any more",
                "Give the order again, with --file",
            )
        return OrderAsked.opened(reference, row.request, self._cipher.decrypt(bytes(row.recipient)))

    def plan(self, asked: OrderAsked, account: str) -> Placement:
        """Write down what is asked for, unless an order of this reference exists or may exist; what stands then."""
        given = {
            "reference": asked.reference,
            "account": account,
            "planned": State.PLANNED,
            "request": json.dumps(asked.told()),
            "recipient": self._cipher.encrypt(asked.sealed()),
            "fingerprint": asked.fingerprint(account),
            "likeness": asked.likeness(account),
            "replaceable": list(REPLACEABLE),
        }
        with self._database.begin() as connection:
            connection.execute(placement_sql.PLAN, given)
        return self.get(asked.reference)

    def quoted(self, placement: Placement, quote: Quote) -> Placement:
        """Keep the quote at which it is to be placed."""
        given = {"quote": json.dumps(quote.as_json()), "planned": State.PLANNED, "fingerprint": placement.fingerprint}
        return self._step(placement_sql.QUOTED, placement, given)

    def sending(self, placement: Placement, sent_at: datetime, orders_before: Collection[str]) -> Placement:
        """It is about to be sent: to be committed before the call. What was so the first time stays."""
        given = {
            "sending": State.SENDING,
            "planned": State.PLANNED,
            "sent_at": sent_at,
            "orders_before": sorted(orders_before),
            "fingerprint": placement.fingerprint,
        }
        return self._step(placement_sql.SENDING, placement, given)

    def move(self, placement: Placement, before: Collection[State], state: State, reason: str | None) -> Placement:
        """From one of `before` to `state`."""
        given = {"state": state, "before": list(before), "reason": reason, "sends": placement.sends}
        return self._step(placement_sql.MOVE, placement, given)

    def never_sent(self, placement: Placement, reason: str) -> Placement:
        """A person knows that no order came of it: it is as if it had not been sent, whatever orders there are."""
        given = {"planned": State.PLANNED, "unsettled": list(UNSETTLED), "reason": reason, "sends": placement.sends}
        return self._step(placement_sql.NEVER_SENT, placement, given)

    def placed(
        self, placement: Placement, trade_id: str, pay_url: str | None = None, reason: str | None = None
    ) -> Placement:
        """The order exists, and is this one. Left for a person where it is another placement's already."""
        given = {"reference": placement.reference, "sends": placement.sends, "unsettled": [*UNSETTLED, State.PLANNED]}
        with self._database.begin() as connection:
            connection.execute(placement_sql.TAKE_TURN)
            owner = connection.execute(placement_sql.OWNER, {**given, "trade_id": trade_id}).scalar_one_or_none()
            if owner is None:
                order = {"trade_id": trade_id, "pay_url": pay_url, "reason": reason, "placed": State.PLACED}
                written = connection.execute(placement_sql.PLACED, given | order).rowcount
            else:
                written = 0
        if written:
            return self.get(placement.reference)
        current = self.get(placement.reference)
        if current.trade_id == trade_id:
            return current  # somebody else found it out first
        said = (
            f"Alibaba.com names order {trade_id}, which is that of reference {owner}"
            if owner is not None
            else f"Alibaba.com names order {trade_id}, and meanwhile it became {current.trade_id or current.state}"
        )
        return self.move(current, list(State), State.NEEDS_PERSON, said)

    def pay(
        self, placement: Placement, pay_state: PayState | None, reason: str | None = None, pay_url: str | None = None
    ) -> Placement:
        """The payment goes from the state that `placement` has to `pay_state`."""
        given = {
            "pay_state": pay_state,
            "before": placement.pay_state,
            "pay_url": pay_url,
            "reason": reason,
            "placed": State.PLACED,
        }
        return self._step(placement_sql.PAY, placement, given)

    def in_use_since(self) -> datetime:
        """Since when the accounts of this deployment are used with it (UTC)."""
        with self._database.begin() as connection:
            since: datetime = connection.execute(placement_sql.SINCE).scalar_one()
            return since

    def claimed(self, trade_ids: Sequence[str]) -> set[str]:
        """Which of these orders are some placement's."""
        with self._database.begin() as connection:
            return set(connection.execute(placement_sql.CLAIMED, {"trade_ids": list(trade_ids)}).scalars())

    def rivals(self, placement: Placement) -> list[str]:
        """References of which an order may exist that could not be told from this one's."""
        given = {"likeness": placement.likeness, "reference": placement.reference, "unsettled": list(UNSETTLED)}
        with self._database.begin() as connection:
            return list(connection.execute(placement_sql.RIVALS, given).scalars())

    def known_orders(self, account: str, since: datetime) -> set[str]:
        """The account's orders in the tables that were created since then (UTC)."""
        with self._database.begin() as connection:
            return set(connection.execute(placement_sql.KNOWN, {"account": account, "since": since}).scalars())

    def _step(self, statement: TextClause, placement: Placement, given: Mapping[str, object]) -> Placement:
        with self._database.begin() as connection:
            done = connection.execute(statement, {"reference": placement.reference, **given})
        current = self.get(placement.reference)
        if not done.rowcount:
            raise Problem(
                f"Order {placement.reference} was {placement.state} and became {current.state} meanwhile",
                "Somebody else works on it: look again with `dropship orders show`",
            )
        return current


def find_placement(database: Database, name: str) -> Placement | None:
    """The placement of this reference, or else of this order ID."""
    with database.begin() as connection:
        return _one(connection, name)


def _one(connection: Connection, name: str) -> Placement | None:
    row = connection.execute(placement_sql.FIND, {"reference": name}).one_or_none()
    row = row or connection.execute(placement_sql.FIND_ORDER, {"trade_id": name}).one_or_none()
    return None if row is None else _placement(row)


def _placement(row: Row[tuple[object, ...]]) -> Placement:
    told = dict(row._mapping)
    told["reference"] = told.pop("channel_refer_id")
    told["state"] = State(told["state"])
    told["pay_state"] = told["pay_state"] and PayState(told["pay_state"])
    told["orders_before"] = tuple(told["orders_before"] or ())
    told["quote"] = told["quote"] and Quote.from_json(told["quote"])
    return Placement(**told)
