"""The sensor that has fetched what push messages name. What waits, and what becomes of it, is decided in `sync.inbox`.

A plain sensor: it marks messages as handed over to a run, which it then asks for, and settles them when it sees how the
run has ended. Dying in between costs a run that is asked for once more.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing

import dagster as dg
from dagster._core.definitions.target import ExecutableDefinition  # no public name

from dropship_pipeline.alibaba.pushes import PushKind
from dropship_pipeline.counting import counted
from dropship_pipeline.orchestration.by_hand import manual_refresh
from dropship_pipeline.orchestration.orders import orders_refresh
from dropship_pipeline.orchestration.tags import TRIGGER
from dropship_pipeline.settings import Settings, load_settings
from dropship_pipeline.storage.ops.inbox import Batch
from dropship_pipeline.storage.server.opening import open_database
from dropship_pipeline.sync.inbox import Drained, RunState, drain
from dropship_pipeline.sync.place import find_announced

INBOX = "dropship/inbox"
"""The tag of a run that says which batch of messages it works on."""

_EVERY = 20  # seconds

_JOBS = {PushKind.PRODUCT: manual_refresh, PushKind.ORDER: orders_refresh}


class _OfTwoJobs(dg.SensorDefinition):
    """A sensor of jobs that get their resources from the definitions."""

    def with_updated_jobs(self, new_jobs: Sequence[ExecutableDefinition]) -> dg.SensorDefinition:
        """Called by Dagster, which then warns of a parameter of its own that nobody gave (1.13)."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dg.BetaWarning)
            return super().with_updated_jobs(new_jobs)


def webhook_sensor(settings: Settings) -> dg.SensorDefinition:
    """The sensor, running from the start where the settings say that schedules and sensors do."""

    def sensor(context: dg.SensorEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        now = load_settings()
        if not now.has_credentials and find_announced(now.absolute_home) is None:
            return dg.SkipReason("No app is named and no simulated Alibaba.com runs: start one with dropship up")
        with closing(open_database(now)) as database:
            drained = drain(database, _states(context.instance))
        for event, messages in drained.unknown.items():
            context.log.warning(
                "%d push messages of a kind that is not known (%s); they are kept, and nothing is done about them. "
                "See dropship webhooks dead",
                messages,
                event,
            )
        if drained.settled.dead:
            context.log.warning("%d push messages are dead: see dropship webhooks dead", drained.settled.dead)
        if not drained.to_run:
            return dg.SkipReason(_why_nothing(drained))
        return [_request(batch) for batch in drained.to_run]

    return _OfTwoJobs(
        name="webhook_sensor",
        evaluation_fn=sensor,
        jobs=list(_JOBS.values()),
        minimum_interval_seconds=_EVERY,
        default_status=dg.DefaultSensorStatus.RUNNING if settings.schedules else dg.DefaultSensorStatus.STOPPED,
        description="Has fetched what push messages name: one run for all products, one for all orders of which "
        "messages have come. A message is done when its run has succeeded; where it failed, it is handed over again.",
    )


def _request(batch: Batch) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=batch.batch,
        job_name=_JOBS[batch.kind].name,
        run_config={"ops": _ops(batch)},
        tags={TRIGGER: "webhook", INBOX: batch.batch, "dropship/messages": str(batch.messages)},
    )


def _ops(batch: Batch) -> Mapping[str, object]:
    subjects = list(batch.subjects)
    if batch.kind is PushKind.ORDER:
        return {"read_orders": {"config": {"trade_ids": subjects}}}
    # pushes may come all day: each is in the tables at once, and in the next snapshot that a sync publishes
    return {"refresh": {"config": {"product_ids": subjects, "force": True, "publish": False}}}


def _states(instance: dg.DagsterInstance) -> Callable[[Batch], RunState]:
    def state(batch: Batch) -> RunState:
        runs = instance.get_runs(filters=dg.RunsFilter(tags={INBOX: batch.batch}))
        if not runs:
            return RunState.MISSING
        if any(run.is_success for run in runs):  # it, or one that repeats it
            return RunState.SUCCEEDED
        return RunState.FAILED if all(run.is_finished for run in runs) else RunState.GOING

    return state


def _why_nothing(drained: Drained) -> str:
    settled = drained.settled
    if drained.going:
        messages = sum(batch.messages for batch in drained.going)
        return f"{counted(messages, 'push message is', 'push messages are')} with runs that have not ended"
    if settled.again:
        return f"{counted(settled.again, 'push message waits', 'push messages wait')} after a run that failed"
    if settled.done:
        return f"No push message waits; {counted(settled.done, 'was', 'were')} settled"
    return "No push message waits"
