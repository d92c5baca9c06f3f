"""What every step does around its work: open the session, turn a `Problem` into Dagster's failure, tell what was done.

What a stage left undone fails a check of its own, and not the step: the stages after it go on, and the last step of
the run asks the checks (ADR 0003).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import dagster as dg

from dropship_pipeline.alibaba.redaction import message
from dropship_pipeline.orchestration.resources import OnDemand, RunSession
from dropship_pipeline.orchestration.tags import is_of_the_terminal
from dropship_pipeline.problem import Problem
from dropship_pipeline.sync.session import Session
from dropship_pipeline.sync.summary import StageOutcome, SyncSummary

STOPPED = "Stopped on the command line"

ORDER = ("discover", "describe", "take_stock", "quote", "publish")
"""The steps of the catalogue, by name, in the order in which they go."""

UNDONE = ("sweeps_complete", "all_described", "all_stock_read", "all_quoted")
"""The checks, by name, that tell what a stage left undone: the others stop the run where they fail, or only warn."""

T = TypeVar("T")

Context = dg.AssetExecutionContext | dg.OpExecutionContext


@contextmanager
def stage(context: Context, run_session: RunSession) -> Iterator[Session]:
    """The session for one step's work, which fails with the one line that people are shown.

    The session remembers the line for whoever started the run.
    """
    try:
        session = run_session.get()
    except Problem as problem:
        raise _failure(problem) from problem
    try:
        yield session
    except Problem as problem:
        session.failed(problem)
        raise _failure(problem) from problem
    except dg.DagsterExecutionInterruptedError:
        _stopped(context, session)
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {message(str(error))}"
        session.failed(f"Step {_step(context)} failed unexpectedly: {reason}")
        raise


@contextmanager
def work(on_demand: OnDemand[T]) -> Iterator[T]:
    """What a step needs that is no stage of a sync: it fails with the one line that people are shown."""
    try:
        yield on_demand.get()
    except Problem as problem:
        raise _failure(problem) from problem


def _stopped(context: Context, session: Session) -> None:
    session.failed("The run was stopped before it was done")
    if is_of_the_terminal(context.run):
        # nobody asked the UI to stop it: without this, a Ctrl-C would be shown as a crash, and alerted
        context.instance.report_run_canceling(context.run, STOPPED)


def stage_metadata(outcome: StageOutcome) -> dict[str, float]:
    """The numbers of a stage, in products, over all feeds of the run: each becomes a chart."""
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


def check_of(
    spec: dg.AssetCheckSpec, done: SyncSummary, metadata: Mapping[str, dg.MetadataValue | float]
) -> dg.AssetCheckResult:
    """The check of a stage: failed if what it did, told as a summary, left a problem, and saying so in its words."""
    return dg.AssetCheckResult(
        asset_key=spec.asset_key,
        check_name=spec.name,
        passed=not done.problems,
        severity=dg.AssetCheckSeverity.ERROR,
        description="; ".join(done.problems) or spec.description,
        metadata=metadata,
    )


def fail_if_undone(context: Context, session: Session) -> None:
    """Called at the end of each step: the last one of a run fails if something of the run is left undone."""
    if _has_more(context):
        return
    undone = left_undone(context.instance, context.run)
    if undone:
        line = "; ".join(undone)
        if not session.summary.problems:
            session.failed(line)
        raise dg.Failure(description=line, allow_retries=False)


def _has_more(context: Context) -> bool:
    """Whether a step that works on the catalogue comes after this one in its run."""
    steps = [step for step in ORDER if context.job_def.has_node_named(step)]
    return steps[-1:] != [_step(context)]


def _step(context: Context) -> str:
    of_the_op = context.op_execution_context if isinstance(context, dg.AssetExecutionContext) else context
    return of_the_op.op.name


def left_undone(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[str]:
    """What the failed checks of the stages say, of this run and of the one whose failed steps it repeats.

    The checks are asked, not the session: where steps are processes of their own, each has another session.
    """
    found: dict[dg.AssetCheckKey, dg.AssetCheckEvaluation] = {}
    ancestor: dg.DagsterRun | None = run
    while ancestor is not None:
        for entry in instance.all_logs(ancestor.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION):
            evaluation = entry.get_dagster_event().asset_check_evaluation_data
            found.setdefault(evaluation.asset_check_key, evaluation)
        ancestor = instance.get_run_by_id(ancestor.parent_run_id) if ancestor.parent_run_id else None
    return [
        evaluation.description or evaluation.check_name
        for evaluation in found.values()
        if evaluation.check_name in UNDONE and not evaluation.passed
    ]


def _failure(problem: Problem) -> dg.Failure:
    return dg.Failure(description=str(problem), allow_retries=False)
