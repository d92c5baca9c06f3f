"""Which tables were written to since they were last published, as their triggers note it in `ops.table_writes`.

Every transaction that touches a row of such a table leaves a mark, a row of its own, that commits with it: nobody waits
for anybody, and what a transaction sees of the tables it sees of the marks. A publish removes the marks that it saw,
and no others, in the transaction that records its snapshot in `ops.publishes` (ADR 0018). Files are not in here.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Protocol

from sqlalchemy import Connection, text

from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.tables.arrow import arrow_schema
from dropship_pipeline.tables.model import Table, View
from dropship_pipeline.tables.postgres import literal
from dropship_pipeline.tables.registry import PUBLISHED, PUBLISHED_VIEWS, TABLES, VIEWS

_VIEWS: Mapping[str, View] = MappingProxyType({view.full_name: view for view in VIEWS})

_MARKS = "SELECT table_name, transaction_id, began_at FROM ops.table_writes"
_BASE = "SELECT number, snapshot, taken_at, versions::text FROM ops.publishes ORDER BY number DESC LIMIT 1"
# Of what a table is made, and whether all its writes are noted: what insert (4), delete (8), update (16) and truncate
# (32) call. A trigger that was off for a while was altered, and is another version of its row.
_STATES = """
    SELECT n.nspname || '.' || c.relname, c.relkind = 'v' OR coalesce(w.noted & 60 = 60, false),
        concat_ws(' ', c.oid, c.relfilenode, w.versions,
            CASE WHEN c.relkind = 'v' THEN pg_get_viewdef(c.oid) END,
            (SELECT string_agg(concat_ws(':', a.attnum, a.attname, a.atttypid, a.atttypmod), ' ' ORDER BY a.attnum)
                FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped))
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN LATERAL (
        SELECT bit_or(t.tgtype::int) AS noted,
            string_agg(concat_ws(':', t.oid, t.xmin::text), ' ' ORDER BY t.oid) AS versions
        FROM pg_trigger t
        WHERE t.tgrelid = c.oid AND t.tgfoid = to_regproc('ops.note_write')::oid AND t.tgenabled = 'A'
    ) w ON true
    WHERE n.nspname || '.' || c.relname = ANY (ARRAY[{names}])
"""

_CLAIM = text("""
    INSERT INTO ops.publishes (number, snapshot, taken_at, versions)
    VALUES (:number, :snapshot, :taken_at, CAST(:versions AS jsonb))
    ON CONFLICT (number) DO NOTHING
""")
_FORGET = text("DELETE FROM ops.publishes WHERE number < :number")
_CONSUME = text("""
    DELETE FROM ops.table_writes w
    USING unnest(CAST(:tables AS text[]), CAST(:transactions AS bigint[]), CAST(:began AS timestamptz[]))
        AS seen (table_name, transaction_id, began_at)
    WHERE w.table_name = seen.table_name AND w.transaction_id = seen.transaction_id AND w.began_at = seen.began_at
""")
# A mark that commits after those that it stands for: whoever does not see it does not remove it either
_GATHER = text("""
    WITH gone AS (DELETE FROM ops.table_writes RETURNING table_name)
    INSERT INTO ops.table_writes (table_name, transaction_id, began_at)
    SELECT DISTINCT table_name, CAST(CAST(pg_current_xact_id() AS text) AS bigint), now() FROM gone
""")


@dataclass(frozen=True, slots=True)
class Base:
    """A snapshot that this database published: its name, and the moment that its tables show (UTC)."""

    snapshot: str
    taken_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """How the tables stand at the moment that one transaction sees, `taken_at` (UTC).

    `base`: the snapshot that this database published last; None if it never did. `number`: how many it published.
    `marks`: (table, number of the transaction, when that began) of what was written since then. `states`: what each
    table and view that has all its writes noted is made of in Postgres. `versions`: of each table, at `base`.
    """

    taken_at: datetime
    number: int
    base: Base | None
    marks: frozenset[tuple[str, int, datetime]]
    states: Mapping[str, str]
    versions: Mapping[str, str]

    def version(self, table: str) -> str:
        """Of the rows of this table (`schema.name`): as long as it and the table's state stay, they are the same.

        The marks that a publish removes go into it, so it outlives them.
        """
        marks = sorted(
            (number, began.astimezone(UTC).isoformat()) for name, number, began in self.marks if name == table
        )
        then = self.versions.get(table, "")
        return hashlib.sha256(json.dumps([then, marks]).encode()).hexdigest() if marks else then

    def is_written(self, table: Table | View) -> bool:
        """Whether the table, or what the view reads, was written to since `base`, or may have been unnoticed."""
        read = tables_of(table)
        return not {table.full_name, *read} <= self.states.keys() or bool(read & {name for name, _, _ in self.marks})

    def made_of(self, table: Table | View) -> str:
        """A fingerprint of the definition, and of what it is in Postgres: a file of another one does not stand for it.

        It covers neither the rows nor how they are written to the file.
        """
        digest = hashlib.sha256(arrow_schema(table).serialize())
        for name in (table.full_name, *sorted(tables_of(table))):
            digest.update(self.states.get(name, "").encode())
        return digest.hexdigest()


def tables_of(table: Table | View) -> frozenset[str]:
    """The tables whose rows are in it, `schema.name`: of a table itself, of a view those that it reads."""
    if isinstance(table, Table):
        return frozenset({table.full_name})
    return frozenset().union(*(tables_of(_VIEWS.get(name) or TABLES[name]) for name in table.sources))


class Asked(Protocol):
    """What runs a statement and gives its rows, in a transaction that is under way."""

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows of this statement."""


def look(connection: Asked) -> Standing:
    """How the tables stand in the transaction of this connection, which sees one moment (REPEATABLE READ)."""
    published: tuple[Table | View, ...] = (*PUBLISHED, *PUBLISHED_VIEWS)
    names = {table.full_name for table in published}.union(*(tables_of(table) for table in published))
    [(taken_at,)] = connection.run("SELECT now()")
    base = connection.run(_BASE)
    states = connection.run(_STATES.format(names=", ".join(literal(name) for name in sorted(names))))
    return Standing(
        taken_at.astimezone(UTC),
        base[0][0] if base else 0,
        Base(base[0][1], base[0][2].astimezone(UTC)) if base else None,
        frozenset((name, transaction, began) for name, transaction, began in connection.run(_MARKS)),
        {name: state for name, is_noted, state in states if is_noted},
        json.loads(base[0][3]) if base else {},
    )


def settle(connection: Connection, standing: Standing, snapshot: str) -> None:
    """Within a transaction: this snapshot is what the tables were at `standing`. Call it when it is the newest.

    Does nothing if somebody else has published since `standing`: what he wrote anew is not in this snapshot.
    """
    number = standing.number + 1
    claimed = {
        "number": number,
        "snapshot": snapshot,
        "taken_at": standing.taken_at,
        "versions": json.dumps({name: version for name in sorted(TABLES) if (version := standing.version(name))}),
    }
    if not connection.execute(_CLAIM, claimed).rowcount:
        return
    connection.execute(_FORGET, {"number": number})
    if standing.marks:
        tables, transactions, began = (list(values) for values in zip(*standing.marks, strict=True))
        connection.execute(_CONSUME, {"tables": tables, "transactions": transactions, "began": began})


def gather(database: Database) -> None:
    """Put one mark a table in the place of all: they do not pile up where nobody publishes."""
    with database.begin() as connection:
        connection.execute(_GATHER)
