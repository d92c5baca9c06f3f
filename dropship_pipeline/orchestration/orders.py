"""Orders as assets, by the day on which they were placed; the job that reads some; the sensor that finds which changed.

A day is a day of UTC. The sensor keeps the tables close to the truth, reconciling makes them true: it compares whole
days with the list and finds what the sensor missed. Backfill any days in the UI.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
from pydantic import Field

from dropship_pipeline.counting import counted
from dropship_pipeline.orchestration.instance import ORDERS_POOL
from dropship_pipeline.orchestration.partitions import ONE_RUN, range_tags
from dropship_pipeline.orchestration.recording import Figures, Record, record
from dropship_pipeline.orchestration.resources import RunDesk
from dropship_pipeline.orchestration.schema import ALIBABA, asset_key, table_spec
from dropship_pipeline.orchestration.stages import work
from dropship_pipeline.orchestration.tags import TRIGGER
from dropship_pipeline.settings import Settings, load_settings
from dropship_pipeline.sync.orders.accounts import NobodyAuthorised, follow_all, reconcile_all, refresh_all
from dropship_pipeline.sync.orders.outcomes import OrdersOutcome
from dropship_pipeline.sync.place import find_announced
from dropship_pipeline.sync.progress import Logged
from dropship_pipeline.sync.session import open_desk
from dropship_pipeline.tables import orders as tables

RECONCILIATION, REFRESH = "orders_reconciliation", "orders_refresh"

_LOOKS_FOR = 40.0  # seconds: a tick of a sensor has 60
_LOOKS_EVERY = 60
_LOOKS_BACK = 7  # days that are reconciled each day, up to yesterday

_ORDERS = asset_key(tables.ORDERS)
_MADE = {
    tables.ORDERS: (),
    tables.ORDER_LINES: (tables.ORDERS,),
    tables.ORDER_STATUS_CHANGES: (tables.ORDERS,),
    tables.SHIPMENTS: (tables.ORDERS,),
    tables.TRACKING_EVENTS: (tables.SHIPMENTS,),
    tables.PAYMENTS: (tables.ORDERS,),
    tables.RECIPIENTS: (tables.ORDERS,),
}
DAYS = dg.DailyPartitionsDefinition(start_date=load_settings().orders_since.isoformat(), end_offset=1, timezone="UTC")

RECONCILED = dg.AssetCheckSpec(
    "orders_reconciled",
    asset=_ORDERS,
    description="The orders of these days are those that Alibaba.com lists, and each could be read.",
)


@dg.multi_asset(
    name="reconcile_orders",
    specs=[
        table_spec(table, [asset_key(source) for source in sources] or [ALIBABA], "orders")
        for table, sources in _MADE.items()
    ],
    check_specs=[RECONCILED],
    partitions_def=DAYS,
    backfill_policy=ONE_RUN,
    pool=ORDERS_POOL,
)
def reconcile_orders(context: dg.AssetExecutionContext, desk: dg.ResourceParam[RunDesk]) -> Iterator[Any]:
    """Compare each account's orders of these days with its list, and read what is missing or differs."""
    with work(desk) as opened:
        outcome = reconcile_all(opened, [date.fromisoformat(key) for key in context.partition_keys])
    if not outcome.days:
        raise dg.Failure(description="; ".join(outcome.to_authorise), allow_retries=False)
    by_day = _by_day(outcome)
    figures = {f"run/{name}": figure for name, figure in _figures(outcome).items()}
    elsewhere = {"figures": dg.MetadataValue.asset(_ORDERS)}
    records = [
        Record(key, figures, by_day) if key == _ORDERS else Record(key, elsewhere)
        for key in (asset_key(table) for table in _MADE)
    ]
    unfinished = by_day if outcome.failed else [day.day.isoformat() for day in outcome.days if day.reason]
    yield from record(context, records, unfinished)
    yield dg.AssetCheckResult(
        asset_key=_ORDERS,
        check_name=RECONCILED.name,
        passed=not outcome.problems and not outcome.closed,
        # people are told of an account that is to be authorised by its state, once
        severity=dg.AssetCheckSeverity.ERROR if outcome.problems else dg.AssetCheckSeverity.WARN,
        description="; ".join([*outcome.problems, *outcome.to_authorise]) or RECONCILED.description,
        metadata=_figures(outcome),
    )
    if outcome.problems:
        raise dg.Failure(description="; ".join(outcome.problems), allow_retries=False)


class Orders(dg.Config):
    """Which orders to read now."""

    trade_ids: list[str] = Field(description="IDs of orders, as Alibaba.com shows them.")


@dg.op(pool=ORDERS_POOL)
def read_orders(context: dg.OpExecutionContext, config: Orders, desk: dg.ResourceParam[RunDesk]) -> None:
    """Read these orders with their parcels, tracking and payments, each with the tokens of its account.

    Those of an account that has to be authorised again wait for that; what changes meanwhile is found when it is.
    """
    with work(desk) as opened:
        outcome = refresh_all(opened, config.trade_ids)
    for line in outcome.to_authorise:
        context.log.warning(line)
    context.add_output_metadata(_figures(outcome))
    if outcome.problems:
        raise dg.Failure(description="; ".join(outcome.problems), allow_retries=False)


@dg.job(name=REFRESH)
def orders_refresh() -> None:
    """Read the orders that the sensor, a push message or a person named."""
    read_orders()


orders_reconciliation = dg.define_asset_job(
    RECONCILIATION,
    selection=dg.AssetSelection.assets(reconcile_orders),
    description="Compare the orders of whole days with the list, and find what the sensor missed; check the tables.",
)


def lately() -> dict[str, str]:
    """The tags of a run over the days that are reconciled daily: the last seven, up to yesterday."""
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    first = max(yesterday - timedelta(days=_LOOKS_BACK - 1), load_settings().orders_since)
    return range_tags(first.isoformat(), yesterday.isoformat())


def order_status_sensor(settings: Settings) -> dg.SensorDefinition:
    """The sensor, running from the start where the settings say that schedules and sensors do."""

    @dg.sensor(
        name="order_status_sensor",
        job_name=REFRESH,
        minimum_interval_seconds=_LOOKS_EVERY,
        default_status=dg.DefaultSensorStatus.RUNNING if settings.schedules else dg.DefaultSensorStatus.STOPPED,
        description="Looks for orders of every account that changed, by the time of their last change, and has them "
        "read: one run for all that one look found. It goes on from where it stopped, with an overlap.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        began = time.monotonic()
        now = load_settings()
        if not now.has_credentials and find_announced(now.absolute_home) is None:
            return dg.SkipReason("No app is named and no simulated Alibaba.com runs: start one with dropship up")
        try:
            with open_desk(now, "order_status_sensor", Logged(context.log)) as desk:
                seen = follow_all(desk, context.cursor, seconds=_LOOKS_FOR - (time.monotonic() - began))
        except NobodyAuthorised as nobody:
            return dg.SkipReason(str(nobody))
        context.update_cursor(seen.cursor)
        if not seen.complete:
            context.log.warning("The order list %s; the next look begins where this one did", seen.reason)
        if not seen.changed:
            nothing = f"Of {counted(seen.listed, 'order')} that changed lately none is to be read"
            return dg.SkipReason("; ".join([nothing, *seen.to_authorise]))
        return dg.RunRequest(
            run_config={"ops": {"read_orders": {"config": {"trade_ids": list(seen.changed)}}}},
            tags={TRIGGER: "sensor", "dropship/orders": str(len(seen.changed))},
        )

    return sensor


def _by_day(outcome: OrdersOutcome) -> dict[str, Figures]:
    """The numbers of each day, over all accounts."""
    by_day: dict[str, Counter[str]] = defaultdict(Counter)
    for day in outcome.days:
        by_day[day.day.isoformat()].update(
            {
                "dagster/partition_row_count": day.listed,
                "missing": day.missing,
                "differing": day.differing,
                "unlisted": day.unlisted,
            }
        )
    return {key: dict(figures) for key, figures in by_day.items()}


def _figures(outcome: OrdersOutcome) -> dict[str, float]:
    """The numbers of reading orders: each becomes a chart."""
    return {
        "asked": outcome.asked,
        **asdict(outcome.counts),
        "refused": outcome.refused,
        "rejected": outcome.rejected,
        "undone": outcome.undone,
        "waiting": outcome.waiting,
        "unknown_statuses": sum(outcome.unknown_statuses.values()),
        "calls": outcome.calls.calls,
        "throttles": outcome.calls.throttles,
        "retries": outcome.calls.retries,
        "seconds": round(outcome.seconds, 3),
    }
