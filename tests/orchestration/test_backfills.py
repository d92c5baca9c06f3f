"""Backfills as the UI launches them: a feed that breaks is left to do, and re-execution does it alone."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from dagster_runs import installed, materialised
from dagster_ui import dagster_running
from deployment import Deployment

from dropship_pipeline.catalog.feeds import FEEDS
from dropship_pipeline.tables.catalog import CATALOG_TABLES

Deploy = Callable[..., Deployment]

TABLES = [f"{table.schema}/{table.name}" for table in CATALOG_TABLES]
LANDED = ["raw/listing", "raw/description", "raw/inventory", "raw/freight"]
SCHEDULES_OFF = {"DROPSHIP_SCHEDULES": "false"}


@pytest.mark.timeout(600)  # the whole of Dagster starts, and works in the background
def test_of_three_feeds_the_one_that_breaks_is_left_to_do_and_done_alone_by_reexecution(
    deploy: Deploy, tmp_path: Path
) -> None:
    merchant = deploy(products=60, drift=0, variables=SCHEDULES_OFF)
    feeds = ["local_mx", "local_regular", "cross_border"]
    with dagster_running(merchant, tmp_path) as ui:
        merchant.sandbox.control("faults", {"fault": "refuse:code=300000:path=/eco/buyer/crossborder/product/check"})
        broken = ui.backfill([*LANDED, *TABLES, "lake/snapshot"], feeds)
        assert ui.backfill_ended(broken) == "COMPLETED_FAILED"
        for asset in (*LANDED, *TABLES):
            assert ui.partitions(asset) == {"materialized": ["local_mx", "local_regular"], "failed": ["cross_border"]}
        # the others were fanned out all the same
        assert merchant.value("SELECT count(*) FROM catalog.price_tiers") > 0

        merchant.sandbox.control("faults", method="DELETE")
        before = dict(merchant.calls("/eco/buyer/local/product/check"))
        again = ui.reexecute_backfill(broken)
        assert ui.backfill_ended(again) == "COMPLETED_SUCCESS"
        for asset in (*LANDED, *TABLES):
            assert ui.partitions(asset) == {"materialized": sorted(feeds), "failed": []}, asset
        assert merchant.calls("/eco/buyer/local/product/check") == before
        with installed(merchant) as instance:
            repeated = [
                instance.get_run_by_id(run["runId"])
                for run in ui.runs(tags=[{"key": "dagster/backfill", "value": again}])
            ]
            found = [materialised(instance, run) for run in repeated if run is not None]
        assert {asset: keys for run in found for asset, keys in run.items()} == {
            **{asset: ["cross_border"] for asset in (*LANDED, *TABLES)},
            "lake/snapshot": [None],
        }


@pytest.mark.timeout(600)
def test_feeds_that_are_no_neighbours_are_backfilled_one_run_at_a_time(deploy: Deploy, tmp_path: Path) -> None:
    merchant = deploy(products=60, drift=0, variables=SCHEDULES_OFF)
    feeds = [FEEDS[0].key, FEEDS[3].key, FEEDS[8].key]
    with dagster_running(merchant, tmp_path) as ui:
        backfill = ui.backfill([*LANDED, *TABLES], feeds)
        assert ui.backfill_ended(backfill) == "COMPLETED_SUCCESS"
        for asset in (*LANDED, *TABLES):
            assert ui.partitions(asset) == {"materialized": sorted(feeds), "failed": []}, asset
        runs = [ui.ended(run["runId"]) for run in ui.runs(tags=[{"key": "dagster/backfill", "value": backfill}])]
        assert len(runs) == 3
        runs.sort(key=lambda run: run["startTime"])
        assert all(first["endTime"] <= second["startTime"] for first, second in pairwise(runs))
