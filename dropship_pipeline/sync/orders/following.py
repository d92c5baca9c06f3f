"""Keeping the order tables true: following what changed, reading it, reconciling whole days with the list (guide §10).

`follow` finds what changed and reads nothing of it; `refresh_orders` reads; `reconcile_days` finds what `follow`
missed. A sensor calls the first and lets a run do the second; a schedule does the third. `sync_orders` is all of it for
a person. Each is about the one account of its desk (all of them: `accounts`) and may be repeated, killed, and run
beside the others. Days are days of UTC, from midnight to midnight.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta

from dropship_pipeline.alibaba.order_requests import ListOrders
from dropship_pipeline.counting import counted
from dropship_pipeline.orders.cursor import read_cursor, write_cursor
from dropship_pipeline.orders.rows import sighting_rows
from dropship_pipeline.orders.statuses import FINAL
from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.orders.store import OrderStore
from dropship_pipeline.sync.orders.listing import list_orders
from dropship_pipeline.sync.orders.outcomes import DayOutcome, FollowOutcome, OrdersOutcome
from dropship_pipeline.sync.orders.reading import read_orders
from dropship_pipeline.sync.session import Desk

MOST_AT_ONCE = 1_000
"""Orders that one look hands out: a run of some minutes."""

AGAIN_AFTER = timedelta(minutes=10)
"""What was handed out and is still due is handed out again after so long: its run failed, or could not read it."""

_FIRST_YEAR, _LAST_YEAR = 2000, 2099
_EARLIEST = datetime(_FIRST_YEAR, 1, 1, tzinfo=UTC)  # what is older the list would not understand


@dataclass(frozen=True, slots=True)
class OrdersRequest:
    """What `sync_orders` does: read `trade_ids`; reconcile `days` (UTC); without either, what changed since `since`."""

    since: timedelta = timedelta(days=7)
    days: tuple[date, ...] = ()
    trade_ids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.since <= timedelta(0):
            raise Problem(f"Orders since {self.since} ago are none", "Give an age such as 7d, 24h or 90m")
        for day in self.days:
            if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
                raise Problem(f"No order was placed on {day}", "Give a day of this century, such as 2026-01-20")
        for trade_id in self.trade_ids:
            if not trade_id.isascii() or not trade_id.isalnum():
                raise Problem(f"{trade_id!r} is no order ID", "Give the number that Alibaba.com shows for the order")


def follow(desk: Desk, cursor: str | None, *, seconds: float) -> FollowOutcome:
    """Look for orders that changed since `cursor`, for at most about `seconds`; see `FollowOutcome`.

    A cursor that cannot be read starts over. What is handed out is due until it is read: a run that fails loses
    nothing. Raises what makes every call fail, and `DatabaseProblem`; the cursor of before is good still.
    """
    began, calls_before, now = time.monotonic(), desk.calls(), datetime.now(UTC)
    account = desk.place.account
    with OrderStore(desk.database) as store:
        at = read_cursor(cursor, now, store.newest_listed(account))
        since, until = at.bounds(now)
        listed = list_orders(desk, ListOrders(modified_from=since, modified_to=until), seconds)
        store.note_listed(sighting_rows(account, listed.orders))
        newest = max((order.modified_at for order in listed.orders if order.modified_at), default=None)
        changed = store.hand_out(account, store.now() - AGAIN_AFTER, MOST_AT_ONCE)
    after = at.after(now, newest, complete=listed.complete)
    return FollowOutcome(
        changed=tuple(changed),
        cursor=write_cursor(after),
        complete=listed.complete,
        listed=len(listed.orders),
        reason=listed.reason,
        calls=desk.calls() - calls_before,
        seconds=time.monotonic() - began,
    )


def refresh_orders(desk: Desk, trade_ids: Sequence[str]) -> OrdersOutcome:
    """Read these orders and all that hangs on them, and merge them. Raises what makes every call fail."""
    with OrderStore(desk.database) as store:
        return read_orders(desk, store, trade_ids)


def reconcile_days(desk: Desk, days: Sequence[date]) -> OrdersOutcome:
    """`reconcile_day` for each of these days; what a day came to is noted as it ends."""
    total = OrdersOutcome()
    with OrderStore(desk.database) as store:
        for day in days:
            total += _reconcile(desk, store, day)
    return total


def reconcile_day(desk: Desk, day: date) -> OrdersOutcome:
    """Compare the orders placed on this day (UTC) with the list, and read what is missing or differs.

    What the tables have and the list does not show is read as well, unless it had ended: it is never taken for gone.
    Raises what makes every call fail, and `DatabaseProblem`.
    """
    return reconcile_days(desk, [day])


def _reconcile(desk: Desk, store: OrderStore, day: date) -> OrdersOutcome:
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    next_midnight = midnight + timedelta(days=1)
    account, calls_before, began = desk.place.account, desk.calls(), time.monotonic()
    listed = list_orders(desk, ListOrders(created_from=midnight, created_to=next_midnight - timedelta(milliseconds=1)))
    known = store.of_day(account, midnight, next_midnight)
    compared = store.compare(sighting_rows(account, listed.orders))
    unlisted = known.keys() - {order.trade_id for order in listed.orders}
    asked = [*compared.missing, *compared.differing, *(i for i in sorted(unlisted) if known[i] not in FINAL)]
    outcome = read_orders(desk, store, asked)
    reason = listed.reason and f"the order list {listed.reason}"
    if outcome.undone:
        reason = reason or f"{counted(outcome.undone, 'order')} could not be read: {outcome.undone_reason}"
    counts = len(listed.orders), len(compared.missing), len(compared.differing), len(unlisted)
    done = DayOutcome(day, *counts, reason, account)
    store.record_day(**{**asdict(done), "day": day.isoformat(), "reason": reason or None})
    return replace(outcome, days=(done,), calls=desk.calls() - calls_before, seconds=time.monotonic() - began)


def sync_orders(desk: Desk, request: OrdersRequest) -> OrdersOutcome:
    """What `dropship orders sync` does; see `OrdersRequest`. Raises what makes every call fail."""
    total = OrdersOutcome()
    if request.trade_ids:
        total += refresh_orders(desk, request.trade_ids)
    if request.days:
        total += reconcile_days(desk, request.days)
    if not request.trade_ids and not request.days:
        total += _catch_up(desk, request.since)
    return total


def _catch_up(desk: Desk, since: timedelta) -> OrdersOutcome:
    """Read every order that changed in this time, and whatever else is due."""
    account, calls_before, began = desk.place.account, desk.calls(), time.monotonic()
    with OrderStore(desk.database) as store:
        asked_before = store.now()
        listed = list_orders(desk, ListOrders(modified_from=max(datetime.now(UTC) - since, _EARLIEST)))
        store.note_listed(sighting_rows(account, listed.orders))
        total = OrdersOutcome(listing_reason=listed.reason)
        while due := store.hand_out(account, asked_before, MOST_AT_ONCE):
            total += read_orders(desk, store, due)
    return replace(total, calls=desk.calls() - calls_before, seconds=time.monotonic() - began)
