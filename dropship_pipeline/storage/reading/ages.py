"""How old what is known of the products on offer is, in numbers: the data behind pictures and the report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby, pairwise

from sqlalchemy import Connection, Row, text

AGE_EDGES = (
    timedelta(hours=1),
    timedelta(hours=6),
    timedelta(days=1),
    timedelta(days=3),
    timedelta(days=7),
    timedelta(days=30),
)
"""Where one age bucket ends and the next begins; the maximum age of each kind is an edge too."""


@dataclass(frozen=True, slots=True)
class AgeBucket:
    """Products last read at least `at_least` and less than `below` ago; None: no upper bound."""

    at_least: timedelta
    below: timedelta | None
    products: int


@dataclass(frozen=True, slots=True)
class KindAges:
    """How old what is known of the products on offer is. `kind`: `description`, `inventory`, `freight to US`.

    A bucket begins where `max_age` ends: what is in it and in those after it is stale.
    """

    kind: str
    max_age: timedelta
    offered: int
    buckets: tuple[AgeBucket, ...]

    @property
    def stale(self) -> int:
        """Products last read `max_age` ago or earlier."""
        return sum(bucket.products for bucket in self.buckets if bucket.at_least >= self.max_age)

    @property
    def fresh(self) -> int:
        """Products read since."""
        return sum(bucket.products for bucket in self.buckets if bucket.at_least < self.max_age)

    @property
    def never_read(self) -> int:
        """Products of which nothing is known yet."""
        return self.offered - self.fresh - self.stale


# The same products that `dropship status` counts: those that a feed lists; for freight, those that are described too.
_AGES = text("""
    WITH offered AS MATERIALIZED (
        SELECT listed.product_id, p.product_id IS NOT NULL AS described
        FROM (SELECT DISTINCT product_id FROM catalog.feed_products WHERE delisted_at IS NULL) listed
        LEFT JOIN catalog.products p ON p.product_id = listed.product_id AND p.delisted_at IS NULL
    ),
    edges AS (
        SELECT array_agg(now() - make_interval(secs => age) ORDER BY age DESC) AS instants
        FROM unnest(CAST(:ages AS float8[])) AS age
    ),
    found AS (
        SELECT f.kind, f.destination, count(*) AS products,
               cardinality(edges.instants) - width_bucket(f.fetched_at, edges.instants) AS bucket
        FROM ops.fetches f JOIN offered USING (product_id) CROSS JOIN edges
        WHERE f.destination = '' OR offered.described
        GROUP BY f.kind, f.destination, bucket
    )
    SELECT asked.kind, asked.destination, found.bucket, found.products,
           (SELECT count(*) FROM offered WHERE asked.destination = '' OR offered.described) AS offered
    FROM unnest(CAST(:kinds AS text[]), CAST(:destinations AS text[])) WITH ORDINALITY
        AS asked (kind, destination, place)
    LEFT JOIN found ON found.kind = asked.kind AND found.destination = asked.destination
    ORDER BY asked.place
""")


def staleness(connection: Connection, max_ages: Mapping[str, timedelta], destinations: Sequence[str]) -> list[KindAges]:
    """How long ago each kind was last read, over the products on offer; freight once a destination (`US:90001`)."""
    edges = sorted({*AGE_EDGES, *max_ages.values()})
    asked = [(kind, place) for kind in max_ages for place in (destinations if kind == "freight" else [""])]
    given = {
        "ages": [edge.total_seconds() for edge in edges],
        "kinds": [kind for kind, _ in asked],
        "destinations": [place for _, place in asked],
    }
    rows = connection.execute(_AGES, given).all()
    return [
        _ages(f"{kind} to {place}" if place else kind, max_ages[kind], edges, list(found))
        for (kind, place), found in groupby(rows, lambda row: (row.kind, row.destination))
    ]


def _ages(
    kind: str, max_age: timedelta, edges: Sequence[timedelta], rows: Sequence[Row[tuple[str, str, int, int, int]]]
) -> KindAges:
    counts = {row.bucket: row.products for row in rows if row.bucket is not None}
    bounds = [*pairwise([timedelta(0), *edges]), (edges[-1], None)]
    buckets = tuple(AgeBucket(low, high, counts.get(n, 0)) for n, (low, high) in enumerate(bounds))
    return KindAges(kind, max_age, rows[0].offered, buckets)
