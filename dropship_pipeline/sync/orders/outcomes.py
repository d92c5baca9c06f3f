"""What following, reading and reconciling orders came to, in numbers: what callers, people and Dagster are told."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date

from dropship_pipeline.alibaba.tokens import DEFAULT_ACCOUNT, login_command
from dropship_pipeline.counting import counted
from dropship_pipeline.storage.orders.store import OrderCounts
from dropship_pipeline.sync.summary import CallCounts


@dataclass(frozen=True, slots=True)
class FollowOutcome:
    """One look at what changed.

    `changed`: trade IDs to be read, at most `orders.MOST_AT_ONCE` of an account; the rest comes with the next look.
    `cursor`: for that one. `complete`: the list was read to its end, or `reason` says why not; then the next look
    begins where this one did. `listed`: orders that the list showed. `closed`: see `OrdersOutcome`.
    """

    changed: tuple[str, ...]
    cursor: str
    complete: bool
    listed: int
    reason: str = ""
    calls: CallCounts = field(default_factory=CallCounts)
    seconds: float = 0.0
    closed: Mapping[str, str] = field(default_factory=dict)

    @property
    def to_authorise(self) -> list[str]:
        """Which accounts a person has to authorise again, and how."""
        return _to_authorise(self.closed)


@dataclass(frozen=True, slots=True)
class DayOutcome:
    """A day of an account's orders, compared with the list: `missing` in the tables, `differing` there, `unlisted` by
    the list.

    `reason`: why the day is not done, "" if it is.
    """

    day: date
    listed: int
    missing: int
    differing: int
    unlisted: int
    reason: str = ""
    account: str = DEFAULT_ACCOUNT


@dataclass(frozen=True, slots=True)
class OrdersOutcome:
    """Orders that were read.

    `asked` for; `counts`: what the merges did; `refused` by Alibaba.com; `rejected`, for their answers cannot be read
    or stored; `undone` for the last `undone_reason`: these stay due. `unknown_statuses`: orders by statuses that nobody
    knows. `days`: those that were reconciled. `listing_reason`: why the list was not read to its end, "" if it was.
    `closed`: accounts that a person has to authorise again, and why; `waiting` orders are theirs. They hold up nobody
    else, and following goes on where it was when they are authorised. `failed`: accounts of which something else
    prevented all calls, and what.
    """

    asked: int = 0
    counts: OrderCounts = field(default_factory=OrderCounts)
    refused: int = 0
    rejected: int = 0
    undone: int = 0
    undone_reason: str = ""
    unknown_statuses: Mapping[str, int] = field(default_factory=dict)
    days: tuple[DayOutcome, ...] = ()
    listing_reason: str = ""
    closed: Mapping[str, str] = field(default_factory=dict)
    waiting: int = 0
    failed: Mapping[str, str] = field(default_factory=dict)
    calls: CallCounts = field(default_factory=CallCounts)
    seconds: float = 0.0

    def __add__(self, other: "OrdersOutcome") -> "OrdersOutcome":
        return OrdersOutcome(
            asked=self.asked + other.asked,
            counts=self.counts + other.counts,
            refused=self.refused + other.refused,
            rejected=self.rejected + other.rejected,
            undone=self.undone + other.undone,
            undone_reason=other.undone_reason or self.undone_reason,
            unknown_statuses=dict(Counter(self.unknown_statuses) + Counter(other.unknown_statuses)),
            days=self.days + other.days,
            listing_reason=other.listing_reason or self.listing_reason,
            closed={**self.closed, **other.closed},
            waiting=self.waiting + other.waiting,
            failed={**self.failed, **other.failed},
            calls=self.calls + other.calls,
            seconds=self.seconds + other.seconds,
        )

    @property
    def problems(self) -> list[str]:
        """What was left undone, each with its remedy; empty when all is done. Closed accounts: `to_authorise`."""
        several = len({day.account for day in self.days}) > 1
        lines = [
            f"Orders of {day.day}{f' of account {day.account}' if several else ''} could not be reconciled: "
            f"{day.reason.rstrip('.')}. Run it again: dropship orders sync --day {day.day}"
            for day in self.days
            if day.reason
        ]
        if self.listing_reason:
            lines.append(f"The order list {self.listing_reason}. Run the command again")
        if self.undone and not any(day.reason for day in self.days):
            lines.append(
                f"{counted(self.undone, 'order')} could not be read: {self.undone_reason.rstrip('.')}. "
                "Still due: run the command again"
            )
        return lines + [f"Account {account}: {why.rstrip('.')}" for account, why in self.failed.items()]

    @property
    def to_authorise(self) -> list[str]:
        """Which accounts a person has to authorise again, and how."""
        return _to_authorise(self.closed)

    def as_json(self) -> dict[str, object]:
        """Everything, for machines."""
        problems = [*self.problems, *self.to_authorise]
        return {**asdict(self), "problems": problems, "outcome": "failed" if problems else "done"}


def _to_authorise(closed: Mapping[str, str]) -> list[str]:
    return [
        f"Account {account} has to be authorised again: {why.rstrip('.')}. Log in: {login_command(account)}"
        for account, why in closed.items()
    ]
