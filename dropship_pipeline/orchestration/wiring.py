"""Where everything is wired: `build_defs()` serves the code server, the command line and the tests."""

import dagster as dg

from dropship_pipeline.orchestration.abandoned import watched
from dropship_pipeline.orchestration.alerts import alert_sensor
from dropship_pipeline.orchestration.assets import ASSETS
from dropship_pipeline.orchestration.by_hand import BY_HAND
from dropship_pipeline.orchestration.checks import BLOCKING_CHECKS, NO_FAILED_PARTITIONS, WARNING_CHECKS
from dropship_pipeline.orchestration.jobs import JOBS
from dropship_pipeline.orchestration.marts import marts_step
from dropship_pipeline.orchestration.orders import (
    order_status_sensor,
    orders_reconciliation,
    orders_refresh,
    reconcile_orders,
)
from dropship_pipeline.orchestration.placing import place_order
from dropship_pipeline.orchestration.report import report_job, report_sensor, report_step
from dropship_pipeline.orchestration.resources import SyncOptions, desk_resource, session_resource, store_resource
from dropship_pipeline.orchestration.schedules import schedules
from dropship_pipeline.orchestration.upkeep import MAINTENANCE_JOB, TOKEN_REFRESH_JOB
from dropship_pipeline.orchestration.webhooks import webhook_sensor
from dropship_pipeline.settings import Executor, load_settings

# a process forked from one that has imported everything starts in half the time of one that imports by itself
_FORKED = dg.multiprocess_executor.configured(
    {"start_method": {"forkserver": {"preload_modules": ["dropship_pipeline.definitions"]}}}, name="multiprocess"
)
_EXECUTORS = {Executor.IN_PROCESS: watched(dg.in_process_executor), Executor.MULTIPROCESS: watched(_FORKED)}


def build_defs(*, executor: Executor | None = None, **overrides: object) -> dg.Definitions:
    """The definitions, with resources replaced by those of `overrides` (`session=…`, `options=…`).

    `executor`: how steps run, instead of DROPSHIP_EXECUTOR.
    """
    settings = load_settings()
    return dg.Definitions(
        assets=[*ASSETS, marts_step, report_step, reconcile_orders],
        asset_checks=[*BLOCKING_CHECKS, *WARNING_CHECKS, NO_FAILED_PARTITIONS],
        jobs=[
            *JOBS,
            report_job,
            *BY_HAND,
            orders_reconciliation,
            orders_refresh,
            place_order,
            MAINTENANCE_JOB,
            TOKEN_REFRESH_JOB,
        ],
        schedules=schedules(settings),
        sensors=[
            order_status_sensor(settings),
            webhook_sensor(settings),
            report_sensor(settings),
            alert_sensor(settings),
        ],
        resources={
            "session": session_resource,
            "desk": desk_resource,
            "store": store_resource,
            "options": SyncOptions.configure_at_launch(),
            **overrides,
        },
        executor=_EXECUTORS[executor or settings.executor],
    )
