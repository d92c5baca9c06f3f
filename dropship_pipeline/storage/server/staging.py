"""Arrow tables into temporary tables, on one connection that is kept: the first half of every merge.

A staged table has the columns of the public one and no constraint, lives as long as the connection, and is empty again
after each transaction. What becomes of the rows is said by `merge_sql` and `memberships`.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import pyarrow as pa

from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.tables.model import Table, Type

T = TypeVar("T")


def staged(table: Table) -> str:
    """The name of the temporary table in which rows for `table` wait."""
    return f"staged_{table.name}"


class Stage:
    """One connection with its temporary tables. Raises the drivers' own errors: its users know what they mean."""

    def __init__(self, database: Database) -> None:
        self._connection = database.open_adbc()
        self._made: set[str] = set()
        self._as_defined: dict[str, bool] = {}

    def close(self) -> None:
        """Close the connection; a transaction under way is rolled back, the temporary tables go."""
        self._connection.close()

    def cancel(self) -> None:
        """From any thread: have Postgres cancel the statement that is under way, if one is."""
        self._connection.cancel()

    def do(self, job: Callable[[], T]) -> T:
        """What `job` gives, which runs many statements on this stage: cheaper than one by one."""
        return self._connection.do(job)

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        """Run one statement to its end, and give its rows."""
        return self._connection.run(statement)

    def arrow(self, query: str) -> pa.Table:
        """Run a query, and give its rows as an Arrow table."""
        return self._connection.arrow(query)

    def make(self, name: str, columns: str) -> None:
        """Make sure of a temporary table of these columns. Not within a transaction: a rollback would take it away."""
        if name not in self._made:
            self.run(_create(name, columns))
            self._made.add(name)

    def make_staged(self, tables: Iterable[Table], others: Mapping[str, str]) -> None:
        """Make sure of the temporary tables for the rows of `tables`, and of `others`: columns by name.

        By one statement, which is one transaction: each one waits for the disk.
        """
        statements: dict[str, list[str]] = {}
        for table in tables:
            columns = ", ".join(f"{column.name} {column.type.value}" for column in table.columns)
            # compressing long texts here, to decompress them at once, would cost more than all the rest
            plain = comma(
                f"ALTER {column.name} SET STORAGE EXTERNAL" for column in table.columns if column.type is Type.TEXT
            )
            statements[staged(table)] = [_create(staged(table), columns), f"ALTER TABLE {staged(table)} {plain}"]
        statements |= {name: [_create(name, columns)] for name, columns in others.items()}
        missing = [name for name in statements if name not in self._made]
        if missing:
            all_of_them = "; ".join(statement for name in missing for statement in statements[name])
            self.run(f"DO $make$ BEGIN {all_of_them}; END $make$")
            self._made.update(missing)

    def load(self, name: str, rows: pa.Table) -> None:
        """Copy rows into a temporary table; columns are matched by name, those not given stay NULL."""
        if rows.num_rows:
            self._connection.load("pg_temp", name, rows)

    def is_as_defined(self, table: Table) -> bool:
        """Whether the table has the columns of its definition, of those types; looked up once."""
        if table.full_name not in self._as_defined:
            [(altered,)] = self.run(_count_altered(table))
            self._as_defined[table.full_name] = altered == 0
        return self._as_defined[table.full_name]

    def append(self, table: Table, rows: pa.Table) -> None:
        """Copy rows into the table itself, half the cost of staging them; columns are matched by name.

        For rows that are known to be new, and a table that `is_as_defined`: what is copied is not cast, and would be
        taken for another number where a column is of another type.
        """
        if rows.num_rows:
            self._connection.load(table.schema, table.name, rows)


def _create(name: str, columns: str) -> str:
    return f"CREATE TEMPORARY TABLE {name} ({columns}) ON COMMIT DELETE ROWS"


def _count_altered(table: Table) -> str:
    defined = ", ".join(f"('{column.name}', '{column.type.value}'::regtype)" for column in table.columns)
    return f"""
        SELECT count(*) FROM (VALUES {defined}) AS defined (name, type)
        LEFT JOIN pg_attribute a ON a.attrelid = '{table.full_name}'::regclass AND a.attname = defined.name
        WHERE a.atttypid IS DISTINCT FROM defined.type
    """  # noqa: S608  names from the definitions


def comma(names: Iterable[str], prefix: str = "") -> str:
    """Names as SQL lists them, each behind a prefix."""
    return ", ".join(f"{prefix}{name}" for name in names)
