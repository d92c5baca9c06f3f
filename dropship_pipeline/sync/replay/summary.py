"""What a replay did, in numbers: by kind of answer. What people, machines and Dagster are shown at its end."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field


@dataclass(slots=True)
class KindReplayed:
    """One kind of answer. `answers` were read, from `files`; some were `passed_over`: the tables are of newer ones.

    `rederived`: products that the rest was merged into (of freight, once a destination; of listings, sweeps gone
    through). `rows_written`: rows of the public tables that differed. `unsettled`: answers that settle nothing as they
    are read today. `torn`: files that cannot be read, which were set aside.
    """

    kind: str
    files: int = 0
    answers: int = 0
    passed_over: int = 0
    rederived: int = 0
    rows_written: int = 0
    refused: int = 0
    rejected: int = 0
    unsettled: int = 0
    torn: list[str] = field(default_factory=list)


@dataclass(slots=True)
class ReplaySummary:
    """The whole replay. `notes`: what could not be derived and why, a line each."""

    kinds: list[KindReplayed]
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)

    @property
    def answers(self) -> int:
        """Answers that were read from the lake."""
        return _sum(kind.answers for kind in self.kinds)

    @property
    def rederived(self) -> int:
        """What was merged again, in products (quotes, sweeps) by kind."""
        return _sum(kind.rederived for kind in self.kinds)

    @property
    def rows_written(self) -> int:
        """Rows of the public tables that differed."""
        return _sum(kind.rows_written for kind in self.kinds)

    @property
    def rejected(self) -> int:
        """Answers that cannot be read."""
        return _sum(kind.rejected for kind in self.kinds)

    @property
    def torn(self) -> list[str]:
        """Files that cannot be read, by their paths in the lake."""
        return [path for kind in self.kinds for path in kind.torn]

    def as_json(self) -> dict[str, object]:
        """Everything, for machines."""
        totals = {name: getattr(self, name) for name in ("answers", "rederived", "rows_written", "rejected", "torn")}
        return {**asdict(self), **totals, "calls": 0}


def _sum(counts: Iterable[int]) -> int:
    return sum(counts)
