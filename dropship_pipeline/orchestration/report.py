"""The report as an asset: made anew after each publish, in a run of its own, so that no sync waits for a page."""

import dagster as dg

from dropship_pipeline.orchestration.resources import RunStore
from dropship_pipeline.orchestration.schema import SNAPSHOT, spec
from dropship_pipeline.orchestration.stages import work
from dropship_pipeline.orchestration.tags import TRIGGER
from dropship_pipeline.report.archive import KEPT, write
from dropship_pipeline.settings import Settings

REPORT = dg.AssetKey(["lake", "report"])
"""The page that people read."""

_LOOKS_EVERY = 60  # seconds


@dg.multi_asset(
    name="write_report",
    specs=[
        spec(
            REPORT,
            [SNAPSHOT],
            "published",
            "One page of HTML on feeds, prices, freight, stock, moves, holds, orders and data quality: "
            f"the last {KEPT} are kept in the lake, and `latest.html` is the newest.",
            kinds={"html"},
        )
    ],
)
def report_step(store: dg.ResourceParam[RunStore]) -> dg.MaterializeResult[None]:
    """Read the tables at one moment, and write the page into the lake."""
    with work(store) as opened:
        written = write(opened.database, opened.lake, opened.settings)
    return dg.MaterializeResult(
        asset_key=REPORT,
        metadata={
            "path": dg.MetadataValue.path(written.path),
            "latest": dg.MetadataValue.path(written.latest),
            "bytes": written.size,
        },
    )


report_job = dg.define_asset_job(
    "report", selection=dg.AssetSelection.assets(report_step), description="Make the report of the tables as they are."
)


def report_sensor(settings: Settings) -> dg.SensorDefinition:
    """The sensor, running from the start where the settings say that schedules and sensors do."""

    @dg.asset_sensor(
        name="report_sensor",
        asset_key=SNAPSHOT,
        job=report_job,
        minimum_interval_seconds=_LOOKS_EVERY,
        default_status=dg.DefaultSensorStatus.RUNNING if settings.schedules else dg.DefaultSensorStatus.STOPPED,
        description="Has the report made when a snapshot was published: one for all that came since the last look.",
    )
    def sensor(_context: dg.SensorEvaluationContext, _published: dg.EventLogEntry) -> dg.RunRequest:
        return dg.RunRequest(tags={TRIGGER: "sensor"})

    return sensor
