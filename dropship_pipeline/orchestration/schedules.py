"""When things run by themselves. Times are UTC; each cron is a setting, and each schedule can be switched in the UI.

A tick that comes while what it would start, or something that does the same and more, still goes or waits starts
nothing and says so: runs never pile up.
"""

from collections.abc import Callable, Collection

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition  # no public name

from dropship_pipeline.orchestration.jobs import REFRESH, SYNC, catalogue_sync, daily_audit, price_and_stock_refresh
from dropship_pipeline.orchestration.orders import lately, orders_reconciliation
from dropship_pipeline.orchestration.partitions import ALL_FEEDS, range_tags
from dropship_pipeline.orchestration.tags import TRIGGER
from dropship_pipeline.orchestration.upkeep import MAINTENANCE_JOB, TOKEN_REFRESH_JOB
from dropship_pipeline.problem import Problem
from dropship_pipeline.settings import Settings

_UNENDED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]

SCHEDULED = {TRIGGER: "schedule"}
_EVERY_FEED = {**SCHEDULED, **range_tags(*ALL_FEEDS)}

Job = dg.JobDefinition | UnresolvedAssetJobDefinition
Request = Callable[[dg.ScheduleEvaluationContext], dg.RunRequest]


def schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """The schedules as the settings time them. Raises `Problem` for a cron that is none."""
    return [
        schedule(
            settings,
            catalogue_sync,
            "DROPSHIP_SYNC_CRON",
            settings.sync_cron,
            lambda _: dg.RunRequest(tags=_EVERY_FEED),
            "The full sync: every feed to its end, then what is new or due.",
        ),
        schedule(
            settings,
            price_and_stock_refresh,
            "DROPSHIP_REFRESH_CRON",
            settings.refresh_cron,
            lambda _: dg.RunRequest(
                tags=_EVERY_FEED,
                run_config={"resources": {"options": {"config": {"max_age": settings.refresh_max_age}}}},
            ),
            f"Prices and stock that are older than {settings.refresh_max_age}.",
            yields_to=(SYNC, REFRESH),
        ),
        schedule(
            settings,
            orders_reconciliation,
            "DROPSHIP_ORDERS_CRON",
            settings.orders_cron,
            lambda _: dg.RunRequest(tags={**SCHEDULED, **lately()}),
            "The orders of the last seven days, compared with the list.",
        ),
        schedule(
            settings,
            daily_audit,
            "DROPSHIP_AUDIT_CRON",
            settings.audit_cron,
            lambda _: dg.RunRequest(tags=SCHEDULED),
            "Whether a partition of any asset is left failed.",
        ),
        schedule(
            settings,
            TOKEN_REFRESH_JOB,
            "DROPSHIP_TOKENS_CRON",
            settings.tokens_cron,
            lambda _: dg.RunRequest(tags=SCHEDULED),
            "Tokens that expire within the day are renewed; accounts that a person has to authorise again are named.",
        ),
        schedule(
            settings,
            MAINTENANCE_JOB,
            "DROPSHIP_MAINTENANCE_CRON",
            settings.maintenance_cron,
            lambda _: dg.RunRequest(tags=SCHEDULED),
            "Old events, runs, raw answers and snapshots go; tables that changed are vacuumed.",
        ),
    ]


def schedule(
    settings: Settings,
    job: Job,
    variable: str,
    cron: str,
    request: Request,
    description: str,
    *,
    yields_to: Collection[str] = (),
) -> dg.ScheduleDefinition:
    """A schedule of this job at `cron` (UTC), which the variable says; `yields_to`: jobs that make it superfluous."""
    others = tuple(yields_to) or (job.name,)

    def tick(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        going = _going(context.instance, others)
        if going is not None:
            return dg.SkipReason(
                f"Run {going.run_id[:8]} of {going.job_name} is not over: {going.status.value.lower()}"
            )
        return request(context)

    try:
        return dg.ScheduleDefinition(
            name=f"{job.name}_schedule",
            job=job,
            cron_schedule=cron,
            execution_timezone="UTC",
            execution_fn=tick,
            description=description,
            default_status=dg.DefaultScheduleStatus.RUNNING if settings.schedules else dg.DefaultScheduleStatus.STOPPED,
        )
    except dg.DagsterInvalidDefinitionError as error:
        raise Problem(f"{variable} is {cron!r}, which is no cron", "Write five fields, such as 15 3 * * *") from error


def _going(instance: dg.DagsterInstance, jobs: Collection[str]) -> dg.DagsterRun | None:
    """A run of one of these jobs that has not ended, if there is one."""
    for job in jobs:
        found = instance.get_runs(filters=dg.RunsFilter(job_name=job, statuses=_UNENDED), limit=1)
        if found:
            return found[0]
    return None
