"""What every step does around its work: a `Problem` becomes Dagster's own failure, counts become metadata."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from dropship_pipeline.problem import Problem
from dropship_pipeline.sync.session import Session
from dropship_pipeline.sync.summary import StageOutcome


@contextmanager
def stage(session: Session) -> Iterator[None]:
    """Fail the step with the one line that people are shown; the session remembers it for whoever started the run."""
    try:
        yield
    except Problem as problem:
        session.failed(problem)
        raise dg.Failure(description=str(problem), allow_retries=False) from problem


def stage_metadata(outcome: StageOutcome) -> dict[str, float]:
    """The numbers of a stage: each becomes a chart in the asset's page."""
    return {
        "due": outcome.due,
        "done": outcome.done,
        "new": outcome.new,
        "changed": outcome.changed,
        "refused": outcome.refused,
        "rejected": outcome.rejected,
        "undone": outcome.undone,
        "recovered": outcome.recovered,
        "fallbacks": outcome.fallbacks,
        "rows_written": outcome.rows_written,
        "calls": outcome.calls.calls,
        "throttles": outcome.calls.throttles,
        "retries": outcome.calls.retries,
        "seconds": round(outcome.seconds, 3),
    }
