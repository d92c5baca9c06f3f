"""How true the tables are, in numbers, from Postgres alone: no call is made."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text

from dropship_pipeline.catalog.feeds import FEEDS
from dropship_pipeline.catalog.freshness import MAX_AGES
from dropship_pipeline.storage.database import Database


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """A feed: products listed now, and how and when (UTC) it was last read to its end."""

    feed: str
    listed: int
    last_sweep: str | None
    last_swept_at: datetime | None
    completed_at: datetime | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class KindStatus:
    """What is read of each product: how many are known, how many are older than they may get, and the oldest (UTC)."""

    kind: str
    known: int
    due: int
    refused: int
    rejected: int
    oldest_at: datetime | None


@dataclass(frozen=True, slots=True)
class Status:
    """Everything that `dropship status` shows."""

    now: datetime
    on_offer: int
    feeds: list[FeedStatus]
    kinds: list[KindStatus]
    last_sync: dict[str, Any] | None
    snapshot: dict[str, Any] | None
    calls_per_second: float | None
    rejected_records: int


_FEEDS = text("""
    SELECT f.feed,
           (SELECT count(*) FROM catalog.feed_products p WHERE p.feed = f.feed AND p.delisted_at IS NULL) AS listed,
           s.state, s.ended_at, c.ended_at AS completed_at, s.reason
    FROM unnest(CAST(:feeds AS text[])) WITH ORDINALITY AS f (feed, position)
    LEFT JOIN LATERAL (
        SELECT state, ended_at, reason FROM ops.sweeps WHERE feed = f.feed ORDER BY started_at DESC LIMIT 1
    ) s ON true
    LEFT JOIN LATERAL (
        SELECT ended_at FROM ops.sweeps WHERE feed = f.feed AND state = 'complete' ORDER BY started_at DESC LIMIT 1
    ) c ON true
    ORDER BY f.position
""")

_KIND = text("""
    SELECT count(*) AS known,
           count(*) FILTER (WHERE fetched_at < now() - make_interval(secs => :age)) AS due,
           count(*) FILTER (WHERE outcome = 'refused') AS refused,
           count(*) FILTER (WHERE outcome = 'rejected') AS rejected,
           min(fetched_at) AS oldest_at
    FROM ops.fetches WHERE kind = :kind
""")


def read_status(database: Database) -> Status:
    """Read it, in one transaction."""
    with database.begin() as connection:
        now, on_offer = connection.execute(
            text("SELECT now(), (SELECT count(*) FROM catalog.products WHERE delisted_at IS NULL)")
        ).one()
        feeds = [FeedStatus(*row) for row in connection.execute(_FEEDS, {"feeds": [feed.key for feed in FEEDS]})]
        kinds = [
            KindStatus(kind, *connection.execute(_KIND, {"kind": kind, "age": age.total_seconds()}).one())
            for kind, age in MAX_AGES.items()
        ]
        last_sync = (
            connection.execute(
                text("SELECT run_id, started_at, ended_at, outcome FROM ops.syncs ORDER BY started_at DESC LIMIT 1")
            )
            .mappings()
            .first()
        )
        snapshot = (
            connection.execute(
                text("SELECT snapshot, published_at FROM ops.snapshots ORDER BY published_at DESC LIMIT 1")
            )
            .mappings()
            .first()
        )
        rate = connection.execute(
            text("SELECT rate FROM ops.call_budget ORDER BY changed_at DESC LIMIT 1")
        ).scalar_one_or_none()
        rejected = connection.execute(text("SELECT count(*) FROM ops.rejected_records")).scalar_one()
    return Status(
        now=now,
        on_offer=on_offer,
        feeds=feeds,
        kinds=kinds,
        last_sync=dict(last_sync) if last_sync else None,
        snapshot=dict(snapshot) if snapshot else None,
        calls_per_second=rate,
        rejected_records=rejected,
    )
