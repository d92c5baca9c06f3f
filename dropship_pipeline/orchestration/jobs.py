"""Jobs: the whole catalogue by feed, and a handful of products by ID."""

from typing import Any

import dagster as dg
from pydantic import Field

from dropship_pipeline.orchestration.assets import ASSETS, snapshot_metadata
from dropship_pipeline.orchestration.resources import RunSession, SyncOptions
from dropship_pipeline.orchestration.schema import SNAPSHOT
from dropship_pipeline.orchestration.stages import stage
from dropship_pipeline.problem import Problem
from dropship_pipeline.sync.describe import describe
from dropship_pipeline.sync.publish import publish
from dropship_pipeline.sync.quote import quote
from dropship_pipeline.sync.stock import take_stock

USES_API = {"dropship/uses_api": "catalogue"}
"""Of the runs with this tag, one goes at a time: see `dagster_home/dagster.yaml`."""

catalogue_sync = dg.define_asset_job(
    "catalogue_sync",
    selection=dg.AssetSelection.assets(*ASSETS),
    tags=USES_API,
    description="Discover, describe, take stock, quote, publish.",
)


class Products(dg.Config):
    """Which products to refresh now, whatever their age."""

    product_ids: list[str] = Field(description="Alibaba.com product IDs.")


@dg.op
def refresh(
    context: dg.OpExecutionContext, config: Products, session: dg.ResourceParam[RunSession], options: SyncOptions
) -> None:
    """Describe these products, read their stock, quote their freight, publish."""
    with stage(context, session) as opened:
        if not config.product_ids:  # to the stages, no product in particular is all of them
            raise Problem("No product is named", "Give product_ids in the run's config")
        request = options.request(product_ids=tuple(config.product_ids))
        describe(opened, request)
        take_stock(opened, request)
        quote(opened, request)
        published = publish(opened)
    context.log_event(dg.AssetMaterialization(SNAPSHOT, metadata=snapshot_metadata(published)))
    if opened.summary.problems:
        raise dg.Failure(description="; ".join(opened.summary.problems), allow_retries=False)


@dg.job(tags=USES_API)
def refresh_products() -> None:
    """Refresh the products that a person or a push message named."""
    refresh()


JOBS: list[Any] = [catalogue_sync, refresh_products]
