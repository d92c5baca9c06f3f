"""Ticks of sensors in this process, and the runs that they ask for."""

from collections.abc import Sequence
from functools import cache

import dagster as dg
from dagster._core.definitions.sensor_definition import SensorExecutionData  # no public name

from dropship_pipeline.orchestration.wiring import build_defs


@cache
def _definitions() -> dg.Definitions:
    return build_defs()


def tick(instance: dg.DagsterInstance, sensor_name: str, cursor: str | None = None) -> SensorExecutionData:
    """One tick of a sensor, evaluated as the daemon does."""
    sensor = _definitions().get_repository_def().get_sensor_def(sensor_name)
    with dg.build_sensor_context(instance=instance, cursor=cursor, sensor_name=sensor_name) as context:
        return sensor.evaluate_tick(context)


def run_asked(instance: dg.DagsterInstance, asked: Sequence[dg.RunRequest]) -> list[dg.DagsterRun]:
    """The runs that a tick asked for, one after the other, in this process."""
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    return [
        _definitions()
        .resolve_job_def(request.job_name or "orders_refresh")
        .execute_in_process(
            instance=instance, run_config={**request.run_config, **quiet}, tags=request.tags, raise_on_error=False
        )
        .dagster_run
        for request in asked
    ]
