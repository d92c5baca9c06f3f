"""The catalogue as assets: one fat step a stage, partitioned by feed. The work is in `sync`; keep logic out of here.

A feed that could not be completed, or is held, does not stop the stages after it: everything else is done and kept, the
check on `feed_products` fails, and the last step fails the run with one line a problem.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from dropship_pipeline import __version__
from dropship_pipeline.orchestration.partitions import FEED_PARTITIONS, ONE_RUN
from dropship_pipeline.orchestration.resources import SyncOptions
from dropship_pipeline.orchestration.schema import asset_key, table_spec
from dropship_pipeline.orchestration.stages import stage, stage_metadata
from dropship_pipeline.sync.describe import describe
from dropship_pipeline.sync.discover import discover
from dropship_pipeline.sync.publish import publish
from dropship_pipeline.sync.quote import quote
from dropship_pipeline.sync.session import Session
from dropship_pipeline.sync.stock import take_stock
from dropship_pipeline.sync.summary import FeedState, StageOutcome
from dropship_pipeline.tables import catalog as tables
from dropship_pipeline.tables.model import Table

_LISTING = asset_key(tables.FEED_PRODUCTS)
_PRODUCTS = asset_key(tables.PRODUCTS)
_STOCK = asset_key(tables.INVENTORY_LEVELS)

DISCOVERED = (tables.FEED_PRODUCTS, tables.LISTING_CHANGES)
DESCRIBED = (
    tables.PRODUCTS,
    tables.PRODUCT_DESCRIPTIONS,
    tables.PRODUCT_IMAGES,
    tables.DELIVERY_PERIODS,
    tables.SKUS,
    tables.SKU_ATTRIBUTES,
    tables.PRICE_TIERS,
    tables.PRICE_CHANGES,
)
STOCKED = (tables.INVENTORY_LEVELS, tables.INVENTORY_CHANGES)
QUOTED = (tables.FREIGHT_QUOTES, tables.FREIGHT_FAILURES)
SNAPSHOT = dg.AssetKey(["lake", "snapshot"])

_SWEEPS_COMPLETE = dg.AssetCheckSpec(
    "sweeps_complete", asset=_LISTING, description="Every feed was read to its end, and no delisting is held."
)


def _specs(made: tuple[Table, ...], deps: list[dg.AssetKey], group: str) -> list[dg.AssetSpec]:
    return [table_spec(table, deps, group) for table in made]


def _results(made: tuple[Table, ...], outcome: StageOutcome) -> Iterator[dg.MaterializeResult[Any]]:
    for table in made:
        yield dg.MaterializeResult(asset_key=asset_key(table), metadata=stage_metadata(outcome))


@dg.multi_asset(
    name="discover",
    specs=_specs(DISCOVERED, [], "discovery"),
    check_specs=[_SWEEPS_COMPLETE],
    partitions_def=FEED_PARTITIONS,
    backfill_policy=ONE_RUN,
    code_version=__version__,
)
def discover_step(
    context: dg.AssetExecutionContext, session: dg.ResourceParam[Session], options: SyncOptions
) -> Iterator[Any]:
    """Page each feed to its end; begin, end and hold memberships."""
    with stage(session):
        outcomes = discover(session, options.request(tuple(context.partition_keys)))
    for outcome in outcomes:
        for table in DISCOVERED:
            context.add_asset_metadata(
                {
                    "listed": outcome.listed,
                    "new": outcome.new,
                    "missing": outcome.missing,
                    "delisted": outcome.delisted,
                    "pages": outcome.pages,
                    "sweeps": outcome.sweeps,
                    "state": outcome.state.value,
                },
                asset_key=asset_key(table),
                partition_key=outcome.feed,
            )
    for table in DISCOVERED:
        yield dg.MaterializeResult(asset_key=asset_key(table))
    unfinished = [
        f"{outcome.feed}: {outcome.reason}" for outcome in outcomes if outcome.state is not FeedState.COMPLETE
    ]
    yield dg.AssetCheckResult(
        asset_key=_LISTING,
        check_name=_SWEEPS_COMPLETE.name,
        passed=not unfinished,
        severity=dg.AssetCheckSeverity.ERROR,
        description="; ".join(unfinished) or "Every feed was read to its end",
        metadata={"unfinished": len(unfinished)},
    )


@dg.multi_asset(
    name="describe",
    specs=_specs(DESCRIBED, [_LISTING], "products"),
    partitions_def=FEED_PARTITIONS,
    backfill_policy=ONE_RUN,
    code_version=__version__,
)
def describe_step(
    context: dg.AssetExecutionContext, session: dg.ResourceParam[Session], options: SyncOptions
) -> Iterator[Any]:
    """Describe the products of these feeds that are new or due, each once however many feeds have it."""
    with stage(session):
        outcome = describe(session, options.request(tuple(context.partition_keys)))
    yield from _results(DESCRIBED, outcome)


@dg.multi_asset(
    name="take_stock",
    specs=_specs(STOCKED, [_LISTING], "products"),
    partitions_def=FEED_PARTITIONS,
    backfill_policy=ONE_RUN,
    code_version=__version__,
)
def stock_step(
    context: dg.AssetExecutionContext, session: dg.ResourceParam[Session], options: SyncOptions
) -> Iterator[Any]:
    """Read the stock of the products of these feeds that is unknown or due."""
    with stage(session):
        outcome = take_stock(session, options.request(tuple(context.partition_keys)))
    yield from _results(STOCKED, outcome)


@dg.multi_asset(
    name="quote",
    specs=_specs(QUOTED, [_PRODUCTS, _STOCK], "freight"),
    partitions_def=FEED_PARTITIONS,
    backfill_policy=ONE_RUN,
    code_version=__version__,
)
def quote_step(
    context: dg.AssetExecutionContext, session: dg.ResourceParam[Session], options: SyncOptions
) -> Iterator[Any]:
    """Estimate freight to every destination, falling back from one dispatch location to the next."""
    with stage(session):
        outcome = quote(session, options.request(tuple(context.partition_keys)))
    yield from _results(QUOTED, outcome)


@dg.asset(
    key=SNAPSHOT,
    deps=[asset_key(table) for table in tables.CATALOG_TABLES],
    group_name="published",
    kinds={"parquet"},
    code_version=__version__,
)
def snapshot(session: dg.ResourceParam[Session]) -> Iterator[Any]:
    """All public tables as Parquet, from one transaction; `latest` moves to it in one atomic step."""
    with stage(session):
        published = publish(session)
    yield dg.MaterializeResult(
        metadata={
            "path": dg.MetadataValue.path(published.path),
            "dagster/row_count": sum(published.row_counts.values()),
            **{f"rows_{name.replace('.', '_')}": count for name, count in published.row_counts.items()},
        }
    )
    problems = session.summary.problems
    if problems:
        # last, so that everything else is done and kept: the run shows red, and says what is left
        raise dg.Failure(description="; ".join(problems), allow_retries=False)


ASSETS = [discover_step, describe_step, stock_step, quote_step, snapshot]
