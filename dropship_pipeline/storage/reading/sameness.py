"""Whether the rows of tables and views are those that they were: a fingerprint of each, for which no row is read.

That they are is certain, not likely: every write leaves a mark (ADR 0018), the marks that a publish removes go into the
version of the table, and whoever turns the triggers off for a while alters what the table is made of. What depends on
the time of day besides is for the caller to know.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, text

from dropship_pipeline.storage.lake.writes import Standing, look, tables_of
from dropship_pipeline.storage.reading.audits import read_only
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.tables.model import Table, View
from dropship_pipeline.tables.ops import HOLD_RULES

# the merchant's own few rows, whose writes leave no mark
_RULES = text(f"SELECT md5(string_agg(r::text, ' ' ORDER BY rule)) FROM {HOLD_RULES.full_name} r")  # noqa: S608  our own name
_SNAPSHOTS = text("SELECT EXISTS (SELECT FROM ops.snapshots)")
_VIEWS = text("""
    SELECT md5(string_agg(pg_get_viewdef(c.oid), ' ' ORDER BY c.relname))
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'v' AND n.nspname = 'marts'
""")


@dataclass(frozen=True, slots=True)
class _Rows:
    connection: Connection

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self.connection.exec_driver_sql(statement)]


def standing(connection: Connection) -> Standing:
    """How the tables stand in the transaction of this connection, which sees one moment: see `audits.read_only`."""
    stands = look(_Rows(connection))
    if stands.base is None and connection.execute(_SNAPSHOTS).scalar_one():
        return replace(stands, states={})  # somebody threw away what the publishes said: nothing is certain
    return stands


def version(stands: Standing, tables: Iterable[str]) -> list[tuple[str, str, str]] | None:
    """Of the rows of these tables together (`schema.name`); None: somebody may write to one and leave no mark."""
    names = sorted(tables)
    if not stands.states.keys() >= set(names):
        return None
    return [(name, stands.version(name), stands.states[name]) for name in names]


def fingerprints(database: Database, of: Iterable[Table | View]) -> dict[str, str]:
    """By `schema.name`, as they are at this moment. What is left out may be written to and leave no mark.

    Raises `DatabaseProblem`.
    """
    with database.begin() as connection:
        read_only(connection)
        stands = standing(connection)
        besides = {HOLD_RULES.full_name: connection.execute(_RULES).scalar_one()}
        views = connection.execute(_VIEWS).scalar_one()
    found = {}
    for one in of:
        read = tables_of(one)
        of_rows = version(stands, read - besides.keys())
        if of_rows is not None:
            told = [of_rows, sorted((name, besides[name]) for name in read & besides.keys()), views, one.column_names]
            found[one.full_name] = hashlib.blake2b(json.dumps(told).encode(), digest_size=16).hexdigest()
    return found
