"""What a sync did, in numbers: by feed, by stage, by call. What people and machines are shown at the end of a run."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from dropship_pipeline.counting import counted


class FeedState(StrEnum):
    """How the last reading of a feed ended."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class FeedOutcome:
    """One feed of one sync: how its reading ended, and how many memberships began, ended, or were missed."""

    feed: str
    state: FeedState
    listed: int
    new: int
    missing: int
    delisted: int
    pages: int
    sweeps: int
    resumed: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CallCounts:
    """What was asked of the API."""

    calls: int = 0
    throttles: int = 0
    retries: int = 0

    def __add__(self, other: "CallCounts") -> "CallCounts":
        return CallCounts(self.calls + other.calls, self.throttles + other.throttles, self.retries + other.retries)

    def __sub__(self, other: "CallCounts") -> "CallCounts":
        return CallCounts(self.calls - other.calls, self.throttles - other.throttles, self.retries - other.retries)

    def in_words(self) -> str:
        """`3 calls, 1 throttle, 0 retries`."""
        refused, again = counted(self.throttles, "throttle"), counted(self.retries, "retry", "retries")
        return f"{counted(self.calls, 'call')}, {refused}, {again}"


@dataclass(frozen=True, slots=True)
class StageOutcome:
    """One stage of one sync, in products: `undone` ones could not be read this time and stay due."""

    stage: str
    due: int = 0
    done: int = 0
    new: int = 0
    changed: int = 0
    refused: int = 0
    rejected: int = 0
    undone: int = 0
    recovered: int = 0
    fallbacks: int = 0
    rows_written: int = 0
    calls: CallCounts = CallCounts()
    seconds: float = 0.0
    undone_reason: str = ""


@dataclass(frozen=True, slots=True)
class FeedRow:
    """One line of the closing table."""

    feed: str
    listed: int
    new: int
    changed: int
    delisted: int
    rejected: int
    state: str


@dataclass(slots=True)
class SyncSummary:
    """The whole sync. `problems` says, a line each, what was left undone; a sync without any did its work."""

    run_id: str
    seconds: float = 0.0
    failure: str = ""
    feeds: list[FeedOutcome] = field(default_factory=list)
    stages: list[StageOutcome] = field(default_factory=list)
    calls: CallCounts = field(default_factory=CallCounts)
    feeds_table: list[FeedRow] = field(default_factory=list)
    snapshot: str = ""
    rows: dict[str, int] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    simulated: bool = False

    @property
    def problems(self) -> list[str]:
        """What was left undone, each with its remedy; empty when the sync did its work."""
        lines = [self.failure] if self.failure else []
        for feed in self.feeds:
            if feed.state is FeedState.INCOMPLETE:
                lines.append(f"Feed {feed.feed} could not be completed: {feed.reason}. Run the sync again")
            if feed.state is FeedState.HELD:
                lines.append(
                    f"Feed {feed.feed} is held: {feed.reason}. If the products really are gone, let it through: "
                    f"dropship sync --feed {feed.feed} --let-through"
                )
        lines += [
            f"{counted(stage.undone, 'product')} could not be read by {stage.stage}: {stage.undone_reason}. "
            "Still due: run the sync again"
            for stage in self.stages
            if stage.undone
        ]
        return lines

    def as_json(self) -> dict[str, object]:
        """Everything, for machines."""
        return {**asdict(self), "problems": self.problems, "outcome": "failed" if self.problems else "done"}


def combined(summaries: Sequence[SyncSummary]) -> SyncSummary:
    """The summaries of several runs that one command made, as one; there is at least one."""
    first = summaries[0]
    for other in summaries[1:]:
        first.seconds += other.seconds
        first.failure = "; ".join(filter(None, (first.failure, other.failure)))
        first.feeds += other.feeds
        first.stages += other.stages
        first.calls += other.calls
        first.feeds_table += other.feeds_table
        first.snapshot, first.rows = other.snapshot or first.snapshot, other.rows or first.rows
    return first
