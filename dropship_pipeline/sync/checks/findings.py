"""What a check came to, as plain data: from which number on something is a fault, and what to do about it.

The numbers come from `storage/reading/audits.py` and `storage/reading/standing.py`; which of them are asked for, and
when, is in `audit.py`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.reading import audits, standing
from dropship_pipeline.tables.catalog import FEED_PRODUCTS
from dropship_pipeline.tables.registry import TABLES

REJECTED_SHARE = "rejected_share"
STALE_SHARE = "stale_share"
FALLBACK_SHARE = "fallback_share"
HELD_SWEEPS = "held_sweeps"
UNFINISHED_SWEEPS = "unfinished_sweeps"
ROW_COUNT_MOVED = "row_count_moved"

SMALLEST = 100
"""Shares are taken of at least so many: one bad product of ten is one in a hundred, and no reason to stop."""

LARGEST_STALE = 0.05
LARGEST_FALLBACK = 0.25
LARGEST_MOVE = 0.2
STALE_AFTER = 2  # times the age at which it is due: then something keeps it from being read

_DESCRIPTIONS = MappingProxyType(
    {
        audits.KEYS: "The primary key is there and holds; no required column is NULL.",
        audits.REFERENCES: "What each row refers to is there.",
        audits.MONEY: "Prices are more than nothing; freight and other amounts are not less.",
        audits.CURRENCIES: "Every currency is one of ISO 4217; an amount without one is a warning.",
        REJECTED_SHARE: "Few products have a last answer that could not be read: see DROPSHIP_MAX_REJECTED_SHARE.",
        STALE_SHARE: f"At most {LARGEST_STALE:.0%} were last read more than {STALE_AFTER} times their age ago.",
        FALLBACK_SHARE: f"At most {LARGEST_FALLBACK:.0%} of the quotes are from another place than was asked first.",
        HELD_SWEEPS: "No feed's last sweep is held because it would end too many memberships.",
        UNFINISHED_SWEEPS: "Every feed's last sweep came to its end.",
        ROW_COUNT_MOVED: f"No table has {LARGEST_MOVE:.0%} more or fewer rows than in the snapshot before.",
    }
)

_BLOCKING = {audits.KEYS, audits.REFERENCES, audits.MONEY, audits.CURRENCIES, REJECTED_SHARE}


@dataclass(frozen=True, slots=True)
class Check:
    """Something that is checked of a table (`schema.name`, or `lake.snapshot`). `blocking`: it may stop a publish."""

    name: str
    table: str
    description: str
    blocking: bool


def check(name: str, table: str) -> Check:
    """The check of that name on a table."""
    return Check(name, table, _DESCRIPTIONS[name], blocking=name in _BLOCKING)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check came to. `count`: how many are at fault; `grave`: so that nothing may be published.

    `figures` are numbers for charts; `sample`: up to ten of what is at fault, without payloads.
    """

    check: Check
    said: str
    count: int = 0
    grave: bool = False
    passed: bool = True
    remedy: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)
    sample: Sequence[Mapping[str, Any]] = ()

    @property
    def line(self) -> str:
        """What it says to a person, with what to do."""
        return str(Problem(self.said, "" if self.passed else self.remedy))


SNAPSHOT_CHECK = check(ROW_COUNT_MOVED, "lake.snapshot")

_READ_AGAIN = "Read these products again with `dropship sync --product ID`"
_SEEN = f"{_READ_AGAIN}; if Alibaba.com really says so, what it said is in the lake under raw/"

# question -> what is wrong with so many rows, and what to do about it
_OF_ROWS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        audits.KEYS: ("have a key that is not unique, or no value where one is required", _READ_AGAIN),
        audits.REFERENCES: ("refer to what is not there", f"{_READ_AGAIN}, or remove the rows"),
        audits.MONEY: ("have a price of nothing or less, or a fee of less", _SEEN),
        audits.CURRENCIES: ("have an amount in no currency that ISO 4217 knows", _SEEN),
    }
)


def of_rows(answer: audits.Answer) -> Finding:
    """What a question to the rows of a table came to."""
    wrong, remedy = _OF_ROWS[answer.question]
    said = f"{answer.faulty:,} of {answer.rows:,} rows of {answer.table} {wrong}"
    if answer.unchanged_since is not None:
        said += f"; nobody has written to them since they were read at {answer.unchanged_since:%Y-%m-%d %H:%M:%S} UTC"
    if answer.lost:
        said = f"{answer.table} has lost its {answer.lost}, and {said}"
        remedy = f"Leave one row a key, then run ALTER TABLE {answer.table} ADD {answer.lost}"
    return Finding(
        check(answer.question, answer.table),
        said,
        answer.faulty,
        grave=bool(answer.grave or answer.lost),
        passed=not answer.faulty and not answer.lost,
        remedy=remedy,
        figures={"rows": answer.rows},
        sample=answer.sample,
    )


def of_rejects(table: str, kind: str, readings: standing.Readings, allowed: float) -> Finding:
    """Whether so many answers cannot be read that the API must have changed, or the reading of it is at fault."""
    finding = _of_share(
        check(REJECTED_SHARE, table),
        (readings.rejected, readings.made),
        allowed,
        f"last answers ({kind}) could not be read",
        f"See why: dropship rejected list --kind {kind}. Those that may be: dropship rejected discard; to publish this "
        "once: dropship publish --let-through; for good: DROPSHIP_MAX_REJECTED_SHARE",
        readings.rejected_sample,
    )
    return replace(finding, grave=not finding.passed)


def of_ages(table: str, kind: str, readings: standing.Readings) -> Finding:
    """Whether something keeps products from being read when they are due."""
    return _of_share(
        check(STALE_SHARE, table),
        (readings.stale, readings.all),
        LARGEST_STALE,
        f"readings ({kind}) are older than {STALE_AFTER} times the age at which they are due",
        "See whether runs fail or wait; raise ALIBABA_CALLS_PER_SECOND if the app is permitted more",
        readings.stale_sample,
    )


def of_fallbacks(table: str, readings: standing.Readings, count: int, sample: standing.Sample) -> Finding:
    """Whether goods leave from elsewhere than their stock says."""
    return _of_share(
        check(FALLBACK_SHARE, table),
        (count, readings.answered),
        LARGEST_FALLBACK,
        "quotes are from another place than was asked first",
        "See in catalog.freight_failures which place is refused, and with which code",
        sample,
    )


def of_sweeps(sweeps: Sequence[standing.LastSweep]) -> Iterator[Finding]:
    """Whether the newest sweep of each feed ended as it should."""
    ages = [(sweep.now - sweep.complete_at).total_seconds() / 3600 for sweep in sweeps if sweep.complete_at]
    figures = {
        "feeds": len(sweeps),
        "never_complete": len(sweeps) - len(ages),
        "oldest_complete_hours": round(max(ages, default=0), 2),
    }
    held = [sweep for sweep in sweeps if sweep.state == "held"]
    unfinished = [sweep for sweep in sweeps if sweep.is_unfinished]
    for name, word, found, remedy in (
        (HELD_SWEEPS, "held", held, "If these products really are gone: dropship sync --feed KEY --let-through"),
        (UNFINISHED_SWEEPS, "not complete", unfinished, "Read why, then run dropship sync --feed KEY"),
    ):
        yield Finding(
            check(name, FEED_PRODUCTS.full_name),
            f"The last sweep of {', '.join(sweep.feed for sweep in found) or 'no feed'} is {word}",
            len(found),
            passed=not found,
            remedy=remedy,
            figures=figures,
            sample=[sweep.shown() for sweep in found],
        )


def of_row_counts(counts: Sequence[Mapping[str, int]]) -> Finding:
    """Whether the newest snapshot (the first of `counts`) has about as many rows as the one before, table by table."""
    if len(counts) < 2:
        return Finding(SNAPSHOT_CHECK, "There is no snapshot before this one")
    newest, before, *_ = counts
    moves = {
        name: (rows - before[name]) / max(before[name], SMALLEST)
        for name, rows in newest.items()
        # a change log only grows, by as much as there was to tell
        if name in before and name in TABLES and not TABLES[name].append_only
    }
    moved = [name for name, move in moves.items() if abs(move) > LARGEST_MOVE]
    return Finding(
        SNAPSHOT_CHECK,
        f"The rows of {', '.join(moved) or 'no table'} moved by more than {LARGEST_MOVE:.0%} since the last snapshot",
        len(moved),
        passed=not moved,
        remedy="If rows are missing, look at the last sweeps and at catalog.listing_changes; the last snapshot is kept",
        figures={"largest_move": round(max(map(abs, moves.values()), default=0.0), 4)},
        sample=[
            {"table": name, "before": before[name], "now": newest[name], "moved": f"{moves[name]:+.1%}"}
            for name in moved
        ],
    )


def _of_share(
    of: Check, counted: tuple[int, int], allowed: float, what: str, remedy: str, sample: standing.Sample
) -> Finding:
    part, whole = counted
    share = part / max(whole, SMALLEST)
    return Finding(
        of,
        f"{part:,} of {whole:,} {what}; {allowed:.0%} may",
        part,
        passed=share <= allowed,
        remedy=remedy,
        figures={"of": whole, "share": round(share, 4), "allowed": allowed},
        sample=sample,
    )
