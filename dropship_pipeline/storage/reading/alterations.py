"""What was altered by hand: tables that are not what their definitions, their change logs or the newest snapshot say.

Three questions, each one pass: whether the columns are those of the definition; whether the last value that a change
log has is the value in the table; and whether a table to which we wrote nothing since the newest snapshot still holds
what that has: it was noted that nobody did (ADR 0018), or nothing was that we write to it with. Not found: a value that
no log is kept of, once something else was written; a text that makes way for another of the same length; a row of a log
that was altered together with the row that it is about.
"""

# ruff: noqa: S608  every name in these texts comes from the table definitions, none from outside

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from sqlalchemy import Connection, text

from dropship_pipeline.counting import counted
from dropship_pipeline.storage.lake.damage import ROOT
from dropship_pipeline.storage.lake.place import LakeProblem
from dropship_pipeline.storage.lake.published import Published
from dropship_pipeline.storage.lake.verification import Mismatch, compare, measure_in_parquet, measure_in_postgres
from dropship_pipeline.storage.lake.writes import Base, look
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.tables import catalog as tables
from dropship_pipeline.tables.model import Table, Type
from dropship_pipeline.tables.orders import ORDER_TABLES
from dropship_pipeline.tables.postgres import index_name
from dropship_pipeline.tables.registry import ALL_TABLES


@dataclass(frozen=True, slots=True)
class Alteration:
    """A table (`schema.name`) that is not what it should be, and how it differs. `grave`: a sync would fail on it."""

    table: str
    how: str
    grave: bool = False

    @property
    def said(self) -> str:
        """In words."""
        return f"{self.table}: {self.how}"


_COLUMNS = text("""
    SELECT n.nspname || '.' || c.relname AS name, a.attname, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relkind = 'r' AND n.nspname || '.' || c.relname = ANY (CAST(:tables AS text[]))
""")
_KEYS = text("""
    SELECT n.nspname || '.' || c.relname AS name,
        ARRAY(SELECT CAST(a.attname AS text) FROM pg_attribute a
            WHERE a.attrelid = c.oid AND a.attnum = ANY (k.conkey)) AS columns
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE k.contype = 'p' AND n.nspname || '.' || c.relname = ANY (CAST(:tables AS text[]))
""")
_INDEXES = text("""
    SELECT schemaname || '.' || indexname FROM pg_indexes
    WHERE schemaname || '.' || tablename = ANY (CAST(:tables AS text[]))
""")

_SPELT = {Type.TIMESTAMP: "timestamp with time zone"}  # as Postgres spells a type; the others as we do


def in_definition(connection: Connection, of: Sequence[Table] = ALL_TABLES) -> list[Alteration]:
    """Where tables, columns, types, keys and indexes are not those of the definitions."""
    asked = {"tables": [table.full_name for table in of]}
    found: dict[str, dict[str, tuple[str, bool]]] = {}
    for name, column, kind, required in connection.execute(_COLUMNS, asked):
        found.setdefault(name, {})[column] = (kind, required)
    keys = {name: set(columns) for name, columns in connection.execute(_KEYS, asked)}
    indexes = set(connection.execute(_INDEXES, asked).scalars())
    return [
        Alteration(table.full_name, how, grave)
        for table in of
        for how, grave in _unlike(table, found.get(table.full_name), keys.get(table.full_name, set()), indexes)
    ]


def _unlike(
    table: Table, found: Mapping[str, tuple[str, bool]] | None, key: set[str], indexes: set[str]
) -> Iterator[tuple[str, bool]]:
    if found is None:
        yield "the table is gone", True
        return
    for column in table.columns:
        if column.name not in found:
            yield f"column {column.name} is gone", True
            continue
        kind, required = found[column.name]
        meant = _SPELT.get(column.type, column.type.value)
        if kind != meant:
            yield f"column {column.name} is {kind}, not {meant}", True
        if required == column.nullable:
            yield f"column {column.name} {'may not' if required else 'may'} be NULL", required
    for name in found.keys() - set(table.column_names):
        yield f"there is a column {name} of somebody else", False
    if key != set(table.key):
        yield "its primary key is gone or another", True
    for columns in table.indexes:
        if f"{table.schema}.{index_name(table, columns)}" not in indexes:
            yield f"its index on {', '.join(columns)} is gone", False


# A change of currency is logged as two changes of one moment, the second of which tells the new price
_LAST_PRICE = """
    SELECT DISTINCT ON (sku_id, min_quantity) sku_id, min_quantity, new_price AS value FROM catalog.price_changes
    ORDER BY sku_id, min_quantity, observed_at DESC, new_price NULLS LAST
"""
_LAST_STOCK = """
    SELECT DISTINCT ON (sku_id, shipping_from) sku_id, shipping_from, new_quantity AS value
    FROM catalog.inventory_changes ORDER BY sku_id, shipping_from, observed_at DESC
"""
_OF_LOGS = MappingProxyType(
    {
        tables.PRICE_TIERS.full_name: f"""
            SELECT count(*) FROM ({_LAST_PRICE}) l LEFT JOIN catalog.price_tiers t USING (sku_id, min_quantity)
            WHERE t.price IS DISTINCT FROM l.value""",
        tables.INVENTORY_LEVELS.full_name: f"""
            SELECT count(*) FROM ({_LAST_STOCK}) l LEFT JOIN catalog.inventory_levels t USING (sku_id, shipping_from)
            WHERE t.quantity IS DISTINCT FROM l.value""",
        tables.FEED_PRODUCTS.full_name: """
            SELECT count(*) FROM (
                SELECT feed, product_id, max(observed_at) FILTER (WHERE change = 'listed') AS listed_at,
                    max(observed_at) FILTER (WHERE change = 'delisted') AS delisted_at
                FROM catalog.listing_changes WHERE feed IS NOT NULL GROUP BY feed, product_id
            ) l
            FULL JOIN catalog.feed_products t USING (feed, product_id)
            WHERE t.last_listed_at IS DISTINCT FROM l.listed_at
                OR t.delisted_at IS DISTINCT FROM
                    CASE WHEN l.delisted_at > l.listed_at THEN l.delisted_at END""",
    }
)


def in_log(connection: Connection) -> list[Alteration]:
    """Where the last value that a change log tells of is not the one in the table. What never changed is in no log."""
    odd = {table: connection.execute(text(query)).scalar_one() for table, query in _OF_LOGS.items()}
    return [
        Alteration(table, f"{counted(count, 'row is', 'rows are')} not what its change log says last")
        for table, count in odd.items()
        if count
    ]


_KINDS = ("listing", "orders", "description", "inventory", "freight")
_OF_ORDERS = "SELECT max(fetched_at) FROM ops.order_fetches"
_LAST_WRITTEN = f"""
    SELECT (SELECT max(ended_at) FROM ops.sweeps) AS listing, ({_OF_ORDERS}) AS orders,
        max(merged_at) FILTER (WHERE kind = 'description') AS description,
        max(merged_at) FILTER (WHERE kind = 'inventory') AS inventory,
        max(merged_at) FILTER (WHERE kind = 'freight') AS freight
    FROM ops.raw_files
"""
# table -> what is written to it: sweeps say which products are on offer, descriptions whose a SKU is
_WRITTEN_BY: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        **{table.full_name: ("description",) for table in tables.CATALOG_TABLES},
        **{table.full_name: ("listing", "description") for table in (tables.PRODUCTS, tables.LISTING_CHANGES)},
        tables.FEED_PRODUCTS.full_name: ("listing",),
        **{
            table.full_name: ("inventory", "description")
            for table in (tables.INVENTORY_LEVELS, tables.INVENTORY_CHANGES)
        },
        **{table.full_name: ("freight",) for table in (tables.FREIGHT_QUOTES, tables.FREIGHT_FAILURES)},
        **{table.full_name: ("orders",) for table in ORDER_TABLES},
    }
)


def since_snapshot(database: Database, snapshot: Published) -> list[Alteration]:
    """Where a table to which we wrote nothing since that snapshot does not hold what its file does.

    Raises `DatabaseProblem` and `LakeProblem`. A file that cannot be read is for `storage.lake.damage` to tell.
    """
    found = []
    with database.adbc() as rows:
        rows.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        standing = look(rows)
        [written] = rows.run(_LAST_WRITTEN)
        last: dict[str, datetime] = {kind: at for kind, at in zip(_KINDS, written, strict=True) if at is not None}
        is_base = standing.base == Base(snapshot.name, snapshot.taken_at)
        for table in ALL_TABLES:
            if table.full_name not in snapshot.row_counts:
                continue
            untouched = is_base and not standing.is_written(table)
            if not untouched and any(
                last[by] >= snapshot.taken_at for by in _WRITTEN_BY[table.full_name] if by in last
            ):
                continue
            try:
                path = f"{ROOT}/{snapshot.name}/{table.schema}/{table.name}.parquet"
                with snapshot.lake.open_input(path) as file:
                    theirs = measure_in_parquet(file, table)
            except (Mismatch, LakeProblem):
                continue
            try:
                compare(table, measure_in_postgres(rows, table), theirs)
            except Mismatch as mismatch:
                found.append(Alteration(table.full_name, mismatch.difference))
        rows.run("ROLLBACK")
    return found
