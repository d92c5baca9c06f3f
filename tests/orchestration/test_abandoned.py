"""Which runs the monitoring takes for dead. What becomes of those is in `test_launched_runs.py`."""

from collections.abc import Callable

import dagster as dg
from dagster._core.launcher import WorkerStatus
from dagster_runs import installed
from dagster_ui import wait_for
from deployment import Deployment

from dropship_pipeline.orchestration.abandoned import WORKER, RunLauncher, going
from dropship_pipeline.sandbox.launch import Running

Deploy = Callable[..., Deployment]


def test_a_run_that_is_missed_now_and_then_is_not_given_up_and_one_that_nobody_claimed_is_not_judged(
    deploy: Deploy, unasked: Running
) -> None:
    merchant = deploy(sandbox=unasked)
    with installed(merchant):
        launcher = RunLauncher(missed_looks=3)

        def looks(run: dg.DagsterRun, n: int) -> list[WorkerStatus]:
            return [launcher.check_run_worker_health(run).status for _ in range(n)]

        unclaimed = dg.DagsterRun("catalogue_sync", run_id="1")
        assert looks(unclaimed, 9) == [WorkerStatus.RUNNING] * 9
        claimed = dg.DagsterRun("catalogue_sync", run_id="2", tags={WORKER: "elsewhere:1"})
        assert looks(claimed, 2) == [WorkerStatus.RUNNING] * 2
        with going(merchant.database, "2"):
            assert looks(claimed, 4) == [WorkerStatus.RUNNING] * 4
        wait_for(lambda: looks(claimed, 1) == [WorkerStatus.FAILED], "it is not given up", 10)
