"""The catalogue as assets: one fat step a stage, partitioned by feed. The work is in `sync`; keep logic out of here.

A feed that could not be completed, or is held, does not stop the stages after it: everything else is done and kept, the
check on `feed_products` fails, and the last step fails the run with one line a problem (ADR 0003).
"""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from dropship_pipeline import __version__
from dropship_pipeline.orchestration.partitions import FEED_PARTITIONS, ONE_RUN
from dropship_pipeline.orchestration.resources import RunSession, SyncOptions
from dropship_pipeline.orchestration.schema import SNAPSHOT, asset_key, table_spec
from dropship_pipeline.orchestration.stages import check_of, left_undone, stage, stage_metadata
from dropship_pipeline.storage.snapshots import Snapshot
from dropship_pipeline.storage.syncs import feed_counts
from dropship_pipeline.sync.describe import describe
from dropship_pipeline.sync.discover import discover
from dropship_pipeline.sync.publish import publish
from dropship_pipeline.sync.quote import quote
from dropship_pipeline.sync.stock import take_stock
from dropship_pipeline.sync.summary import FeedOutcome, StageOutcome, SyncSummary
from dropship_pipeline.tables import catalog as tables
from dropship_pipeline.tables.model import Table

# The tables that each stage writes. The first is what the stage is about: its asset has the stage's figures.
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

_LISTING = asset_key(tables.FEED_PRODUCTS)
_PRODUCTS = asset_key(tables.PRODUCTS)
_STOCK = asset_key(tables.INVENTORY_LEVELS)
_QUOTES = asset_key(tables.FREIGHT_QUOTES)


def _check(name: str, asset: dg.AssetKey, description: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(name, asset=asset, description=description)


SWEEPS_COMPLETE = _check("sweeps_complete", _LISTING, "Every feed was read to its end, and no delisting is held.")
ALL_DESCRIBED = _check("all_described", _PRODUCTS, "Every product that was due could be described.")
ALL_STOCK_READ = _check("all_stock_read", _STOCK, "The stock of every product that was due could be read.")
ALL_QUOTED = _check("all_quoted", _QUOTES, "Every freight quote that was due got an answer.")


def _specs(made: tuple[Table, ...], deps: Sequence[dg.AssetKey], group: str) -> list[dg.AssetSpec]:
    return [table_spec(table, deps, group) for table in made]


def _results(made: tuple[Table, ...], outcome: StageOutcome, check: dg.AssetCheckSpec) -> Iterator[Any]:
    figures = stage_metadata(outcome)
    first, *others = (asset_key(table) for table in made)
    # a stage reads a product once however many feeds have it: its figures are those of the run, not of one feed
    yield dg.MaterializeResult(asset_key=first, metadata={f"run/{name}": figure for name, figure in figures.items()})
    for key in others:
        yield dg.MaterializeResult(asset_key=key, metadata={"figures": dg.MetadataValue.asset(first)})
    yield check_of(check, SyncSummary("", stages=[outcome]), figures)


@dg.multi_asset(
    name="discover",
    specs=_specs(DISCOVERED, [], "discovery"),
    check_specs=[SWEEPS_COMPLETE],
    partitions_def=FEED_PARTITIONS,
    backfill_policy=ONE_RUN,
    code_version=__version__,
)
def discover_step(
    context: dg.AssetExecutionContext, session: dg.ResourceParam[RunSession], options: SyncOptions
) -> Iterator[Any]:
    """Page each feed to its end; begin, end and hold memberships."""
    with stage(context, session) as opened:
        outcomes = discover(opened, options.request(tuple(context.partition_keys)))
    for outcome in outcomes:
        context.add_asset_metadata(
            {"dagster/partition_row_count": outcome.listed, **_sweep_metadata(outcome)},
            asset_key=_LISTING,
            partition_key=outcome.feed,
        )
    yield dg.MaterializeResult(asset_key=_LISTING)
    yield dg.MaterializeResult(
        asset_key=asset_key(tables.LISTING_CHANGES), metadata={"figures": dg.MetadataValue.asset(_LISTING)}
    )
    told = [
        dg.TableRecord({"feed": outcome.feed, "listed": outcome.listed, **_sweep_metadata(outcome)})
        for outcome in outcomes
    ]
    done = SyncSummary("", feeds=outcomes)
    yield check_of(SWEEPS_COMPLETE, done, {"unfinished": len(done.problems), "feeds": dg.MetadataValue.table(told)})


@dg.multi_asset(
    name="describe",
    specs=_specs(DESCRIBED, [_LISTING], "products"),
    check_specs=[ALL_DESCRIBED],
    partitions_def=FEED_PARTITIONS,
    backfill_policy=ONE_RUN,
    code_version=__version__,
)
def describe_step(
    context: dg.AssetExecutionContext, session: dg.ResourceParam[RunSession], options: SyncOptions
) -> Iterator[Any]:
    """Describe the products of these feeds that are new or due, each once however many feeds have it."""
    with stage(context, session) as opened:
        outcome = describe(opened, options.request(tuple(context.partition_keys)))
        counts = feed_counts(opened.database, opened.started_at, context.partition_keys)
    for feed in counts:
        context.add_asset_metadata(
            {"dagster/partition_row_count": feed.listed, "changed": feed.changed, "rejected": feed.rejected},
            asset_key=_PRODUCTS,
            partition_key=feed.feed,
        )
    yield from _results(DESCRIBED, outcome, ALL_DESCRIBED)


@dg.multi_asset(
    name="take_stock",
    specs=_specs(STOCKED, [_LISTING], "inventory"),
    check_specs=[ALL_STOCK_READ],
    partitions_def=FEED_PARTITIONS,
    backfill_policy=ONE_RUN,
    code_version=__version__,
)
def stock_step(
    context: dg.AssetExecutionContext, session: dg.ResourceParam[RunSession], options: SyncOptions
) -> Iterator[Any]:
    """Read the stock of the products of these feeds that is unknown or due."""
    with stage(context, session) as opened:
        outcome = take_stock(opened, options.request(tuple(context.partition_keys)))
    yield from _results(STOCKED, outcome, ALL_STOCK_READ)


@dg.multi_asset(
    name="quote",
    specs=_specs(QUOTED, [_PRODUCTS, _STOCK], "freight"),
    check_specs=[ALL_QUOTED],
    partitions_def=FEED_PARTITIONS,
    backfill_policy=ONE_RUN,
    code_version=__version__,
)
def quote_step(
    context: dg.AssetExecutionContext, session: dg.ResourceParam[RunSession], options: SyncOptions
) -> Iterator[Any]:
    """Estimate freight to every destination, falling back from one dispatch location to the next."""
    with stage(context, session) as opened:
        outcome = quote(opened, options.request(tuple(context.partition_keys)))
    yield from _results(QUOTED, outcome, ALL_QUOTED)


@dg.multi_asset(
    name="publish",
    specs=[
        dg.AssetSpec(
            SNAPSHOT,
            deps=[asset_key(table) for table in tables.CATALOG_TABLES],
            description="All public tables as Parquet, from one transaction; `latest` moves to it in one atomic step.",
            group_name="published",
            kinds={"parquet"},
            code_version=__version__,
        )
    ],
)
def publish_step(context: dg.AssetExecutionContext, session: dg.ResourceParam[RunSession]) -> Iterator[Any]:
    """Write the snapshot; then, with everything done and kept, fail the run if a check says that something is left."""
    with stage(context, session) as opened:
        published = publish(opened)
    yield dg.MaterializeResult(asset_key=SNAPSHOT, metadata=snapshot_metadata(published))
    undone = left_undone(context.instance, context.run)
    if undone:
        if not opened.summary.problems:
            opened.failed("; ".join(undone))
        raise dg.Failure(description="; ".join(undone), allow_retries=False)


def snapshot_metadata(snapshot: Snapshot) -> dict[str, dg.MetadataValue | int]:
    """Where a snapshot is, and the rows of each of its tables."""
    return {
        "path": dg.MetadataValue.path(snapshot.path),
        "dagster/row_count": sum(snapshot.row_counts.values()),
        **{f"rows/{name}": count for name, count in snapshot.row_counts.items()},
    }


def _sweep_metadata(outcome: FeedOutcome) -> dict[str, str | int]:
    return {
        "new": outcome.new,
        "missing": outcome.missing,
        "delisted": outcome.delisted,
        "pages": outcome.pages,
        "sweeps": outcome.sweeps,
        "state": outcome.state.value,
    }


ASSETS = [discover_step, describe_step, stock_step, quote_step, publish_step]
