"""The report as an asset: a run of its own writes it, asked for by each new snapshot."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_runs import installed, materialised, metadata, run_job
from deployment import Deployment

from dropship_pipeline.orchestration.report import report_sensor
from dropship_pipeline.orchestration.wiring import build_defs


def test_a_snapshot_has_the_report_made_and_its_page_linked(deploy: Callable[..., Deployment]) -> None:
    merchant = deploy(products=20)
    with installed(merchant) as instance:
        sensor = report_sensor(merchant.settings)

        def look(cursor: str | None) -> Any:
            return sensor.evaluate_tick(
                dg.build_sensor_context(instance=instance, cursor=cursor, definitions=build_defs())
            )

        assert not look(None).run_requests
        assert run_job(instance, feeds="local_us").status is dg.DagsterRunStatus.SUCCESS
        asked = look(None)
        assert len(asked.run_requests) == 1
        assert not look(asked.cursor).run_requests

        run = run_job(instance, "report")
        assert run.status is dg.DagsterRunStatus.SUCCESS
        assert materialised(instance, run) == {"lake/report": [None]}
        told = metadata(instance, "lake/report")
        page = Path(told["path"]).read_text()
        assert page.startswith("<!doctype html>")
        assert len(page.encode()) == told["bytes"]
        assert Path(told["latest"]).read_text() == page
    assert build_defs().resolve_asset_graph().get(dg.AssetKey(["lake", "report"])).group_name == "published"
