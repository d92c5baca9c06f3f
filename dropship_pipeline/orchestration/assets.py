"""The catalogue as assets: one fat step a stage, partitioned by feed. The work is in `sync`; keep logic out of here.

A feed that could not be completed, or is held, does not stop the stages after it: everything else is done and kept, the
check on `feed_products` fails, that feed's partition is not recorded, and the last step fails the run with one line a
problem (ADRs 0003 and 0013).
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import dagster as dg

from dropship_pipeline.orchestration.carried import shown
from dropship_pipeline.orchestration.checks import PARQUET_EQUALS_POSTGRES, equality
from dropship_pipeline.orchestration.instance import POOL
from dropship_pipeline.orchestration.partitions import FEED_PARTITIONS, ONE_RUN
from dropship_pipeline.orchestration.pictures import every_picture
from dropship_pipeline.orchestration.previews import preview, snapshot_links
from dropship_pipeline.orchestration.recording import Figures, Record, record, record_finished
from dropship_pipeline.orchestration.resources import RunSession, SyncOptions
from dropship_pipeline.orchestration.schema import ALIBABA, SNAPSHOT, asset_key, landed_spec, spec, table_spec
from dropship_pipeline.orchestration.stages import check_of, fail_if_undone, stage, stage_metadata
from dropship_pipeline.orchestration.tags import is_of_the_terminal
from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.lake.snapshots import Snapshot
from dropship_pipeline.storage.lake.verification import Mismatch
from dropship_pipeline.storage.ops.syncs import feed_counts
from dropship_pipeline.storage.reading.sameness import fingerprints
from dropship_pipeline.sync.checks.audit import Stage, require_sound
from dropship_pipeline.sync.request import SyncRequest
from dropship_pipeline.sync.session import Session
from dropship_pipeline.sync.stages.describe import describe
from dropship_pipeline.sync.stages.discover import discover
from dropship_pipeline.sync.stages.publish import publish
from dropship_pipeline.sync.stages.quote import quote
from dropship_pipeline.sync.stages.stock import take_stock
from dropship_pipeline.sync.summary import FeedOutcome, StageOutcome, SyncSummary
from dropship_pipeline.sync.unfinished import swept, unread, unswept
from dropship_pipeline.tables import catalog as tables
from dropship_pipeline.tables.model import Table
from dropship_pipeline.tables.ops import FETCHES
from dropship_pipeline.tables.registry import PUBLISHED

_PREVIEWED = (tables.PRODUCTS, tables.PRICE_TIERS, tables.FREIGHT_QUOTES)

_LISTING = asset_key(tables.FEED_PRODUCTS)
_PRODUCTS = asset_key(tables.PRODUCTS)
_TIERS = asset_key(tables.PRICE_TIERS)
_STOCK = asset_key(tables.INVENTORY_LEVELS)


def _check(name: str, asset: dg.AssetKey, description: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(name, asset=asset, description=description)


SWEEPS_COMPLETE = _check("sweeps_complete", _LISTING, "Every feed was read to its end, and no delisting is held.")


@dataclass(frozen=True)
class _Stage:
    """A stage that reads something about each product. The first of its `tables` has the stage's figures."""

    step: str
    purpose: str
    work: Callable[[Session, SyncRequest], StageOutcome]
    kind: str
    landed: str
    reads: tuple[dg.AssetKey, ...]
    tables: Mapping[Table, tuple[Table, ...]]  # each with those of the same stage that it is made from
    group: str
    check: dg.AssetCheckSpec

    @property
    def first(self) -> dg.AssetKey:
        """The asset that the stage is about."""
        return asset_key(next(iter(self.tables)))

    @property
    def landed_key(self) -> dg.AssetKey:
        """The answers as they came."""
        return dg.AssetKey(["raw", self.kind])

    def specs(self) -> Iterator[dg.AssetSpec]:
        """The answers, then the tables that are made from them."""
        yield landed_spec(self.kind, self.landed, self.reads, self.group)
        for table, sources in self.tables.items():
            deps = [asset_key(source) for source in sources] or [self.landed_key]
            yield table_spec(table, deps, self.group)


_DESCRIBE = _Stage(
    step="describe",
    purpose="Describe the products of these feeds that are new or due, each once however many feeds have it.",
    work=describe,
    kind="description",
    landed="What the API said of each product: its texts, pictures, variants and price ladder.",
    reads=(_LISTING,),
    tables={
        tables.PRODUCTS: (),
        tables.PRODUCT_DESCRIPTIONS: (),
        tables.PRODUCT_IMAGES: (),
        tables.DELIVERY_PERIODS: (),
        tables.SKUS: (),
        tables.SKU_ATTRIBUTES: (),
        tables.PRICE_TIERS: (),
        tables.PRICE_CHANGES: (tables.PRICE_TIERS,),
    },
    group="products",
    check=_check("all_described", _PRODUCTS, "Every product that was due could be described."),
)
_TAKE_STOCK = _Stage(
    step="take_stock",
    purpose="Read the stock of the products of these feeds that is unknown or due.",
    work=take_stock,
    kind="inventory",
    landed="What the API said is in stock of each product, by origin.",
    reads=(_LISTING,),
    tables={tables.INVENTORY_LEVELS: (), tables.INVENTORY_CHANGES: (tables.INVENTORY_LEVELS,)},
    group="inventory",
    check=_check("all_stock_read", _STOCK, "The stock of every product that was due could be read."),
)
_QUOTE = _Stage(
    step="quote",
    purpose="Estimate freight to every destination, falling back from one dispatch location to the next.",
    work=quote,
    kind="freight",
    landed="Every freight quote that was asked for, refusals included.",
    reads=(_PRODUCTS, _TIERS, _STOCK),
    tables={tables.FREIGHT_QUOTES: (), tables.FREIGHT_FAILURES: ()},
    group="freight",
    check=_check("all_quoted", asset_key(tables.FREIGHT_QUOTES), "Every freight quote that was due got an answer."),
)
FAN_OUT = (_DESCRIBE, _TAKE_STOCK, _QUOTE)


@dg.multi_asset(
    name="discover",
    specs=[
        landed_spec("listing", "The pages of each feed, as the API gave them.", [ALIBABA], "discovery"),
        table_spec(tables.FEED_PRODUCTS, [dg.AssetKey(["raw", "listing"])], "discovery"),
        table_spec(tables.LISTING_CHANGES, [_LISTING], "discovery"),
    ],
    check_specs=[SWEEPS_COMPLETE],
    partitions_def=FEED_PARTITIONS,
    backfill_policy=ONE_RUN,
    pool=POOL,
)
def discover_step(
    context: dg.AssetExecutionContext, session: dg.ResourceParam[RunSession], options: SyncOptions
) -> Iterator[Any]:
    """Page each feed to its end; begin, end and hold memberships."""
    feeds = tuple(context.partition_keys)
    with stage(context, session) as opened:
        began, calls_before = time.monotonic(), opened.calls()
        try:
            outcomes = discover(opened, options.request(feeds))
        except Problem:
            record_finished(context, [Record(_LISTING)], swept(opened, feeds))
            raise
        unfinished = unswept(opened, feeds)
        calls = opened.calls() - calls_before
    figures = {
        "run/calls": calls.calls,
        "run/throttles": calls.throttles,
        "run/retries": calls.retries,
        "run/seconds": round(time.monotonic() - began, 3),
    }
    by_feed: dict[str, Figures] = {
        outcome.feed: {"dagster/partition_row_count": outcome.listed, **_sweep_metadata(outcome)}
        for outcome in outcomes
    }
    elsewhere = {"figures": dg.MetadataValue.asset(_LISTING)}
    records = [
        Record(dg.AssetKey(["raw", "listing"]), elsewhere),
        Record(_LISTING, figures, by_feed),
        Record(asset_key(tables.LISTING_CHANGES), elsewhere),
    ]
    yield from record(context, records, unfinished)
    told = [
        dg.TableRecord({"feed": outcome.feed, "listed": outcome.listed, **_sweep_metadata(outcome)})
        for outcome in outcomes
    ]
    done = SyncSummary("", feeds=outcomes)
    yield check_of(SWEEPS_COMPLETE, done, {"unfinished": len(done.problems), "feeds": dg.MetadataValue.table(told)})
    fail_if_undone(context, opened)


def _fan_out_step(of: _Stage) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name=of.step,
        description=of.purpose,
        specs=list(of.specs()),
        check_specs=[of.check],
        partitions_def=FEED_PARTITIONS,
        backfill_policy=ONE_RUN,
        pool=POOL,
    )
    def step(
        context: dg.AssetExecutionContext, session: dg.ResourceParam[RunSession], options: SyncOptions
    ) -> Iterator[Any]:
        feeds = tuple(context.partition_keys)
        with stage(context, session) as opened:
            request = options.request(feeds)
            since = datetime.now(UTC)
            try:
                outcome = of.work(opened, request)
            except Problem:
                done = set(feeds) - unswept(opened, feeds) - unread(opened, of.kind, request, since)
                record_finished(context, _records(of, {}, {}), done)
                raise
            unfinished = unswept(opened, feeds)
            if outcome.undone:
                unfinished |= unread(opened, of.kind, request, since)
            by_feed = _by_feed(opened, feeds) if of is _DESCRIBE else {}
        figures = stage_metadata(outcome)
        yield from record(context, _records(of, figures, by_feed), unfinished)
        yield check_of(of.check, SyncSummary("", stages=[outcome]), figures)
        fail_if_undone(context, opened)

    return step


def _records(of: _Stage, figures: Mapping[str, float], by_feed: Mapping[str, Figures]) -> list[Record]:
    # a stage reads a product once however many feeds have it: its figures are those of the run, not of one feed
    of_the_run = {f"run/{name}": figure for name, figure in figures.items()}
    elsewhere = {"figures": dg.MetadataValue.asset(of.first)}
    keys = [of.landed_key, *(asset_key(table) for table in of.tables)]
    return [Record(key, of_the_run, by_feed) if key == of.first else Record(key, elsewhere) for key in keys]


def _by_feed(session: Session, feeds: Sequence[str]) -> dict[str, Figures]:
    return {
        feed.feed: {"dagster/partition_row_count": feed.listed, "changed": feed.changed, "rejected": feed.rejected}
        for feed in feed_counts(session.database, session.started_at, feeds)
    }


@dg.multi_asset(
    name="publish",
    specs=[
        spec(
            SNAPSHOT,
            [asset_key(table) for table in PUBLISHED],
            "published",
            "All public tables as Parquet, from one transaction; `latest` moves to it in one atomic step.",
            kinds={"parquet"},
        )
    ],
    check_specs=[PARQUET_EQUALS_POSTGRES],
)
def publish_step(context: dg.AssetExecutionContext, session: dg.ResourceParam[RunSession]) -> Iterator[Any]:
    """Write the snapshot; then, with everything done and kept, fail the run if a check says that something is left."""
    with stage(context, session) as opened:
        # the runs that write orders check them, and are other runs: nothing in this one waits for those checks
        require_sound(opened.database, opened.settings, (Stage.ORDERS,))
        try:
            published = publish(opened)
        except Mismatch as mismatch:
            yield equality(mismatch)
            raise
        wrote = any(outcome.rows_written for outcome in opened.summary.stages)
        looks = wrote or not is_of_the_terminal(context.run)
        page = shown(context, SNAPSHOT, _rows_shown(opened), partial(_look, opened) if looks else None)
    metadata = {**(page.metadata or {}), **snapshot_links(published, tables.PRODUCTS), **snapshot_metadata(published)}
    yield dg.MaterializeResult(asset_key=SNAPSHOT, metadata=metadata, tags=page.tags)
    yield equality(published)
    fail_if_undone(context, opened)


def _look(session: Session) -> dict[str, dg.MetadataValue]:
    """What people look at: pictures, the first rows of some tables. Some tenths of a second."""
    pictures = every_picture(session.database, [str(destination) for destination in session.destinations])
    return {**pictures, **{f"preview/{table.full_name}": preview(session.database, table) for table in _PREVIEWED}}


def _rows_shown(session: Session) -> str | None:
    """A fingerprint of all that `_look` looks at; None: something may have been written unnoticed."""
    read = [*PUBLISHED, FETCHES]
    found = fingerprints(session.database, read)
    told = [found.get(table.full_name) for table in read]
    destinations = [str(destination) for destination in session.destinations]
    return (
        None if None in told else hashlib.blake2b(json.dumps([told, destinations]).encode(), digest_size=16).hexdigest()
    )


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


describe_step, stock_step, quote_step = (_fan_out_step(of) for of in FAN_OUT)
API = dg.AssetSpec(
    ALIBABA,
    group_name="alibaba",
    kinds={"api"},
    description="The Alibaba.com Open Platform: what is listed there, and what it says of each product.",
)
STEPS = [discover_step, describe_step, stock_step, quote_step, publish_step]
ASSETS: list[dg.AssetSpec | dg.AssetsDefinition] = [API, *STEPS]
