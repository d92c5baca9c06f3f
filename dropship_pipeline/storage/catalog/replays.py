"""What a replay asks of Postgres and the stages of a sync do not: which landed answers are still of use to the tables,
what the tables lost, when products left the market. Which answers were landed, and what they say, is not in here.
"""

# ruff: noqa: S608  what is put into these texts is ours, or a quoted literal

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from dropship_pipeline.storage.catalog.fresh_sql import TOLD_AT
from dropship_pipeline.storage.catalog.listing_log import count, wait_for_turn
from dropship_pipeline.storage.catalog.merge_sql import OFFLINE
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.storage.server.failures import in_our_words
from dropship_pipeline.storage.server.staging import Stage
from dropship_pipeline.storage.server.transactions import Transactions
from dropship_pipeline.tables.postgres import literal


@dataclass(frozen=True, slots=True)
class Landed:
    """A landed answer, without what it says. `destination`: of a quote, else ''. `at` is UTC."""

    product_id: str
    at: datetime
    destination: str = ""


_OF_FEEDS = "EXISTS (SELECT FROM catalog.feed_products m WHERE m.product_id = {product} AND m.feed = ANY (:feeds))"

_OF_USE = """
    SELECT s.n
    FROM unnest(CAST(:products AS text[]), CAST(:destinations AS text[]), CAST(:moments AS timestamptz[]))
        WITH ORDINALITY AS s (product_id, destination, fetched_at, n)
    LEFT JOIN ops.fetches f
        ON f.kind = :kind AND f.product_id = s.product_id AND f.destination = s.destination
    CROSS JOIN LATERAL (SELECT {told} AS at) AS told
    WHERE (told.at IS NULL OR s.fetched_at >= told.at) AND (:everywhere OR {of_feeds})
"""
_OF_USE_BY_KIND = {
    kind: text(_OF_USE.format(told=told, of_feeds=_OF_FEEDS.format(product="s.product_id")))
    for kind, told in TOLD_AT.items()
}

# A product that was described and has no row any more has lost when it was first seen and what it was before: its whole
# history is read again. So is stock that was read once, was refused since, and of which no row is left.
_ANSWERED_ONCE = "(f.outcome = 'answered' OR f.payload_hash IS NOT NULL)"
_FORGET = {
    "description": f"""
        {_ANSWERED_ONCE} AND NOT EXISTS (SELECT FROM catalog.products p WHERE p.product_id = f.product_id)
    """,
    "inventory": f"""
        {_ANSWERED_ONCE} AND NOT EXISTS (SELECT FROM catalog.inventory_levels l WHERE l.product_id = f.product_id)
        AND (f.outcome <> 'answered' OR NOT EXISTS (SELECT FROM catalog.products p WHERE p.product_id = f.product_id))
    """,
}


def of_use(database: Database, kind: str, landed: Sequence[Landed], feeds: Sequence[str]) -> set[int]:
    """Which of these answers, by their places from 0, are not older than what the tables hold of the same thing.

    `feeds`: only products that these list or listed; all of them where it is empty.
    """
    asked = {
        "kind": kind,
        "products": [answer.product_id for answer in landed],
        "destinations": [answer.destination for answer in landed],
        "moments": [answer.at for answer in landed],
        "everywhere": not feeds,
        "feeds": list(feeds),
    }
    with database.begin() as connection:
        return {place - 1 for place in connection.execute(_OF_USE_BY_KIND[kind], asked).scalars()}


def forget_lost(database: Database, kinds: Sequence[str], feeds: Sequence[str]) -> int:
    """Strike from the ledger what the tables have lost, so that every landed answer is of use again; how much it was.

    What of it is not landed any more is due from now on.
    """
    forgotten = 0
    with database.begin() as connection:
        # stock first: whether a product's row is gone decides of both
        for kind in ("inventory", "description"):
            if kind in kinds:
                lost = text(f"""
                    DELETE FROM ops.fetches f
                    WHERE f.kind = '{kind}' AND {_FORGET[kind]}
                        AND (:everywhere OR {_OF_FEEDS.format(product="f.product_id")})
                """)
                asked = {"everywhere": not feeds, "feeds": list(feeds)}
                forgotten += connection.execute(lost, asked).rowcount
    return forgotten


def mend_market(database: Database, feeds: Sequence[str]) -> int:
    """Make `delisted_at` of products what their listings and the log of listings say; how many rows that changed.

    A product left the market with the last feed that had it, or when its payload said that it is offline, whichever
    was first. `feeds`: only products that these list or listed; all of them where it is empty.
    """

    def mend(stage: Stage) -> int:
        wait_for_turn(stage)
        return count(stage, _mend_market(feeds))

    with in_our_words(database.address), closing(Transactions(database)) as transactions:
        return transactions.run(lambda _: None, mend)


def _mend_market(feeds: Sequence[str]) -> str:
    chosen = ", ".join(literal(feed) for feed in feeds)
    of_feeds = f"""
        WHERE EXISTS (SELECT FROM catalog.feed_products m WHERE m.product_id = p.product_id AND m.feed IN ({chosen}))
    """
    return f"""
WITH listed AS (
    SELECT product_id, bool_or(delisted_at IS NULL) AS now FROM catalog.feed_products GROUP BY product_id
), state AS (
    SELECT p.product_id, p.delisted_at,
        coalesce(p.status IN {OFFLINE}, false) OR NOT coalesce(listed.now, true) AS off
    FROM catalog.products p LEFT JOIN listed USING (product_id)
    {of_feeds if feeds else ""}
), moves AS (
    SELECT l.product_id, l.feed, l.observed_at, l.change = 'listed' AS begins,
        lag(l.change) OVER (PARTITION BY l.product_id, l.feed ORDER BY l.observed_at) AS before
    FROM catalog.listing_changes l JOIN state USING (product_id)
    WHERE state.off
), steps AS (
    -- what a log begins with ends the opposite of it
    SELECT product_id, observed_at, feed IS NULL AS of_itself,
        CASE WHEN begins AND before IS DISTINCT FROM 'listed' THEN 1
            WHEN NOT begins AND before IS DISTINCT FROM 'delisted' THEN -1 ELSE 0 END AS step,
        (before IS NULL AND NOT begins)::integer AS had
    FROM moves
), standing AS (
    -- on offer: some feed has it, and it does not say itself that it is offline; where a log is silent, nothing ended
    SELECT product_id, observed_at,
        coalesce(sum(had) FILTER (WHERE NOT of_itself) OVER whole
            + coalesce(sum(step) FILTER (WHERE NOT of_itself) OVER so_far, 0) > 0, true)
        AND coalesce(sum(had) FILTER (WHERE of_itself) OVER whole
            + coalesce(sum(step) FILTER (WHERE of_itself) OVER so_far, 0) > 0, true) AS on_offer
    FROM steps
    WINDOW whole AS (PARTITION BY product_id), so_far AS (PARTITION BY product_id ORDER BY observed_at)
), last_on AS (
    SELECT product_id, observed_at, on_offer,
        max(observed_at) FILTER (WHERE on_offer) OVER (PARTITION BY product_id) AS last_on
    FROM standing
), since AS (
    SELECT product_id, min(observed_at) AS at FROM last_on
    WHERE NOT on_offer AND (last_on IS NULL OR observed_at > last_on)
    GROUP BY product_id
), target AS (
    SELECT product_id, CASE WHEN off THEN coalesce(since.at, state.delisted_at) END AS delisted_at
    FROM state LEFT JOIN since USING (product_id)
), written AS (
    UPDATE catalog.products p SET delisted_at = target.delisted_at
    FROM target WHERE p.product_id = target.product_id AND p.delisted_at IS DISTINCT FROM target.delisted_at
    RETURNING 1
)
SELECT count(*) FROM written
"""
