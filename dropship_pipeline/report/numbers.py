"""Everything that the report tells, in numbers, of one moment. No drawing and no words for people here."""

from collections.abc import Sequence
from dataclasses import dataclass

from dropship_pipeline.catalog.destinations import parse_destinations
from dropship_pipeline.catalog.feeds import FEEDS
from dropship_pipeline.catalog.freshness import MAX_AGES
from dropship_pipeline.settings import Settings
from dropship_pipeline.storage.ops.watched import Watched, watched
from dropship_pipeline.storage.reading import ages, audits, digests, figures
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.sync.checks.audit import Stage, look
from dropship_pipeline.sync.checks.findings import Finding

DAYS = 14
"""Of how many days the changes of feeds are told."""

_WATCHED_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Numbers:
    """What the tables said at `totals.taken_at`."""

    totals: digests.Totals
    feeds: Sequence[figures.FeedSize]
    prices: Sequence[figures.PriceDistribution]
    freight: Sequence[figures.FreightLane]
    stock: Sequence[figures.StockOrigin]
    landed: Sequence[digests.LandedCosts]
    readings: Sequence[ages.KindAges]
    moves: Sequence[digests.MovesOfDays]
    top_moves: Sequence[digests.Move]
    watched: Sequence[Watched]
    holds: Sequence[digests.Holds]
    funnel: Sequence[digests.Step]
    findings: Sequence[Finding]


def gather(database: Database, settings: Settings) -> Numbers:
    """Read all of it in one transaction, which sees a single moment and writes nothing. Raises `DatabaseProblem`."""
    destinations = [str(destination) for destination in parse_destinations(settings.destinations)]
    with database.begin() as connection:
        audits.read_only(connection)
        return Numbers(
            totals=digests.totals(connection),
            feeds=figures.feed_sizes(connection, [feed.key for feed in FEEDS], DAYS),
            prices=figures.price_distribution(connection),
            freight=figures.freight_by_origin(connection),
            stock=figures.stock_by_origin(connection),
            landed=digests.landed_costs(connection),
            readings=ages.staleness(connection, MAX_AGES, destinations),
            moves=digests.moves(connection),
            top_moves=digests.top_moves(connection),
            watched=watched(connection, _WATCHED_SHOWN),
            holds=digests.holds(connection),
            funnel=digests.funnel(connection),
            findings=[found for stage in Stage for found in look(connection, settings, stage)],
        )
