"""Jobs: the whole catalogue by feed, and a handful of products by ID."""

from typing import Any

import dagster as dg

from dropship_pipeline.orchestration.assets import ASSETS
from dropship_pipeline.orchestration.resources import SyncOptions
from dropship_pipeline.orchestration.stages import stage
from dropship_pipeline.sync.describe import describe
from dropship_pipeline.sync.publish import publish
from dropship_pipeline.sync.quote import quote
from dropship_pipeline.sync.session import Session
from dropship_pipeline.sync.stock import take_stock

USES_API = {"dropship/uses_api": "catalogue"}

catalogue_sync = dg.define_asset_job(
    "catalogue_sync",
    selection=dg.AssetSelection.assets(*ASSETS),
    tags=USES_API,
    description="Discover, describe, take stock, quote, publish.",
)


class Products(dg.Config):
    """Which products to refresh now, whatever their age."""

    product_ids: list[str]


@dg.op
def refresh(config: Products, session: dg.ResourceParam[Session], options: SyncOptions) -> None:
    """Describe these products, read their stock, quote their freight, publish."""
    with stage(session):
        request = options.request(product_ids=tuple(config.product_ids))
        describe(session, request)
        take_stock(session, request)
        quote(session, request)
        publish(session)
    if session.summary.problems:
        raise dg.Failure(description="; ".join(session.summary.problems), allow_retries=False)


@dg.job(tags=USES_API)
def refresh_products() -> None:
    """Refresh the products that a person or a push message named."""
    refresh()


JOBS: list[Any] = [catalogue_sync, refresh_products]
