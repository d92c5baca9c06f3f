"""Orders of every account: whom to ask for which, and what an account that cannot be asked means for the others.

What is done for one account is in `orders`. An account that a person has to authorise again is passed over, and said:
it holds up nobody else. Its place in following is kept, so that nothing is lost when it comes back.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Generic, TypeVar

from dropship_pipeline.alibaba.errors import ApiError, Refused, TokenRefused
from dropship_pipeline.alibaba.order_requests import OfOrder
from dropship_pipeline.alibaba.outcomes import Answered
from dropship_pipeline.alibaba.tokens import login_command
from dropship_pipeline.orders.cursor import Followed, read_cursors, write_cursors
from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.ops.accounts import AccountRow
from dropship_pipeline.storage.orders.store import OrderStore
from dropship_pipeline.sync.orders.following import OrdersRequest, follow, reconcile_days, refresh_orders, sync_orders
from dropship_pipeline.sync.orders.outcomes import FollowOutcome, OrdersOutcome
from dropship_pipeline.sync.session import Desk, find_account

T = TypeVar("T")


class NobodyAuthorised(Problem):
    """There is no account yet."""


@dataclass(slots=True)
class _Round(Generic[T]):
    """What came of doing the same for several accounts, by account."""

    done: dict[str, T] = field(default_factory=dict)
    closed: dict[str, str] = field(default_factory=dict)
    failed: dict[str, ApiError] = field(default_factory=dict)


def follow_all(desk: Desk, cursor: str | None, *, seconds: float) -> FollowOutcome:
    """`orders.follow` for every account that can be asked, within about `seconds`, shared among them.

    `cursor` is of all accounts; one that cannot be read starts over. Raises `NobodyAuthorised`, what makes the calls of
    every account fail, and `DatabaseProblem`; the cursor of before is good still.
    """
    began, calls_before = time.monotonic(), desk.calls()
    rows = _accounts(desk)
    users = {row.account: row.alibaba_user_id for row in rows}
    kept = {account: one for account, one in read_cursors(cursor).items() if account in users}
    left = [row.account for row in rows if row.active]

    def look(own: Desk) -> FollowOutcome:
        account = own.place.account
        share = (seconds - (time.monotonic() - began)) / (len(left) - left.index(account))
        before = kept[account].cursor_for(users[account]) if account in kept else None
        return follow(own, before, seconds=share)

    looks = _for_each(desk, rows, look)
    for account in set(left) & looks.closed.keys():
        desk.progress.note(f"Account {account} has to be authorised again: {looks.closed[account]}")
    kept |= {account: Followed(seen.cursor, users[account]) for account, seen in looks.done.items()}
    reasons = {account: seen.reason for account, seen in looks.done.items() if seen.reason}
    reasons |= {account: error.what for account, error in looks.failed.items()}
    return FollowOutcome(
        changed=tuple(sorted(trade_id for seen in looks.done.values() for trade_id in seen.changed)),
        cursor=write_cursors(kept),
        complete=not reasons,
        listed=sum(seen.listed for seen in looks.done.values()),
        reason="; ".join(f"of account {account} {why}" for account, why in reasons.items()),
        calls=desk.calls() - calls_before,
        seconds=time.monotonic() - began,
        closed=looks.closed,
    )


def refresh_all(desk: Desk, trade_ids: Sequence[str]) -> OrdersOutcome:
    """Read these orders, each with the tokens of its own account; one that nobody knows is looked for in all of them.

    Raises `NobodyAuthorised` and what makes the calls of every account fail.
    """
    asked = list(dict.fromkeys(trade_ids))
    rows = _accounts(desk)
    by_account = _by_account(desk, rows, asked)
    concerned = [row for row in rows if row.account in by_account]
    outcomes = _for_each(desk, concerned, lambda own: refresh_orders(own, by_account[own.place.account]))
    return _summed(outcomes, by_account)


def reconcile_all(desk: Desk, days: Sequence[date]) -> OrdersOutcome:
    """`orders.reconcile_days` for every account. Raises as `refresh_all`."""
    return _summed(_for_each(desk, _accounts(desk), lambda own: reconcile_days(own, days)))


def sync_all(desk: Desk, request: OrdersRequest, account: str | None = None) -> OrdersOutcome:
    """`orders.sync_orders` for every account, or for one. Raises as `refresh_all`, and Problem for an unknown one."""
    rows = _accounts(desk) if account is None else [find_account(desk, account)]
    if account is None and request.trade_ids:
        total = refresh_all(desk, request.trade_ids)
        if not request.days:
            return total
        return total + reconcile_all(desk, request.days)
    named = {account: request.trade_ids} if account is not None else {}
    return _summed(_for_each(desk, rows, lambda own: sync_orders(own, request)), named)


def _accounts(desk: Desk) -> list[AccountRow]:
    rows = desk.accounts()
    if not rows:
        raise NobodyAuthorised("No account has been authorised", f"Authorise one: {login_command(desk.place.account)}")
    return sorted(rows, key=lambda row: row.account != desk.place.account)


def _for_each(desk: Desk, rows: Sequence[AccountRow], work: Callable[[Desk], T]) -> _Round[T]:
    """Do it for each account that can be asked. Raises the first error where all of these failed for other reasons."""
    result = _Round[T](closed={row.account: row.reason or "" for row in rows if not row.active})
    for row in rows:
        if not row.active:
            continue
        try:
            with desk.of(row.account) as own:
                result.done[row.account] = work(own)
        except TokenRefused as refused:
            result.closed[row.account] = _why(desk, row.account) or refused.what
        except ApiError as error:
            result.failed[row.account] = error
    if result.failed and not result.done:
        raise next(iter(result.failed.values()))
    return result


def _why(desk: Desk, account: str) -> str | None:
    """What is kept of why the account has just been refused."""
    return next((row.reason for row in desk.accounts() if row.account == account), None)


def _summed(outcomes: _Round[OrdersOutcome], asked: Mapping[str, Sequence[str]] | None = None) -> OrdersOutcome:
    """The sum; `asked`: the orders that were to be read of each account, where single ones were."""
    several = len(outcomes.done) + len(outcomes.closed) + len(outcomes.failed) > 1
    total = OrdersOutcome()
    for account, outcome in outcomes.done.items():
        if several and outcome.listing_reason:
            outcome = replace(outcome, listing_reason=f"of account {account} {outcome.listing_reason}")  # noqa: PLW2901
        total += outcome
    return replace(
        total,
        closed=outcomes.closed,
        waiting=sum(len(asked.get(account, ())) for account in outcomes.closed) if asked else 0,
        failed={account: str(error) for account, error in outcomes.failed.items()},
    )


def _by_account(desk: Desk, rows: Sequence[AccountRow], trade_ids: Sequence[str]) -> dict[str, list[str]]:
    with OrderStore(desk.database) as store:
        owners = store.owners(trade_ids)
    names = {row.account for row in rows}
    strangers = [trade_id for trade_id in trade_ids if owners.get(trade_id) not in names]
    owners |= _find_owners(desk, rows, strangers)
    found = defaultdict(list)
    for trade_id in trade_ids:
        found[owners[trade_id]].append(trade_id)
    return dict(found)


def _find_owners(desk: Desk, rows: Sequence[AccountRow], trade_ids: Sequence[str]) -> dict[str, str]:
    """Whose orders these are that no list has shown yet; nobody's are taken for the first account's.

    Alibaba.com tells nobody of another buyer's order.
    """
    able = [row for row in rows if row.active] or rows[:1]
    owners: dict[str, str] = {}
    unsure: dict[str, str] = {}

    def ask(own: Desk) -> None:
        unknown = [trade_id for trade_id in trade_ids if trade_id not in owners]
        for outcome in own.fanout.map([OfOrder.details(trade_id) for trade_id in unknown]):
            if isinstance(outcome, Answered):
                owners[outcome.request.key] = own.place.account
            elif not isinstance(outcome.error, Refused):
                unsure.setdefault(outcome.request.key, own.place.account)

    if trade_ids and len(able) > 1:
        _for_each(desk, able, ask)
    return {trade_id: owners.get(trade_id) or unsure.get(trade_id) or able[0].account for trade_id in trade_ids}
