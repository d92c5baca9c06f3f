"""Readings of orders into rows: an order, all that hangs on it, and what the ledger remembers of the reading.

A part that an answer does not tell (no parcels, no fee) makes no row: the merge leaves what it knows of it alone.
Texts that are keys or indexed are cut to what an index can hold.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dropship_pipeline.alibaba.fulfilment import Fund, Logistics, Tracking
from dropship_pipeline.alibaba.orders import Money, Order, OrderSummary
from dropship_pipeline.alibaba.reasons import ReasonCode
from dropship_pipeline.alibaba.values import MAX_IDENTIFIER, Unreadable, clean
from dropship_pipeline.catalog.columns import arrow_table
from dropship_pipeline.catalog.ledger import rejected_row, rejected_table
from dropship_pipeline.orders.statuses import STATUSES, looked_at_every
from dropship_pipeline.tables import orders as tables
from dropship_pipeline.tables.model import Table
from dropship_pipeline.tables.ops import ORDER_FETCHES, REJECTED_RECORDS

_NOT_STORABLE: ReasonCode = "not_storable"
_OF_THE_LIST = frozenset({"due_since", "requested_at"})


@dataclass(frozen=True, slots=True)
class OrderReading:
    """All that was answered about one order. None: Alibaba.com refused to tell that part. `read_at` is UTC."""

    order: Order
    logistics: Logistics | None
    tracking: tuple[Tracking, ...] | None
    fund: Fund | None
    read_at: datetime


class OrderBatch:
    """The rows of a batch of readings of one account. An order that comes twice counts as it came last.

    `listed` is what the list had said of the order when it was asked for; None where no list has shown it.
    """

    def __init__(self, account: str) -> None:
        self._account = account
        self._readings: dict[str, tuple[OrderReading, OrderSummary | None]] = {}
        self._fetches: dict[str, tuple[Any, ...]] = {}
        self._rejects: dict[str, tuple[Any, ...]] = {}
        self.refused = 0

    @property
    def rejected(self) -> int:
        """How many could not be read."""
        return len(self._rejects)

    @property
    def unknown_statuses(self) -> Counter[str]:
        """Statuses that are not among those known, and how many orders have them."""
        statuses = (reading.order.status for reading, _ in self._readings.values())
        return Counter(_short(status) for status in statuses if status is not None and status not in STATUSES)

    def read(self, reading: OrderReading, listed: OrderSummary | None) -> None:
        """Take a reading in."""
        order = reading.order
        self._readings[order.trade_id] = reading, listed
        told, known = order.modified_at, listed.modified_at if listed else None
        behind = told is not None and known is not None and told < known
        every = looked_at_every(order.status)
        again = None if every is None else reading.read_at + every
        # an answer that is behind the list does not settle what the list said
        self._note(order.trade_id, reading.read_at, "answered", None, None if behind else listed, again)

    def refuse(self, trade_id: str, at: datetime, code: str, listed: OrderSummary | None) -> None:
        """Alibaba.com said no (at, UTC), with this code."""
        self.refused += 1
        self._note(trade_id, at, "refused", clean(code), listed, None)

    def reject(
        self, trade_id: str, at: datetime, why: Unreadable, payload: object, listed: OrderSummary | None
    ) -> None:
        """It was answered (at, UTC), and the answer cannot be read. The reason is kept, the answer is not."""
        self._note(trade_id, at, "rejected", why.code, listed, None)
        self._rejects[trade_id] = rejected_row("order", trade_id, why, at, payload, account=self._account)

    def tables(self) -> dict[str, pa.Table]:
        """The rows by full table name, `ops.order_fetches` and `ops.rejected_records` without what the store adds."""
        rows: dict[Table, list[tuple[Any, ...]]] = {
            tables.ORDERS: [self._order(reading, listed) for reading, listed in self._readings.values()],
            tables.ORDER_LINES: [],
            tables.SHIPMENTS: [],
            tables.TRACKING_EVENTS: [],
            tables.PAYMENTS: [],
            tables.RECIPIENTS: [],
        }
        for trade_id, (reading, _) in self._readings.items():
            rows[tables.ORDER_LINES] += _lines(reading.order)
            rows[tables.SHIPMENTS] += _shipments(trade_id, reading.logistics, reading.tracking or ())
            rows[tables.TRACKING_EVENTS] += _events(trade_id, reading.tracking or ())
            if reading.fund and reading.fund.transaction_fee:
                fee = reading.fund.transaction_fee
                rows[tables.PAYMENTS].append((trade_id, fee.amount, fee.currency))
            if recipient := reading.order.recipient:
                rows[tables.RECIPIENTS].append(
                    (
                        trade_id,
                        recipient.contact_person,
                        recipient.country_code,
                        recipient.country,
                        recipient.province,
                        recipient.city,
                        recipient.zip,
                        recipient.address,
                        recipient.alternate_address,
                        recipient.mobile,
                        recipient.telephone,
                    )
                )
        return {
            **{table.full_name: arrow_table(table, found) for table, found in rows.items()},
            ORDER_FETCHES.full_name: arrow_table(ORDER_FETCHES, list(self._fetches.values()), _OF_THE_LIST),
            REJECTED_RECORDS.full_name: rejected_table(list(self._rejects.values())),
        }

    def _note(
        self,
        trade_id: str,
        at: datetime,
        outcome: str,
        code: str | None,
        listed: OrderSummary | None,
        again: datetime | None,
    ) -> None:
        said = (listed.status, listed.created_at, listed.modified_at) if listed else (None, None, None)
        self._fetches[trade_id] = (trade_id, self._account, *said, again, at, outcome, code)

    def _order(self, reading: OrderReading, listed: OrderSummary | None) -> tuple[Any, ...]:
        order = reading.order
        currency, product_total, shipment_fee, total = _amounts(order)
        return (
            order.trade_id,
            self._account,
            None if order.status is None else _short(order.status),
            order.pay_step,
            order.fulfillment_channel,
            order.dropshipping,
            order.created_at or (listed.created_at if listed else None),
            order.modified_at or (listed.modified_at if listed else None),
            reading.logistics.shipped_at if reading.logistics else None,
            product_total,
            shipment_fee,
            total,
            currency,
            order.carrier_code,
            order.carrier_name,
            order.recipient.country_code if order.recipient else None,
            reading.read_at,
        )


def trade_ids(rows: pa.Table) -> list[str]:
    """Of which orders these rows are."""
    return [str(trade_id) for trade_id in rows["trade_id"].to_pylist()]


def only(rows: Mapping[str, pa.Table], orders: Sequence[str]) -> dict[str, pa.Table]:
    """`OrderBatch.tables` of these orders alone, and of no reject: to try whether they can be stored."""
    chosen = pa.array(orders, pa.string())
    ours = {name: found for name, found in rows.items() if name != REJECTED_RECORDS.full_name}
    return {
        **{name: found.filter(pc.is_in(found["trade_id"], chosen)) for name, found in ours.items()},
        REJECTED_RECORDS.full_name: rejected_table([]),
    }


def rejecting(rows: Mapping[str, pa.Table], reasons: Mapping[str, str]) -> dict[str, pa.Table]:
    """`OrderBatch.tables` without the rows of some orders, which become rejected records; `reasons`: words by order."""
    fetched = rows[ORDER_FETCHES.full_name]
    kept = only(rows, [trade_id for trade_id in trade_ids(fetched) if trade_id not in reasons])
    ledger = [
        {**row, "outcome": "rejected", "code": _NOT_STORABLE, "look_again_at": None}
        for row in fetched.to_pylist()
        if row["trade_id"] in reasons
    ]
    rejects = [
        ("order", row["trade_id"], "", row["account"], _NOT_STORABLE, reasons[row["trade_id"]], row["fetched_at"])
        for row in ledger
    ]
    more = {
        ORDER_FETCHES.full_name: pa.Table.from_pylist(ledger, fetched.schema),
        REJECTED_RECORDS.full_name: rejected_table([(*reject, None, None, None) for reject in rejects]),
    }
    kept[REJECTED_RECORDS.full_name] = rows[REJECTED_RECORDS.full_name]
    return {**kept, **{name: pa.concat_tables([kept[name], added]) for name, added in more.items()}}


def sighting_rows(account: str, listed: list[OrderSummary]) -> pa.Table:
    """What the list says of orders, as rows of `ops.order_fetches` without what the store adds."""
    rows = [
        (
            order.trade_id,
            account,
            None if order.status is None else _short(order.status),
            order.created_at,
            order.modified_at,
            *(None,) * 4,
        )
        for order in listed
    ]
    return arrow_table(ORDER_FETCHES, rows, _OF_THE_LIST)


def _amounts(order: Order) -> tuple[str | None, *tuple[Any, ...]]:
    """The currency of the order and its amounts; an amount in another one would be wrong beside it, and is NULL."""
    amounts = (order.product_total, order.shipment_fee, order.total)
    named: list[Money] = [money for money in reversed(amounts) if money and money.currency]
    currency = named[0].currency if named else None
    return currency, *(money.amount if money and money.currency in (None, currency) else None for money in amounts)


def _lines(order: Order) -> list[tuple[Any, ...]]:
    return [
        (
            order.trade_id,
            line.line,
            line.product_id,
            line.sku_id,
            line.name,
            line.quantity,
            line.unit,
            line.unit_price.amount if line.unit_price else None,
            line.unit_price.currency if line.unit_price else None,
        )
        for line in order.lines
    ]


def _shipments(trade_id: str, logistics: Logistics | None, tracking: tuple[Tracking, ...]) -> list[tuple[Any, ...]]:
    """The parcels that either answer names: the guide's own two answers name different ones for one order."""
    parcels = {parcel.tracking_number: parcel for parcel in logistics.parcels} if logistics else {}
    tracked = {parcel.tracking_number: parcel for parcel in tracking}
    status = logistics.status if logistics else None
    found = []
    for number in parcels | tracked:
        parcel, track = parcels.get(number), tracked.get(number)
        found.append(
            (
                trade_id,
                number,
                track and track.carrier,
                parcel and parcel.service_provider,
                parcel and parcel.logistics_type,
                status,
                track and track.current_event_code,
                track and track.tracking_url,
            )
        )
    return found


def _events(trade_id: str, tracking: tuple[Tracking, ...]) -> list[tuple[Any, ...]]:
    """Each event once: what differs only in its words is the same one told twice."""
    events = {
        (trade_id, parcel.tracking_number, _short(event.code or ""), _short(event.time or "")): (
            event.name,
            event.location,
        )
        for parcel in tracking
        for event in parcel.events
    }
    return [(*key, *words) for key, words in events.items()]


def _short(text: str) -> str:
    return text[:MAX_IDENTIFIER]
