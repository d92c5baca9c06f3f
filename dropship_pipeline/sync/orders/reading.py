"""Reading orders, a few hundred at a time: details, logistics, tracking and fund of each, then one merge (§11–§14).

Nothing of it is landed raw: the details hold people's addresses (ADR 0011). An order is merged whole or not at all; one
that could not be read stays as it was, and due.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dropship_pipeline.alibaba.errors import ApiError, Refused
from dropship_pipeline.alibaba.fulfilment import read_fund, read_logistics, read_tracking
from dropship_pipeline.alibaba.order_requests import OfOrder
from dropship_pipeline.alibaba.orders import OrderSummary, read_order
from dropship_pipeline.alibaba.outcomes import Answered, Flow
from dropship_pipeline.alibaba.protocol import Answer
from dropship_pipeline.alibaba.values import Unreadable, shown
from dropship_pipeline.counting import counted
from dropship_pipeline.orders.rows import OrderBatch, OrderReading
from dropship_pipeline.storage.orders.store import OrderStore
from dropship_pipeline.sync.orders.outcomes import OrdersOutcome
from dropship_pipeline.sync.session import Desk

HAND_OVER = 250
"""Orders that are merged together."""

_PARTS = {"logistics": OfOrder.logistics, "tracking": OfOrder.tracking, "fund": OfOrder.fund}


@dataclass(frozen=True, slots=True)
class _Told:
    """What was answered about one order; `parts` without those that Alibaba.com refused. `failure`: why it was not."""

    trade_id: str
    listed: OrderSummary | None
    details: Answer | None = None
    parts: Mapping[str, Answer] = field(default_factory=dict)
    failure: ApiError | None = None


def read_orders(desk: Desk, store: OrderStore, trade_ids: Sequence[str]) -> OrdersOutcome:
    """Read these orders and merge them, batch by batch. Raises what makes every call fail."""
    began, calls_before = time.monotonic(), desk.calls()
    asked = list(dict.fromkeys(trade_ids))
    outcome = OrdersOutcome(asked=len(asked))
    desk.progress.begin("read orders", len(asked))
    for told in desk.fanout.run_flows(_flows(store, asked), HAND_OVER):
        outcome += _settle(desk, store, told)
        desk.progress.advance(len(told))
    desk.progress.finish()
    for status, orders in outcome.unknown_statuses.items():
        desk.progress.note(f"Status {shown(status)} of {counted(orders, 'order')} is not among those known; it is kept")
    return replace(outcome, calls=desk.calls() - calls_before, seconds=time.monotonic() - began)


def _flows(store: OrderStore, trade_ids: Sequence[str]) -> Iterator[Flow[_Told]]:
    """A flow an order. What the list said of it is looked up before it is asked for: nothing later is settled by it."""
    for start in range(0, len(trade_ids), HAND_OVER):
        together = trade_ids[start : start + HAND_OVER]
        listed = store.listed(together)
        yield from (_ask(trade_id, listed.get(trade_id)) for trade_id in together)


def _ask(trade_id: str, listed: OrderSummary | None) -> Flow[_Told]:
    details = yield OfOrder.details(trade_id)
    if not isinstance(details, Answered):
        return _Told(trade_id, listed, failure=details.error)
    parts = {}
    for name, request in _PARTS.items():
        outcome = yield request(trade_id)
        if isinstance(outcome, Answered):
            parts[name] = outcome.answer
        elif not isinstance(outcome.error, Refused):
            return _Told(trade_id, listed, failure=outcome.error)
    return _Told(trade_id, listed, details.answer, parts)


def _settle(desk: Desk, store: OrderStore, told: Sequence[_Told]) -> OrdersOutcome:
    batch = OrderBatch(desk.place.account)
    failures: list[ApiError] = []
    for one in told:
        failure = one.failure
        if one.details is not None:
            _take(batch, one, one.details)
        elif isinstance(failure, Refused) and failure.received_at is not None:
            batch.refuse(one.trade_id, failure.received_at, failure.code, one.listed)
        elif failure is not None:
            failures.append(failure)
    counts = store.merge(batch.tables())
    return OrdersOutcome(
        counts=counts,
        refused=batch.refused,
        rejected=batch.rejected + counts.rejected,
        undone=len(failures),
        undone_reason=failures[-1].what if failures else "",
        unknown_statuses=batch.unknown_statuses,
    )


def _take(batch: OrderBatch, told: _Told, details: Answer) -> None:
    try:
        order = read_order(details.payload, told.trade_id)
    except Unreadable as why:
        batch.reject(told.trade_id, details.received_at, why, details.payload, told.listed)
        return
    parts = told.parts
    reading = OrderReading(
        order=order,
        logistics=read_logistics(parts["logistics"].payload) if "logistics" in parts else None,
        tracking=read_tracking(parts["tracking"].payload) if "tracking" in parts else None,
        fund=read_fund(parts["fund"].payload) if "fund" in parts else None,
        read_at=details.received_at,
    )
    batch.read(reading, told.listed)
