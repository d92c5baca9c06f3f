"""The order book: every order of every buyer as it stands at a moment, seeded (`order_history.py`) or placed
through the API.

Placed orders, payments and cancellations are kept in memory; everything else is computed. Statuses move by
themselves with the sandbox clock. What an order looks like as JSON belongs in `endpoints/`.
"""

import heapq
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple, Protocol

from dropship_pipeline.sandbox import order_examples
from dropship_pipeline.sandbox.world import lifecycle
from dropship_pipeline.sandbox.world.buyers import Buyer
from dropship_pipeline.sandbox.world.catalogue_view import CatalogueView
from dropship_pipeline.sandbox.world.lifecycle import OrderStatus, Step, Timeline
from dropship_pipeline.sandbox.world.order_history import History
from dropship_pipeline.sandbox.world.order_model import Draft, Order
from dropship_pipeline.sandbox.world.order_truth import truth
from dropship_pipeline.sandbox.world.seeding import Seed

_SERIALS = 10**7


class ClockView(Protocol):
    """The sandbox clock."""

    def now_ms(self) -> int:
        """Simulated time, epoch milliseconds."""


class OrderEntry(NamedTuple):
    """An order as a list shows it."""

    trade_id: str
    status: OrderStatus
    created_ms: int
    modified_ms: int


class StatusChange(NamedTuple):
    """A status that an order got; `old_status` None: the order was created."""

    trade_id: str
    buyer_id: str
    old_status: OrderStatus | None
    new_status: OrderStatus
    at_ms: int


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which orders a list shows. Bounds are epoch milliseconds, inclusive; None: no bound."""

    status: str | None = None
    created_from_ms: int | None = None
    created_to_ms: int | None = None
    modified_from_ms: int | None = None
    modified_to_ms: int | None = None

    def admits(self, entry: OrderEntry) -> bool:
        """Whether the list shows this order."""
        return (
            (self.status is None or entry.status == self.status)
            and _within(entry.created_ms, self.created_from_ms, self.created_to_ms)
            and _within(entry.modified_ms, self.modified_from_ms, self.modified_to_ms)
        )


class _Standing:
    """Where each order of one history stands, kept up with the clock: one step of one order costs one look."""

    def __init__(self, history: History, timeline_of: Callable[[int], Timeline]) -> None:
        self._history = history
        self._timeline_of = timeline_of
        self._now_ms: int | None = None
        self._created = array("q", map(history.created_ms, range(history.count)))
        self._trade_ids = [history.trade_id(number) for number in range(history.count)]
        self._modified = array("q", bytes(8 * history.count))
        self._status = [OrderStatus.UNPAY] * history.count
        self._due: list[tuple[int, int]] = []  # (next step, order), a heap

    def entries(self, now_ms: int) -> Iterator[OrderEntry]:
        """The orders that exist now, the oldest first."""
        self._advance(now_ms)
        existing = bisect_right(self._created, now_ms)
        columns = zip(self._trade_ids, self._status, self._created, self._modified, strict=True)
        return map(OrderEntry._make, islice(columns, existing))

    def changed(self, number: int) -> None:
        """Look at an order again: its life took another turn."""
        if self._now_ms is not None:
            self._look(number, self._now_ms)

    def _advance(self, now_ms: int) -> None:
        if self._now_ms is None or now_ms < self._now_ms:
            self._due = []
            for number in range(self._history.count):
                self._look(number, now_ms)
        while self._due and self._due[0][0] <= now_ms:
            self._look(heapq.heappop(self._due)[1], now_ms)
        self._now_ms = now_ms

    def _look(self, number: int, now_ms: int) -> None:
        timeline = self._timeline_of(number)
        self._modified[number], self._status[number] = lifecycle.current(timeline, now_ms)
        for step in timeline:
            if step.at_ms > now_ms:
                heapq.heappush(self._due, (step.at_ms, number))
                return


class Orders:
    """Every order of one running sandbox."""

    def __init__(
        self, catalogue: CatalogueView, clock: ClockView, seed: int, count: int, buyers: Iterable[Buyer]
    ) -> None:
        self._seed = Seed(seed)
        start_ms = clock.now_ms()
        self._histories = {
            buyer.user_id: History(self._seed, catalogue, buyer, count * buyer.history_percent // 100, start_ms)
            for buyer in buyers
        }
        self._amended: dict[str, Timeline] = {}  # seeded orders that were paid or cancelled
        self._placed: dict[str, Order] = {}
        self._standings = {
            buyer_id: _Standing(history, self._timelines(history)) for buyer_id, history in self._histories.items()
        }

    # Reading

    def find(self, trade_id: str, buyer_id: str, now_ms: int) -> Order | None:
        """The order, where it exists by now and is this buyer's."""
        order = self._placed.get(trade_id) or self._seeded(trade_id, buyer_id)
        return order if order and order.buyer_id == buyer_id and order.created_ms <= now_ms else None

    def listed(self, buyer_id: str, wanted: OrderFilter, now_ms: int) -> list[OrderEntry]:
        """The buyer's orders that the filter admits, the newest first."""
        placed = (_entry(order, now_ms) for order in self._placed.values() if order.buyer_id == buyer_id)
        entries = [entry for entry in self._standings[buyer_id].entries(now_ms) if wanted.admits(entry)]
        entries += [entry for entry in placed if entry.created_ms <= now_ms and wanted.admits(entry)]
        entries.sort(key=_newest, reverse=True)
        return entries

    def changes_between(self, since_ms: int, until_ms: int) -> list[StatusChange]:
        """What happened to all orders after `since_ms`, up to and with `until_ms`, in the order of time."""
        changes = [
            change
            for trade_id, buyer_id, timeline in self._lives(since_ms, until_ms)
            for change in _changes(trade_id, buyer_id, timeline)
            if since_ms < change.at_ms <= until_ms
        ]
        changes.sort(key=lambda change: (change.at_ms, change.trade_id))
        return changes

    def everything(self, now_ms: int) -> Iterator[Order]:
        """Every order of every buyer that exists by now."""
        for buyer_id, standing in self._standings.items():
            for entry in standing.entries(now_ms):
                if order := self._seeded(entry.trade_id, buyer_id):
                    yield order
        yield from (order for order in self._placed.values() if order.created_ms <= now_ms)

    def orders_truth(self, now_ms: int) -> list[dict[str, object]]:
        """Every order with all that is true of it by now, for the control API: see `order_truth.truth`.

        The two orders of the guide come last, as the default buyer's, whose list shows them.
        """
        book = [truth(order, now_ms) for order in self.everything(now_ms)]
        return book + order_examples.truths(next(iter(self._histories)))

    # Writing

    def place(self, draft: Draft, buyer_id: str, now_ms: int) -> Order:
        """A new order, unpaid. Nothing makes two alike orders one: `channel_refer_id` is no idempotency key (live
        facts).
        """
        created_ms = lifecycle.whole_second(now_ms)
        suffix = self._histories[buyer_id].buyer.trade_suffix
        serial = self._seed.below(_SERIALS, "placed serial", now_ms, len(self._placed))
        while (trade_id := f"28{serial:07d}{suffix}") in self._placed:
            serial = (serial + 1) % _SERIALS
        order = Order(trade_id, buyer_id, created_ms, lifecycle.unpaid(created_ms), draft)
        self._placed[trade_id] = order
        return order

    def pay(self, order: Order, now_ms: int, verification_s: int = 0) -> Order:
        """The order, paid now; with a verification it stays `paying` for that many seconds first."""
        entropy = self._seed.entropy("paid life", int(order.trade_id))
        return self._amend(order, lifecycle.paid(order.timeline, now_ms, verification_s, entropy))

    def cancel(self, order: Order, now_ms: int) -> Order:
        """The order, closed now."""
        return self._amend(order, lifecycle.closed(order.timeline, now_ms))

    # How orders come about

    def _amend(self, order: Order, timeline: Timeline) -> Order:
        amended = order.with_timeline(timeline)
        if order.trade_id in self._placed:
            self._placed[order.trade_id] = amended
            return amended
        self._amended[order.trade_id] = timeline
        number = self._histories[order.buyer_id].number_of(order.trade_id)
        if number is not None:
            self._standings[order.buyer_id].changed(number)
        return amended

    def _seeded(self, trade_id: str, buyer_id: str) -> Order | None:
        history = self._histories[buyer_id]
        number = history.number_of(trade_id)
        if number is None:
            return None
        timeline = self._amended.get(trade_id) or history.timeline(number)
        return Order(trade_id, buyer_id, history.created_ms(number), timeline, history.draft(number))

    def _timelines(self, history: History) -> Callable[[int], Timeline]:
        def timeline(number: int) -> Timeline:
            amended = self._amended.get(history.trade_id(number)) if self._amended else None
            return amended or history.timeline(number)

        return timeline

    def _lives(self, since_ms: int, until_ms: int) -> Iterator[tuple[str, str, Timeline]]:
        """Every order that may have changed in that time."""
        for buyer_id, history in self._histories.items():
            timeline = self._timelines(history)
            for number in range(history.count):
                if since_ms - lifecycle.LONGEST_MS < history.created_ms(number) <= until_ms:
                    yield history.trade_id(number), buyer_id, timeline(number)
        for order in self._placed.values():
            yield order.trade_id, order.buyer_id, order.timeline


def _entry(order: Order, now_ms: int) -> OrderEntry:
    step = lifecycle.current(order.timeline, now_ms)
    return OrderEntry(order.trade_id, step.status, order.created_ms, step.at_ms)


def _newest(entry: OrderEntry) -> tuple[int, str]:
    return entry.created_ms, entry.trade_id


def _within(time_ms: int, from_ms: int | None, to_ms: int | None) -> bool:
    return (from_ms is None or from_ms <= time_ms) and (to_ms is None or time_ms <= to_ms)


def _changes(trade_id: str, buyer_id: str, timeline: Timeline) -> Iterator[StatusChange]:
    before: Step | None = None
    for step in timeline:
        yield StatusChange(trade_id, buyer_id, before and before.status, step.status, step.at_ms)
        before = step
