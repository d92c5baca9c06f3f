"""The pipeline without one of its safeguards: what a process is that was forked to show that the safeguard is needed.

Each takes exactly one thing away, in that process alone. `test_fault_twins.py` shows that something fails then.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from dropship_pipeline.alibaba import errors, redaction
from dropship_pipeline.storage.catalog import memberships, merge, sweeps
from dropship_pipeline.storage.lake import place, raw
from dropship_pipeline.storage.server import staging, transactions
from dropship_pipeline.sync.stages import discover


def _no_breaker() -> None:
    """However many memberships a sweep would end, it ends them."""
    discover.is_held = lambda _active, _would_end: False


def _no_fence() -> None:
    """Whoever has read a feed writes what it saw, whoever has begun to read it since."""

    def record_anyway(database: Any, _lease: Any, file: raw.RawFile, _unread: Any = ()) -> None:
        with database.begin() as connection:
            raw.record(connection, file)

    memberships._already_merged = lambda _stage, _lease: None
    sweeps.record_pages = record_anyway


def _no_single_transaction() -> None:
    """Each table of a merge is committed by itself."""
    run, merge_children, finish = staging.Stage.run, merge._merge_children, transactions.Transactions._finish

    def keeping(stage: staging.Stage, statement: str) -> Any:
        return run(stage, statement.replace("ON COMMIT DELETE ROWS", "ON COMMIT PRESERVE ROWS"))

    def committing(stage: staging.Stage, *arguments: Any) -> int:
        written = merge_children(stage, *arguments)
        run(stage, "COMMIT")
        run(stage, "BEGIN")
        return written

    def emptying(self: transactions.Transactions, stage: staging.Stage, *, commit: bool) -> None:
        finish(self, stage, commit=commit)
        for name in stage._made:
            run(stage, f"TRUNCATE {name}")

    staging.Stage.run = keeping
    merge._merge_children = committing
    transactions.Transactions._finish = emptying


def _no_atomic_pointer() -> None:
    """The pointer to the newest snapshot is taken away, and a moment later set."""
    point = place.Lake.point

    def in_two_steps(lake: place.Lake, name: str, target: str) -> None:
        with suppress(FileNotFoundError):
            (lake._folder / name).unlink()
        time.sleep(20.0)
        point(lake, name, target)

    place.Lake.point = in_two_steps


def _no_redaction() -> None:
    """What the gateway says is shown as it says it."""
    errors.ApiError.hide = lambda _error, _secrets: None
    for name in ("hide", "message", "label"):
        setattr(redaction, name, lambda words: words)
    redaction.blot = lambda words, _secrets: words


MUTATIONS: dict[str, Callable[[], None]] = {
    "breaker": _no_breaker,
    "fence": _no_fence,
    "single transaction": _no_single_transaction,
    "atomic pointer": _no_atomic_pointer,
    "redaction": _no_redaction,
}
