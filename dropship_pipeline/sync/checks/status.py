"""How true the tables are, in numbers, from Postgres alone: no call is made."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, text

from dropship_pipeline.catalog.destinations import Destination
from dropship_pipeline.catalog.feeds import FEEDS
from dropship_pipeline.catalog.freshness import MAX_AGES
from dropship_pipeline.storage.server.database import Database


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
    """What is read of each product on offer: how many were never read, how many are older than they may get.

    `kind`: `description`, `inventory`, `freight to US`. `oldest_at` is UTC.
    """

    kind: str
    on_offer: int
    unread: int
    stale: int
    refused: int
    rejected: int
    oldest_at: datetime | None


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """An account and whether a person has to authorise it again. No token. Times are UTC; None: not known."""

    account: str
    state: str
    access_token_expires_at: datetime | None
    refresh_token_expires_at: datetime | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """The last sync. `outcome`: `running` (or killed), `done`, `failed`. `problems`: what it left to do, in lines."""

    run_id: str
    started_at: datetime
    ended_at: datetime | None
    outcome: str
    problems: list[str]


@dataclass(frozen=True, slots=True)
class Status:
    """Everything that `dropship status` shows. `origin`: `simulated`, `alibaba`, or None before the first sync."""

    now: datetime
    origin: str | None = None
    products: int = 0
    feeds: list[FeedStatus] = field(default_factory=list)
    kinds: list[KindStatus] = field(default_factory=list)
    accounts: list[AccountStatus] = field(default_factory=list)
    last_sync: SyncStatus | None = None
    snapshot: str | None = None
    published_at: datetime | None = None
    calls_per_second: float | None = None
    rejected_records: int = 0


_FACTS = text("""
    SELECT now() AS now,
        (SELECT origin FROM ops.origin) AS origin,
        (SELECT count(*) FROM catalog.products WHERE delisted_at IS NULL) AS products,
        (SELECT rate FROM ops.call_budget ORDER BY next_free DESC LIMIT 1) AS calls_per_second,
        (SELECT count(*) FROM ops.rejected_records WHERE discarded_at IS NULL) AS rejected_records
""")

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

# The same products that `storage.catalog.fetches.due` finds, counted where they are.
_KIND = text("""
    SELECT count(*) AS on_offer,
           count(*) FILTER (WHERE f.fetched_at IS NULL) AS unread,
           count(*) FILTER (WHERE f.fetched_at <= now() - make_interval(secs => :age)) AS stale,
           count(*) FILTER (WHERE f.outcome = 'refused') AS refused,
           count(*) FILTER (WHERE f.outcome = 'rejected' AND NOT EXISTS (
               SELECT FROM ops.rejected_records r
               WHERE (r.kind, r.record_key, r.destination) = (:kind, o.product_id, :destination)
                   AND r.discarded_at IS NOT NULL)) AS rejected,
           min(f.fetched_at) AS oldest_at
    FROM (SELECT DISTINCT product_id FROM catalog.feed_products WHERE delisted_at IS NULL) o
    LEFT JOIN catalog.products p USING (product_id)
    LEFT JOIN ops.fetches f ON f.kind = :kind AND f.destination = :destination AND f.product_id = o.product_id
    WHERE :destination = '' OR (p.product_id IS NOT NULL AND p.delisted_at IS NULL)
""")

_ACCOUNTS = text("""
    SELECT account, state, access_token_expires_at, refresh_token_expires_at, reason FROM ops.accounts ORDER BY account
""")

_LAST_SYNC = text("""
    SELECT run_id, started_at, ended_at, outcome,
           ARRAY(SELECT jsonb_array_elements_text(coalesce(summary->'problems', '[]'))) AS problems
    FROM ops.syncs ORDER BY started_at DESC LIMIT 1
""")

_SNAPSHOT = text("SELECT snapshot, published_at FROM ops.snapshots ORDER BY published_at DESC LIMIT 1")


def read_status(database: Database, destinations: Sequence[Destination]) -> Status:
    """Read it as it is at one moment."""
    with database.begin() as connection:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        now, origin, products, calls_per_second, rejected_records = connection.execute(_FACTS).one()
        asked = [(kind, "") for kind in MAX_AGES if kind != "freight"]
        asked += [("freight", str(destination)) for destination in destinations]
        last_sync = connection.execute(_LAST_SYNC).one_or_none()
        snapshot, published_at = connection.execute(_SNAPSHOT).one_or_none() or (None, None)
        return Status(
            now=now,
            origin=origin,
            products=products,
            feeds=[FeedStatus(*row) for row in connection.execute(_FEEDS, {"feeds": [feed.key for feed in FEEDS]})],
            kinds=[_kind(connection, kind, destination) for kind, destination in asked],
            accounts=[AccountStatus(*row) for row in connection.execute(_ACCOUNTS)],
            last_sync=None if last_sync is None else SyncStatus(*last_sync),
            snapshot=snapshot,
            published_at=published_at,
            calls_per_second=calls_per_second,
            rejected_records=rejected_records,
        )


def _kind(connection: Connection, kind: str, destination: str) -> KindStatus:
    age = MAX_AGES[kind].total_seconds()
    row = connection.execute(_KIND, {"kind": kind, "destination": destination, "age": age}).one()
    return KindStatus(f"{kind} to {destination}" if destination else kind, *row)
