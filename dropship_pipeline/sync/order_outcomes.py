"""What following, reading and reconciling orders came to, in numbers: what callers, people and Dagster are told."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date

from dropship_pipeline.storage.orders import OrderCounts
from dropship_pipeline.sync.summary import CallCounts


@dataclass(frozen=True, slots=True)
class FollowOutcome:
    """One look at what changed.

    `changed`: trade IDs to be read, at most `orders.MOST_AT_ONCE`; the rest comes with the next look. `cursor`: for
    that one. `complete`: the list was read to its end, or `reason` says why not; then the next look begins where this
    one did. `listed`: orders that the list showed.
    """

    changed: tuple[str, ...]
    cursor: str
    complete: bool
    listed: int
    reason: str = ""
    calls: CallCounts = field(default_factory=CallCounts)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class DayOutcome:
    """A day of orders, compared with the list: `missing` in the tables, `differing` there, `unlisted` by the list.

    `reason`: why the day is not done, "" if it is.
    """

    day: date
    listed: int
    missing: int
    differing: int
    unlisted: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class OrdersOutcome:
    """Orders that were read.

    `asked` for; `counts`: what the merges did; `refused` by Alibaba.com; `rejected`, for their answers cannot be read;
    `undone` for the last `undone_reason`: these stay due. `unknown_statuses`: orders by statuses that nobody knows.
    `days`: those that were reconciled. `listing_reason`: why the list could not be read to its end, "" if it was.
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
            calls=self.calls + other.calls,
            seconds=self.seconds + other.seconds,
        )

    @property
    def problems(self) -> list[str]:
        """What was left undone, each with its remedy; empty when all is done."""
        lines = [
            f"Orders of {day.day} could not be reconciled: {day.reason.rstrip('.')}. "
            f"Run it again: dropship orders sync --day {day.day}"
            for day in self.days
            if day.reason
        ]
        if self.listing_reason:
            lines.append(f"The order list {self.listing_reason}. Run the command again")
        if self.undone and not self.days:
            lines.append(
                f"{self.undone:,} orders could not be read: {self.undone_reason.rstrip('.')}. "
                "They stay due: run the command again"
            )
        return lines

    def as_json(self) -> dict[str, object]:
        """Everything, for machines."""
        return {**asdict(self), "problems": self.problems, "outcome": "failed" if self.problems else "done"}
