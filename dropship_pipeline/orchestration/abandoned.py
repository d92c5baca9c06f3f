"""Runs whose process is gone: a lock that Postgres lets go with the process tells them.

A process number would not do: another process has it by and by, in a restarted container at once. Nor would the code
server's own list: one that was killed forgets its runs, of which some still go. A run of the command line holds the
lock before it is created; any other from its first step to its last, by its executor (`watched`). Both the next sync
and the daemon's run monitoring look: a dead run would keep others waiting in the queue, and a launched one is started
again, once.
"""

import os
import socket
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing
from functools import cached_property
from typing import Any

import dagster as dg
from dagster._core.events import DagsterEvent  # this and the next as an executor and the monitoring take them
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster._core.execution.step_dependency_config import StepDependencyConfig
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster._serdes import ConfigurableClassData

from dropship_pipeline.orchestration.tags import TRIGGER, is_of_the_terminal
from dropship_pipeline.settings import load_settings
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.storage.server.opening import open_database
from dropship_pipeline.storage.server.presence import is_present, present

WORKER = "dropship/worker"
"""The tag that says which process runs it, as host:pid. A run that has it holds its lock until it ends."""

MISSED_LOOKS = 4
"""Looks of the monitoring, half a minute apart, at which a launched run is not seen before it is called dead."""

_SECOND_LOOK = 5.0  # seconds: a run whose lock a restart of Postgres took has it back by then

_UNFINISHED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def going(database: Database, run_id: str) -> AbstractContextManager[None]:
    """Inside, the run with this ID is seen to go, by every process and machine of this deployment."""
    return present(database, _name(run_id))


def watched(executor: dg.ExecutorDefinition) -> dg.ExecutorDefinition:
    """The same executor, whose runs are seen to go while it executes them, whatever their steps need."""
    create = executor.executor_creation_fn
    assert create is not None  # noqa: S101  those of Dagster all have one
    return dg.ExecutorDefinition(
        name=executor.name,
        config_schema=executor.config_schema,  # type: ignore[arg-type]  # taken as it is, the annotation lacks it
        requirements=executor.get_requirements,
        executor_creation_fn=lambda context: _Watched(create(context)),
        description=executor.description,
    )


class _Watched(dg.Executor):
    def __init__(self, executor: dg.Executor) -> None:
        self._executor = executor

    @property
    def retries(self) -> RetryMode:
        """As the executor's own."""
        return self._executor.retries

    @property
    def step_dependency_config(self) -> StepDependencyConfig:
        """As the executor's own."""
        return self._executor.step_dependency_config

    def execute(self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan) -> Iterator[DagsterEvent]:
        """Have the executor do it, and be seen to."""
        run_id = plan_context.run_id
        with closing(open_database(load_settings())) as database, going(database, run_id):
            plan_context.instance.add_run_tags(run_id, {WORKER: f"{socket.gethostname()}:{os.getpid()}"})
            yield from self._executor.execute(plan_context, execution_plan)


def is_abandoned(database: Database, run: dg.DagsterRun) -> bool:
    """Whether this is a run of the command line whose process is gone."""
    if not is_of_the_terminal(run) or is_present(database, _name(run.run_id)):
        return False
    time.sleep(_SECOND_LOOK)
    return not is_present(database, _name(run.run_id))


def close_abandoned(instance: dg.DagsterInstance, database: Database) -> None:
    """Say in the UI that a run whose process is gone will never end."""
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=_UNFINISHED, tags={TRIGGER: "cli"})):
        if is_abandoned(database, run):
            instance.report_run_failed(run, "The process that ran it is gone; the next sync went on from there")


class RunLauncher(dg.DefaultRunLauncher):
    """Dagster's own launcher, which can also tell the monitoring whether a run still goes.

    A launched run that is called dead fails without a step that says why: `run_retries` starts it again, and it goes
    on from where it was. One of the command line is not started again: the next sync does that.
    """

    def __init__(self, inst_data: ConfigurableClassData | None = None, missed_looks: int = MISSED_LOOKS) -> None:
        super().__init__(inst_data)
        self._missed_looks = missed_looks
        self._missed: Counter[str] = Counter()

    @classmethod
    def config_type(cls) -> Any:
        """`missed_looks`: see `MISSED_LOOKS`; a look each `run_monitoring.poll_interval_seconds`."""
        return {"missed_looks": dg.Field(dg.IntSource, default_value=MISSED_LOOKS)}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> "RunLauncher":
        """Make it as `dagster.yaml` says."""
        return cls(inst_data, **config_value)

    @cached_property
    def _database(self) -> Database:
        return open_database(load_settings())

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Yes: `dagster_home/dagster.yaml` names this class for it."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether the process of a run is known to be gone."""
        if is_of_the_terminal(run):
            if is_abandoned(self._database, run):
                return CheckRunHealthResult(WorkerStatus.FAILED, "The process that ran it on the command line is gone")
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        if WORKER not in run.tags or is_present(self._database, _name(run.run_id)):
            self._missed.pop(run.run_id, None)
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        self._missed[run.run_id] += 1
        if self._missed[run.run_id] < self._missed_looks:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "Not seen just now")
        del self._missed[run.run_id]
        return CheckRunHealthResult(WorkerStatus.FAILED, f"The process that ran it, {run.tags[WORKER]}, is gone")


def _name(run_id: str) -> str:
    return f"run {run_id}"
