"""Jobs that the schedules start: all of the catalogue by feed, prices and stock alone."""

from typing import Any

import dagster as dg

from dropship_pipeline.orchestration.assets import STEPS, describe_step, publish_step, stock_step
from dropship_pipeline.orchestration.checks import NO_FAILED_PARTITIONS
from dropship_pipeline.orchestration.marts import marts_step

SYNC, REFRESH, AUDIT = "catalogue_sync", "price_and_stock_refresh", "daily_audit"

CATALOGUE = {"dropship/uses_api": "catalogue"}
"""Of the runs with this tag one goes at a time, those of the command line included: see `dagster_home/dagster.yaml`."""

_AT_THE_END_OF_THE_DAY = dg.AssetSelection.checks(NO_FAILED_PARTITIONS)

catalogue_sync = dg.define_asset_job(
    SYNC,
    selection=dg.AssetSelection.assets(*STEPS, marts_step) - _AT_THE_END_OF_THE_DAY,
    tags=CATALOGUE,
    description="Discover, describe, take stock, quote, check, publish: what is new or due, feed by feed.",
)

price_and_stock_refresh = dg.define_asset_job(
    REFRESH,
    selection=dg.AssetSelection.assets(describe_step, stock_step, publish_step) - _AT_THE_END_OF_THE_DAY,
    tags=CATALOGUE,
    description="Prices and stock of the products that are listed already, then publish: no feed is paged.",
)

daily_audit = dg.define_asset_job(
    AUDIT,
    selection=_AT_THE_END_OF_THE_DAY,
    description="Whether a partition of any asset is left failed.",
)

JOBS: list[Any] = [catalogue_sync, price_and_stock_refresh, daily_audit]
