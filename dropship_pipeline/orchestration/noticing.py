"""What Dagster's memory says of problems: failed runs, failed checks, ticks that fail, and what went well again.

Turns events into observations. What follows from them is decided in `sync.alerts.rules`.
"""

import hashlib
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._core.scheduler.instigation import (  # no public names
    InstigatorState,
    InstigatorStatus,
    InstigatorTick,
    TickStatus,
)
from dagster_shared.error import SerializableErrorInfo

from dropship_pipeline.counting import counted
from dropship_pipeline.orchestration.event_pages import Pages, Record
from dropship_pipeline.storage.ops.alerts import Kind
from dropship_pipeline.sync.alerts.rules import Observation, Sighting, Success, is_explained, partition_range

_ASSET_JOB = "__ASSET_JOB"  # what Dagster calls runs of assets that no job of ours was asked for

# a run whose worker crashed is started again by Dagster itself (`run_retries` in dagster.yaml): that ends well, or as
# another failed run
_RETRIED_WITHIN = timedelta(minutes=15)
# a code server that is being restarted fails the ticks of some seconds
_TICKS_MEND_WITHIN = timedelta(minutes=10)

_OF_A_RUN = {
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.STEP_SUCCESS,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
}


@dataclass(frozen=True, slots=True)
class Noticed:
    """What was noticed, in order, in the first `done` records of the pages."""

    observations: list[Observation]
    done: int


def notice(
    instance: dg.DagsterInstance, pages: Pages, *, runs_are_watched: bool, told_anyway: Sequence[str], deadline: float
) -> Noticed:
    """What the events of these pages say, until `deadline` (`time.monotonic`).

    `runs_are_watched`: whether a failed run is waiting to be done well. `told_anyway`: lines that other alerts say, so
    that a failed check which says nothing else is none of its own.
    """
    observations: list[Observation] = []
    runs = _runs(instance, pages.records)
    for done, record in enumerate(pages.records):
        if time.monotonic() > deadline:
            return Noticed(observations, done)
        run = runs.get(record.run_id)
        if run is None:  # it was deleted
            continue
        match record.event_log_entry.dagster_event_type:
            case dg.DagsterEventType.ASSET_CHECK_EVALUATION:
                observations.append(_check(record, run, told_anyway))
            case dg.DagsterEventType.RUN_FAILURE:
                observations += _failed_run(instance, record, run, told_anyway)
                runs_are_watched = True
            case dg.DagsterEventType.RUN_SUCCESS if runs_are_watched:
                steps = _step_events(instance, run)[dg.DagsterEventType.STEP_SUCCESS]
                subjects = frozenset({_job_subject(run), *(f"step {event.step_key}" for event in steps)})
                observations.append(Success(subjects, _at(record), _partitions(run)))
    return Noticed(observations, len(pages.records))


def _runs(instance: dg.DagsterInstance, records: Sequence[Record]) -> Mapping[str, dg.DagsterRun]:
    ids = {record.run_id for record in records}
    found = instance.get_runs(filters=dg.RunsFilter(run_ids=list(ids))) if ids else []
    return {run.run_id: run for run in found}


def _at(record: Record) -> datetime:
    return datetime.fromtimestamp(record.timestamp, UTC)


def _partitions(run: dg.DagsterRun) -> str:
    one = run.tags.get("dagster/partition", "")
    return partition_range(
        run.tags.get("dagster/asset_partition_range_start", one), run.tags.get("dagster/asset_partition_range_end", one)
    )


def _for(partitions: str) -> str:
    return f" for {partitions.replace('...', ' to ')}" if partitions else ""


def _job(run: dg.DagsterRun) -> str:
    """The job, as a key has it: two runs of different assets without a job of ours are different things."""
    if not run.job_name.startswith(_ASSET_JOB):
        return run.job_name
    assets = ",".join(sorted(key.to_user_string() for key in run.asset_selection or ()))
    return f"{run.job_name}/{hashlib.sha256(assets.encode()).hexdigest()[:8]}"


def _job_subject(run: dg.DagsterRun) -> str:
    return f"job {_job(run)}"


def _named(run: dg.DagsterRun) -> str:
    """The job, as people are told."""
    if not run.job_name.startswith(_ASSET_JOB):
        return run.job_name
    assets = sorted(key.to_user_string() for key in run.asset_selection or ())
    if not assets:
        return "assets"
    return assets[0] if len(assets) == 1 else f"{assets[0]} and {counted(len(assets) - 1, 'more asset')}"


def _check(record: Record, run: dg.DagsterRun, told_anyway: Sequence[str]) -> Observation:
    evaluation = record.event_log_entry.get_dagster_event().asset_check_evaluation_data
    asset, name = evaluation.asset_key.to_user_string(), evaluation.check_name
    partitions = evaluation.partition or _partitions(run)
    subject = f"check {asset}:{name}"
    words = evaluation.description or "It does not say why: see its page."
    if not _is_bad(evaluation) or is_explained(words, told_anyway):
        return Success(frozenset({subject}), _at(record), partitions)
    return Sighting(
        Kind.CHECK,
        f"check:{asset}:{name}:{partitions}".rstrip(":"),
        subject,
        f"Check {name} of {asset} fails{_for(partitions)}",
        words,
        _at(record),
        partitions,
        f"/assets/{asset}?view=checks&checkDetail={name}",
    )


def _is_bad(evaluation: dg.AssetCheckEvaluation) -> bool:
    return not evaluation.passed and evaluation.severity is dg.AssetCheckSeverity.ERROR


def _failed_run(
    instance: dg.DagsterInstance, record: Record, run: dg.DagsterRun, told_anyway: Sequence[str]
) -> Iterator[Observation]:
    """The failure, unless its checks say all of it; and the steps of the run that went well."""
    events = _step_events(instance, run)
    went_well = frozenset(f"step {event.step_key}" for event in events[dg.DagsterEventType.STEP_SUCCESS])
    at, partitions = _at(record), _partitions(run)
    yield Success(went_well, at, partitions)
    failures = events[dg.DagsterEventType.STEP_FAILURE]
    words = _why_step_failed(failures[0]) if failures else _why_run_failed(record)
    if failures and _is_blocked_by_checks(failures[0]):
        return
    if failures and is_explained(words, [*told_anyway, *_what_checks_say(instance, run, events)]):
        return
    step = failures[0].step_key or "" if failures else ""
    others = f", and {counted(len(failures) - 1, 'more step')}" if len(failures) > 1 else ""
    yield Sighting(
        Kind.RUN,
        f"run:{_job(run)}:{step}:{partitions}",
        f"step {step}" if step else _job_subject(run),
        f"Run of {_named(run)}{_for(partitions)} failed{f' at {step}{others}' if step else ''}",
        words,
        at,
        partitions,
        f"/runs/{run.run_id}",
        _RETRIED_WITHIN if run.tags.get("dagster/will_retry") == "true" else timedelta(0),
    )


Events = Mapping[dg.DagsterEventType, Sequence[dg.DagsterEvent]]


def _step_events(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Events:
    found: dict[dg.DagsterEventType, list[dg.DagsterEvent]] = {kind: [] for kind in _OF_A_RUN}
    for entry in instance.all_logs(run.run_id, of_type=_OF_A_RUN):
        event = entry.get_dagster_event()
        found[event.event_type].append(event)
    return found


def _what_checks_say(instance: dg.DagsterInstance, run: dg.DagsterRun, events: Events) -> Iterator[str]:
    """What failed checks say, those of the runs whose failed steps this one repeats included."""
    for event in events[dg.DagsterEventType.ASSET_CHECK_EVALUATION]:
        evaluation = event.asset_check_evaluation_data
        if _is_bad(evaluation):
            yield evaluation.description or ""
    parent = instance.get_run_by_id(run.parent_run_id) if run.parent_run_id else None
    if parent is not None:
        yield from _what_checks_say(instance, parent, _step_events(instance, parent))


def _is_blocked_by_checks(event: dg.DagsterEvent) -> bool:
    """Whether the step failed for nothing but blocking checks that did: each of them is an alert of its own."""
    error = event.step_failure_data.error
    return error is not None and error.cls_name == "DagsterAssetCheckFailedError"


def _why_step_failed(event: dg.DagsterEvent) -> str:
    data = event.step_failure_data
    if data.user_failure_data is not None and data.user_failure_data.description:
        return data.user_failure_data.description
    return _first_line(data.error) if data.error is not None else event.message or ""


def _why_run_failed(record: Record) -> str:
    event = record.event_log_entry.get_dagster_event()
    error = event.job_failure_data.error if event.event_specific_data is not None else None
    return _first_line(error) if error is not None else event.message or "Dagster does not say why"


def _first_line(error: SerializableErrorInfo) -> str:
    """What the error says first; what follows may be data. Not of what Dagster wraps around it."""
    while error.cause is not None and (error.cls_name or "").endswith("ExecutionError"):
        error = error.cause
    line = error.message.strip().split("\n", 1)[0]
    return re.sub(r"^[\w.]+\.(?=\w+(:|$))", "", line)


def notice_ticks(instance: dg.DagsterInstance, now: datetime) -> Iterable[Observation]:
    """Schedules and sensors whose last tick failed, and those of which it went well, or which somebody stopped."""
    for state in instance.all_instigator_state():
        subject = frozenset({f"tick {state.instigator_name}"})
        if state.status is InstigatorStatus.STOPPED:
            yield Success(subject, now)
            continue
        tick = _last_tick(instance, state)
        if tick is None:
            continue
        at = datetime.fromtimestamp(tick.timestamp, UTC)
        if tick.status is not TickStatus.FAILURE:
            yield Success(subject, at)
            continue
        what = state.instigator_type.value.lower()
        yield Sighting(
            Kind.TICK,
            f"tick:{state.instigator_name}",
            f"tick {state.instigator_name}",
            f"The {what} {state.instigator_name} fails",
            _first_line(tick.error) if tick.error is not None else "It does not say why",
            at,
            link="/automation",
            wait=_TICKS_MEND_WITHIN,
        )


def _last_tick(instance: dg.DagsterInstance, state: InstigatorState) -> InstigatorTick | None:
    """The newest tick that has ended: the one before the last, where that one goes on."""
    ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=2)
    return next((tick for tick in ticks if tick.status is not TickStatus.STARTED), None)
