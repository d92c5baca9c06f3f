"""What is due, by the ledger of what was read when (`ops.fetches`). Merges write the ledger themselves.

The order is decided once, by one query; the IDs are kept here, some 16 MB for a million, so that no connection and no
cursor is held for the hours that reading them may take. What else a quote needs to know is looked up as it comes to it.
"""

# ruff: noqa: S608  what is put into these texts is a number of ours or a quoted literal

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Generic, TypeVar

import pyarrow as pa
from sqlalchemy import text

from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.storage.server.failures import in_our_words
from dropship_pipeline.storage.server.staging import Stage
from dropship_pipeline.tables.postgres import literal

_LOOKED_UP_TOGETHER = 500


@dataclass(frozen=True, slots=True)
class Due:
    """A product that is to be read."""

    product_id: str


@dataclass(frozen=True, slots=True)
class QuoteDue:
    """A product that is to be quoted, with what its stock and the last quote say about how (guide §6).

    `min_order_quantity`: where the description does not state it, where the product's price ladder begins.
    `origins`: countries that it is stocked in, those with units to sell first, then the better stocked ones.
    `last_dispatch` is where the quote in the tables was asked for; None if there is none.
    """

    product_id: str
    min_order_quantity: int | None
    wholesale_min_order_quantity: int | None
    origins: tuple[str, ...]
    last_dispatch: str | None


T = TypeVar("T")


class DueList(Generic[T]):
    """Products in the order in which they are to be read. Iterate once; any thread may. A `with` lets go of it."""

    def __init__(self, product_ids: "pa.ChunkedArray[Any]", look_up: Callable[[list[str]], list[T]]) -> None:
        self._ids = product_ids
        self._look_up = look_up
        self.count = len(product_ids)

    def __enter__(self) -> "DueList[T]":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ids = pa.chunked_array([], pa.string())

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[T]:
        for together in self.batches(_LOOKED_UP_TOGETHER):
            yield from together

    def batches(self, size: int) -> Iterator[list[T]]:
        """Lists of up to `size`. One that has left the tables since then is left out."""
        for start in range(0, len(self._ids), size):
            yield self._look_up([str(product_id) for product_id in self._ids.slice(start, size)])


def due(
    database: Database,
    kind: str,
    *,
    max_age: timedelta,
    feeds: Sequence[str] | None = None,
    product_ids: Sequence[str] | None = None,
    limit: int | None = None,
    force: bool = False,
) -> DueList[Due]:
    """The products whose `kind` (`description`, `inventory`) was never read, or was read `max_age` ago or earlier.

    Of those listed now in `feeds` (all of them where None), each once however many feeds list it; or exactly
    `product_ids`, listed or not. `force`: whatever their age. At most `limit`. First what was never read, then by age;
    among what was never read, watched products go first, then the front of the feeds; watched ones lead the rest too.
    """
    ids = _find(database, kind, "", max_age, feeds, product_ids, limit, force=force)
    return DueList(ids, lambda together: [Due(product_id) for product_id in together])


def due_quotes(
    database: Database,
    destination: str,
    *,
    max_age: timedelta,
    feeds: Sequence[str] | None = None,
    product_ids: Sequence[str] | None = None,
    limit: int | None = None,
    force: bool = False,
) -> DueList[QuoteDue]:
    """The described products on offer whose freight to `destination` (`US`, `US:90001`) is due: see `due`.

    Not those whose stock was never read, which says from where to ask: asked from elsewhere first, a product may be
    refused or quoted otherwise.
    """
    ids = _find(database, "freight", destination, max_age, feeds, product_ids, limit, force=force, on_offer=True)
    country = destination.partition(":")[0]
    return DueList(ids, lambda together: _look_up_quotes(database, country, together))


# What the ledger holds of a kind may be unknown to the planner yet, who then takes it for next to nothing, and would go
# through all of it once for each product. A few products are looked up one by one all the same.
_WHOLE_TABLES = "SET LOCAL enable_nestloop = off"

_TO_BE_QUOTED = """
        JOIN catalog.products p ON p.product_id = c.product_id AND p.delisted_at IS NULL
        JOIN ops.fetches stock
            ON stock.kind = 'inventory' AND stock.destination = '' AND stock.product_id = c.product_id"""


def _find(
    database: Database,
    kind: str,
    destination: str,
    max_age: timedelta,
    feeds: Sequence[str] | None,
    product_ids: Sequence[str] | None,
    limit: int | None,
    *,
    force: bool,
    on_offer: bool = False,
) -> "pa.ChunkedArray[Any]":
    read_before = (datetime.now(UTC) - max_age).isoformat()
    statement = f"""
        WITH candidates AS ({_candidates(feeds, product_ids)})
        SELECT c.product_id
        FROM candidates c
        {_TO_BE_QUOTED if on_offer else ""}
        LEFT JOIN ops.fetches f
            ON f.kind = {literal(kind)} AND f.destination = {literal(destination)} AND f.product_id = c.product_id
        LEFT JOIN ops.watched_products w ON w.product_id = c.product_id
        WHERE {"true" if force else f"f.fetched_at IS NULL OR f.fetched_at <= {literal(read_before)}"}
        ORDER BY f.fetched_at IS NOT NULL, w.importance DESC NULLS LAST, f.fetched_at, c.position, c.product_id
        {f"LIMIT {int(limit)}" if limit is not None else ""}
    """
    with in_our_words(database.address):
        stage = Stage(database)
        try:
            stage.make("asked", "name text")
            stage.run("BEGIN")
            if product_ids is None:
                stage.run(_WHOLE_TABLES)
            stage.load("asked", pa.table({"name": pa.array(product_ids or feeds or (), pa.string())}))
            return stage.arrow(statement)["product_id"]
        finally:
            stage.close()


def feeds_left(
    database: Database, kind: str, destination: str, read_before: datetime, feeds: Sequence[str]
) -> set[str]:
    """Those of `feeds` that list a product which was not read since `read_before` (UTC): something of it is left."""
    asked = {"kind": kind, "destination": destination, "before": read_before, "feeds": list(feeds)}
    with database.begin() as connection:
        return set(connection.execute(_FEEDS_LEFT_TO_QUOTE if kind == "freight" else _FEEDS_LEFT, asked).scalars())


_LEFT = """
    SELECT DISTINCT m.feed FROM catalog.feed_products m {offered}
    LEFT JOIN ops.fetches f ON f.kind = :kind AND f.destination = :destination AND f.product_id = m.product_id
    WHERE m.feed = ANY (:feeds) AND m.delisted_at IS NULL AND (f.fetched_at IS NULL OR f.fetched_at <= :before)
"""
_FEEDS_LEFT = text(_LEFT.format(offered=""))
_FEEDS_LEFT_TO_QUOTE = text(
    _LEFT.format(offered="JOIN catalog.products p ON p.product_id = m.product_id AND p.delisted_at IS NULL")
)


def _candidates(feeds: Sequence[str] | None, product_ids: Sequence[str] | None) -> str:
    if product_ids is not None:
        return "SELECT DISTINCT name AS product_id, NULL::bigint AS position FROM asked"
    of_feeds = "AND feed IN (SELECT name FROM asked)" if feeds is not None else ""
    return f"""
            SELECT product_id, min(position) AS position FROM catalog.feed_products
            WHERE delisted_at IS NULL {of_feeds} GROUP BY product_id"""


_QUOTES = text("""
    SELECT p.product_id,
        coalesce(
            p.min_order_quantity,
            (SELECT min(t.min_quantity) FROM catalog.price_tiers t WHERE t.product_id = p.product_id)
        ),
        p.wholesale_min_order_quantity,
        ARRAY(
            SELECT l.shipping_from FROM catalog.inventory_levels l WHERE l.product_id = p.product_id
            GROUP BY l.shipping_from
            ORDER BY coalesce(sum(l.quantity), 0) > 0 DESC, coalesce(sum(l.quantity), 0) DESC, l.shipping_from
        ) AS origins,
        last.requested_dispatch
    FROM unnest(CAST(:product_ids AS text[])) WITH ORDINALITY AS asked (product_id, place)
    JOIN catalog.products p USING (product_id)
    LEFT JOIN LATERAL (
        SELECT q.requested_dispatch FROM catalog.freight_quotes q
        WHERE q.product_id = p.product_id AND q.destination_country = :country
        ORDER BY q.quoted_at DESC, q.quantity LIMIT 1
    ) last ON true
    ORDER BY asked.place
""")


def _look_up_quotes(database: Database, country: str, product_ids: list[str]) -> list[QuoteDue]:
    with database.begin() as connection:
        rows = connection.execute(_QUOTES, {"product_ids": product_ids, "country": country})
        return [
            QuoteDue(product_id, minimum, wholesale_minimum, tuple(origins), dispatch)
            for product_id, minimum, wholesale_minimum, origins, dispatch in rows
        ]
