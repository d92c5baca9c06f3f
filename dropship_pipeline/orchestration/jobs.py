"""Jobs of the catalogue: all of it by feed, prices and stock alone, and what a person asks for by hand."""

from enum import Enum
from typing import Any

import dagster as dg
from pydantic import Field

from dropship_pipeline.catalog.feeds import FEEDS
from dropship_pipeline.catalog.freshness import parse_age
from dropship_pipeline.orchestration.assets import (
    STEPS,
    describe_step,
    publish_step,
    snapshot_metadata,
    stock_step,
)
from dropship_pipeline.orchestration.instance import POOL
from dropship_pipeline.orchestration.resources import RunSession
from dropship_pipeline.orchestration.schema import SNAPSHOT
from dropship_pipeline.orchestration.stages import stage
from dropship_pipeline.problem import Problem
from dropship_pipeline.sync.describe import describe
from dropship_pipeline.sync.discover import discover
from dropship_pipeline.sync.publish import publish
from dropship_pipeline.sync.quote import quote
from dropship_pipeline.sync.request import SyncRequest
from dropship_pipeline.sync.stock import take_stock

SYNC, REFRESH, BY_HAND = "catalogue_sync", "price_and_stock_refresh", "manual_refresh"

CATALOGUE = {"dropship/uses_api": "catalogue"}
"""Of the runs with this tag one goes at a time, those of the command line included: see `dagster_home/dagster.yaml`."""

catalogue_sync = dg.define_asset_job(
    SYNC,
    selection=dg.AssetSelection.assets(*STEPS),
    tags=CATALOGUE,
    description="Discover, describe, take stock, quote, check, publish: what is new or due, feed by feed.",
)

price_and_stock_refresh = dg.define_asset_job(
    REFRESH,
    selection=dg.AssetSelection.assets(describe_step, stock_step, publish_step),
    tags=CATALOGUE,
    description="Prices and stock of the products that are listed already, then publish: no feed is paged.",
)

FeedKey = Enum("FeedKey", {feed.key: feed.key for feed in FEEDS})  # type: ignore[misc]  # one definition of the feeds


class ManualRefresh(dg.Config):
    """What to refresh now: feeds, or products, or both."""

    feeds: list[FeedKey] = Field(
        default=[], description="Feeds to page to their ends, and the products that they list."
    )
    product_ids: list[str] = Field(default=[], description="Alibaba.com product IDs, refreshed whatever their age.")
    max_age: str | None = Field(
        None, description="Refresh what is older than this: 24h, 90m, 7d. Unset: each kind's own age."
    )
    limit: int | None = Field(None, description="Refresh at most so many products of each kind.")
    force: bool = Field(default=False, description="Refresh whatever its age.")
    let_through: bool = Field(
        default=False,
        description="End memberships although the sweep would end more than a fifth of the feed: "
        "for a held feed whose products really are gone.",
    )

    def requests(self) -> list[SyncRequest]:
        """One request for the feeds, one for the products. Raises `Problem` for what cannot be asked."""
        age = None if self.max_age is None else parse_age(self.max_age)
        asked = [((*(feed.value for feed in self.feeds),), ()), ((), tuple(self.product_ids))]
        requests = [
            SyncRequest(feeds, product_ids, age, self.limit, self.force, self.let_through)
            for feeds, product_ids in asked
            if feeds or product_ids
        ]
        if not requests:  # to the stages, nothing in particular is all of it
            raise Problem("Nothing is named to be refreshed", "Give feeds or product_ids in the run's config")
        return requests


@dg.op(pool=POOL)
def refresh(context: dg.OpExecutionContext, config: ManualRefresh, session: dg.ResourceParam[RunSession]) -> None:
    """Read what is named, whatever the schedules do, and publish."""
    with stage(context, session) as opened:
        for request in config.requests():
            if request.feeds:
                discover(opened, request)
            describe(opened, request)
            take_stock(opened, request)
            quote(opened, request)
        published = publish(opened)
    context.log_event(dg.AssetMaterialization(SNAPSHOT, metadata=snapshot_metadata(published)))
    if opened.summary.problems:
        raise dg.Failure(description="; ".join(opened.summary.problems), allow_retries=False)


@dg.job(name=BY_HAND, tags=CATALOGUE)
def manual_refresh() -> None:
    """Refresh the feeds or the products that a person or a push message named."""
    refresh()


JOBS: list[Any] = [catalogue_sync, price_and_stock_refresh, manual_refresh]
