"""Runs that are launched in the UI: through the webserver's GraphQL, the queue, the daemon and the code server."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from dagster._core.launcher import WorkerStatus
from dagster_runs import ROOT, failures, materialised, metadata, succeeded
from dagster_runs import installed as installed_here
from dagster_ui import dagster_running
from deployment import Deployment, clean_environment

Deploy = Callable[..., Deployment]


@pytest.mark.timeout(600)  # five processes of Dagster start, and share the machine with other tests
def test_a_run_launched_in_the_ui_succeeds_with_nothing_but_the_variables_set(deploy: Deploy, tmp_path: Path) -> None:
    merchant = deploy(products=60, drift=0, variables={"DROPSHIP_SCHEDULES": "false"})
    with dagster_running(merchant, tmp_path) as ui:
        few = {"resources": {"options": {"config": {"limit": 5}}}}
        listing = ui.launch("catalogue_sync", few, **{"dagster/partition": "local_us"})
        merchant.dropship("sync", "--feed", "cross_border", "--limit", "0")
        assert ui.ended(listing)["status"] == "SUCCESS"
        assert merchant.value("SELECT count(*) FROM catalog.products") == 5

        # one at a time: the second waits in the queue
        chosen = [row["product_id"] for row in merchant.rows("SELECT product_id FROM catalog.products LIMIT 1")]
        refreshing = ui.launch("manual_refresh", {"ops": {"refresh": {"config": {"product_ids": chosen}}}})
        [of_the_terminal] = merchant.rows("SELECT run_id FROM dagster.run_tags WHERE value = 'cli'")
        again = ui.relaunch(of_the_terminal["run_id"])
        first, second = ui.ended(refreshing), ui.ended(again)
        assert first["status"] == second["status"] == "SUCCESS"
        assert second["startTime"] >= first["endTime"]
    with installed_here(merchant) as instance:
        run = instance.get_run_by_id(listing)
        executed_again = instance.get_run_by_id(again)
        assert run is not None
        assert executed_again is not None
        # it has the tags of the terminal's run, and is watched as the code server's own
        assert executed_again.tags["dropship/trigger"] == "cli"
        assert instance.run_launcher.check_run_worker_health(executed_again).status is WorkerStatus.RUNNING
        assert materialised(instance, run)["catalog/products"] == ["local_us"]
    # what Dagster keeps in files is where the rest of the data is, not in the repository
    assert list((merchant.home / "dagster" / "logs").iterdir())
    assert [path.name for path in (ROOT / "dagster_home").rglob("*") if path.is_file()] == ["dagster.yaml"]


def test_steps_that_are_processes_of_their_own_do_the_same_and_the_last_knows_what_the_first_left(
    deploy: Deploy, tmp_path: Path
) -> None:
    merchant = deploy(products=30, drift=0, variables={"DROPSHIP_EXECUTOR": "multiprocess"})
    merchant.sandbox.control("faults", {"fault": "refuse:code=300000:path=/eco/buyer/crossborder/product/check"})
    tags = {"dagster/asset_partition_range_start": "local_regular", "dagster/asset_partition_range_end": "cross_border"}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "dagster", "job", "execute", "-m", "dropship_pipeline.definitions"),
            *("-j", "catalogue_sync", "--tags", json.dumps(tags)),
        ],
        cwd=tmp_path,
        env={**clean_environment(), **merchant.environment, "DAGSTER_HOME": str(ROOT / "dagster_home")},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 1
    with installed_here(merchant) as instance:
        [run] = instance.get_runs()
        assert "Feed cross_border could not be completed" in failures(instance, run)["publish"]
        assert succeeded(instance, run)[0] == "discover"
        stages = {"discover", "describe", "take_stock", "quote", "publish"}
        assert stages & set(succeeded(instance, run)) == stages - {"publish"}
        assert metadata(instance, "lake/snapshot")["rows/catalog.products"] > 0
    assert merchant.value("SELECT outcome FROM ops.syncs") == "failed"
