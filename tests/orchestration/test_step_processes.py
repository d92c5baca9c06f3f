"""Steps that are processes of their own, as DROPSHIP_EXECUTOR=multiprocess has them."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from dagster_runs import ROOT, failures, installed, metadata, succeeded
from deployment import Deployment, clean_environment

Deploy = Callable[..., Deployment]


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
    with installed(merchant) as instance:
        [run] = instance.get_runs()
        assert "Feed cross_border could not be completed" in failures(instance, run)["publish"]
        assert succeeded(instance, run)[0] == "discover"
        stages = {"discover", "describe", "take_stock", "quote", "publish"}
        assert stages & set(succeeded(instance, run)) == stages - {"publish"}
        assert metadata(instance, "lake/snapshot")["rows/catalog.products"] > 0
    assert merchant.value("SELECT outcome FROM ops.syncs") == "failed"
