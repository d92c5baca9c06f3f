"""How the readings behind the tables stand, counted: shares of products, the last sweeps, the last snapshots.

Numbers and samples only. From which number on people are told is in `sync/checks/findings.py`; what the rows
themselves must be is in `audits.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, TextClause, text

from dropship_pipeline.storage.reading.audits import SAMPLE

Sample = tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Readings:
    """How the readings of one kind stand: one for each product that is listed now and, of freight, each destination.

    Of all of them, `made` were made at least once, of which the last answer was `answered` or `rejected` (it could not
    be read, and nobody has discarded it), or else refused. `stale` ones are too old, or were due for as long and never
    made.
    """

    all: int
    made: int
    answered: int
    rejected: int
    stale: int
    rejected_sample: Sample = ()
    stale_sample: Sample = ()


_LONGEST_SWEEP = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class LastSweep:
    """The newest sweep of a feed. Times are UTC; `complete_at`: when one last came to its end, None: never."""

    feed: str
    state: str
    started_at: datetime
    listed: int
    missing: int
    delisted: int
    reason: str | None
    complete_at: datetime | None
    now: datetime

    @property
    def is_unfinished(self) -> bool:
        """Whether it was given up, or has been at it for so long that nobody is any more."""
        return self.state == "incomplete" or (self.state == "running" and self.now - self.started_at > _LONGEST_SWEEP)

    def shown(self) -> dict[str, Any]:
        """What a person is shown of it."""
        names = ("feed", "state", "started_at", "listed", "missing", "delisted", "reason", "complete_at")
        return {name: getattr(self, name) for name in names}


# What was never read is as old as its listing; what came back is to be read since it did. Freight is quoted for what
# was described and is on offer; what was asked for a destination that is none any more does not count.
_READINGS = """
    FROM (
        SELECT product_id, max(last_listed_at) AS listed_at FROM catalog.feed_products
        WHERE delisted_at IS NULL GROUP BY product_id
    ) o
    CROSS JOIN unnest(CAST(:destinations AS text[])) AS d (destination)
    LEFT JOIN catalog.products p ON p.product_id = o.product_id
    LEFT JOIN ops.fetches f ON f.kind = :kind AND f.product_id = o.product_id AND f.destination = d.destination
    LEFT JOIN ops.rejected_records r
        ON r.kind = :kind AND r.record_key = o.product_id AND r.destination = d.destination AND f.outcome = 'rejected'
    WHERE (:kind <> 'freight' OR (p.product_id IS NOT NULL AND p.delisted_at IS NULL))
"""
_READ_AT = "greatest(f.fetched_at, o.listed_at)"
_STALE = f"{_READ_AT} < now() - CAST(:age AS interval)"
_REJECTED = "f.outcome = 'rejected' AND r.discarded_at IS NULL"
_COUNTS = text(f"""
    SELECT count(*), count(f.outcome), count(*) FILTER (WHERE f.outcome = 'answered'),
        count(*) FILTER (WHERE {_REJECTED}), count(*) FILTER (WHERE {_STALE})
    {_READINGS}
""")
_REJECTED_SAMPLE = text(f"""
    SELECT o.product_id, d.destination, f.code, r.message, r.attempts, f.fetched_at
    {_READINGS} AND {_REJECTED}
    ORDER BY f.fetched_at DESC, o.product_id LIMIT {SAMPLE}
""")
_STALE_SAMPLE = text(f"""
    SELECT o.product_id, d.destination, f.fetched_at, o.listed_at {_READINGS} AND {_STALE}
    ORDER BY {_READ_AT}, o.product_id LIMIT {SAMPLE}
""")

# A refusal of the location that then worked was one of the quantity.
_FALLEN_BACK = """
    SELECT DISTINCT ON (f.product_id, f.destination_country)
        f.product_id, f.destination_country, f.dispatch_location AS refused, f.code
    FROM catalog.freight_failures f
    JOIN catalog.products p ON p.product_id = f.product_id AND p.delisted_at IS NULL
    WHERE EXISTS (
        SELECT FROM catalog.freight_quotes q
        WHERE q.product_id = f.product_id AND q.destination_country = f.destination_country
            AND q.requested_dispatch <> f.dispatch_location
    )
    ORDER BY f.product_id, f.destination_country, f.dispatch_location
"""
_FALLEN_BACK_COUNT = text(f"SELECT count(*) FROM ({_FALLEN_BACK}) f")  # noqa: S608  a text of ours
_FALLEN_BACK_SAMPLE = text(f"SELECT * FROM ({_FALLEN_BACK}) f LIMIT {SAMPLE}")  # noqa: S608  a text of ours

_LAST_SWEEPS = text("""
    SELECT DISTINCT ON (s.feed) s.feed, s.state, s.started_at, s.listed, s.missing, s.delisted, s.reason,
        (SELECT max(c.ended_at) FROM ops.sweeps c WHERE c.feed = s.feed AND c.state = 'complete') AS complete_at,
        now() AS now
    FROM ops.sweeps s ORDER BY s.feed, s.started_at DESC
""")

_ROW_COUNTS = text("SELECT row_counts FROM ops.snapshots ORDER BY snapshot DESC LIMIT 2")


def readings(connection: Connection, kind: str, destinations: Sequence[str], age: timedelta) -> Readings:
    """How the readings of a kind stand; those older than `age` are stale.

    `kind`: `description`, `inventory`, `freight`; `destinations`: `['']` where the kind has none.
    """
    asked = {"kind": kind, "destinations": list(destinations), "age": age}
    counted = Readings(*connection.execute(_COUNTS, asked).one())
    return replace(
        counted,
        rejected_sample=_sample(connection, _REJECTED_SAMPLE, asked) if counted.rejected else (),
        stale_sample=_sample(connection, _STALE_SAMPLE, asked) if counted.stale else (),
    )


def fallen_back(connection: Connection) -> tuple[int, Sample]:
    """How many quotes stand of products that could not be sent from where it was asked first (guide §6), and some."""
    count = connection.execute(_FALLEN_BACK_COUNT).scalar_one()
    return count, _sample(connection, _FALLEN_BACK_SAMPLE, {}) if count else ()


def last_sweeps(connection: Connection) -> list[LastSweep]:
    """The newest sweep of each feed that was ever swept, by feed."""
    return [LastSweep(*row) for row in connection.execute(_LAST_SWEEPS)]


def last_row_counts(connection: Connection) -> list[dict[str, int]]:
    """The rows by table of the newest snapshot and of the one before it; fewer where there are fewer."""
    return list(connection.execute(_ROW_COUNTS).scalars())


def _sample(connection: Connection, statement: TextClause, asked: Mapping[str, Any]) -> Sample:
    return tuple(dict(row) for row in connection.execute(statement, asked).mappings())
