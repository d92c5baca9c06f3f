"""A person's question to the tables: one statement of SQL that cannot write, its rows streamed as Postgres writes them.

The server itself holds the question to that: it is opened as a cursor from within a procedure, which takes neither two
statements nor one that gives no rows, in a transaction that is read-only for good because it has read already.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg2
import psycopg2.extensions
from psycopg2.extras import wait_select

from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.storage.server.failures import as_problem, in_our_words

_ROWS_AT_A_TIME = 1_000
_NO_CURSOR = "42P11"  # what was asked is no question, or two
_UNKNOWN = frozenset({"42P01", "42703", "3F000"})  # a table, a column, a schema
_TABLES = 'docs/tables.md lists tables and columns; so does: dropship sql "TABLE information_schema.columns"'

# The formats are Postgres's defaults, which the database or the user may have changed; a question is read to its end,
# so it is planned for that.
_PREPARE = """
    SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO'; SET LOCAL IntervalStyle = 'iso_8601';
    SET LOCAL bytea_output = 'hex'; SET LOCAL cursor_tuple_fraction = 1.0;
    SELECT set_config('dropship.question', %s, true)
"""
_OPEN = """
    DO $$
    DECLARE answer refcursor := 'dropship_answer';
    BEGIN
        OPEN answer FOR EXECUTE current_setting('dropship.question');
    END $$
"""

_BOOL, _JSON, _JSONB = 16, 114, 3802
_INTEGERS = frozenset({20, 21, 23, 26})
_FLOATS = frozenset({700, 701})
_NUMERIC = 1700
_INSTANTS = frozenset({1114, 1184})
_AS_WRITTEN = psycopg2.extensions.new_type(
    tuple(psycopg2.extensions.string_types), "AS_WRITTEN", lambda value, _: value
)


class BadQuestion(Problem):
    """Postgres does not understand the SQL, or it is no question."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of an answer: its name, and the OID of its type."""

    name: str
    type_oid: int

    @property
    def is_number(self) -> bool:
        """Whether it is read from the right."""
        return self.type_oid in _INTEGERS | _FLOATS | {_NUMERIC}

    @property
    def is_json(self) -> bool:
        """Whether its text is a JSON document."""
        return self.type_oid in {_JSON, _JSONB}

    @property
    def is_boolean(self) -> bool:
        """Whether its text is `t` or `f`."""
        return self.type_oid == _BOOL

    def value(self, written: str) -> object:
        """What the text says: numbers, booleans, lists of arrays; money and everything else stays text.

        Times are ISO 8601, in UTC where the type has a zone. A float that is no number stays text too.
        """
        if self.is_boolean:
            return written == "t"
        if self.type_oid in _INTEGERS:
            return int(written)
        if self.type_oid in _FLOATS:
            number = float(written)
            return number if number - number == 0 else written
        if self.type_oid in _INSTANTS:
            return _iso(written)
        if written.startswith("{") and not self.is_json:
            array = psycopg2.extensions.string_types.get(self.type_oid)
            return written if array is None else array(written, None)
        return written


@dataclass(frozen=True, slots=True)
class Answer:
    """The columns, and the rows as they come, each value as Postgres writes it; None is NULL. To be read once."""

    columns: tuple[Column, ...]
    rows: Iterator[tuple[str | None, ...]]


@contextmanager
def ask(database: Database, question: str) -> Iterator[Answer]:
    """Ask; memory stays constant however many rows there are. Ctrl-C ends a question that takes long.

    Raises `BadQuestion` with the server's own words, here or while the rows are read.
    """
    with _interruptible(), in_our_words(database.address), _cursor(database) as cursor:
        with _words_of_the_server(database):
            cursor.execute(_PREPARE, (question,))
            cursor.execute(_OPEN)
            first = _fetch(cursor)
        columns = tuple(Column(column.name, column.type_code) for column in cursor.description)
        yield Answer(columns, _rows(cursor, first, database))


@contextmanager
def _cursor(database: Database) -> Iterator[Any]:
    """A cursor on a connection of its own: what is set on that must not be met by others in the pool."""
    pooled = database.sqlalchemy.raw_connection()
    driver: Any = pooled.driver_connection
    pooled.detach()
    with closing(driver):
        driver.set_session(readonly=True)
        with driver.cursor() as cursor:
            psycopg2.extensions.register_type(_AS_WRITTEN, cursor)
            yield cursor


@contextmanager
def _interruptible() -> Iterator[None]:
    """Have Ctrl-C cancel what the server does: the driver by itself would wait for the answer first."""
    psycopg2.extensions.set_wait_callback(wait_select)
    try:
        yield
    finally:
        psycopg2.extensions.set_wait_callback(None)


def _fetch(cursor: Any) -> list[tuple[str | None, ...]]:
    cursor.execute(f"FETCH {_ROWS_AT_A_TIME} FROM dropship_answer")
    rows: list[tuple[str | None, ...]] = cursor.fetchall()
    return rows


def _rows(cursor: Any, batch: list[tuple[str | None, ...]], database: Database) -> Iterator[tuple[str | None, ...]]:
    while batch:
        yield from batch
        if len(batch) < _ROWS_AT_A_TIME:
            return
        with _words_of_the_server(database):
            batch = _fetch(cursor)


@contextmanager
def _words_of_the_server(database: Database) -> Iterator[None]:
    try:
        yield
    except psycopg2.Error as error:
        if error.pgcode is None:
            raise  # the connection, not the question
        if error.pgcode == _NO_CURSOR:
            raise BadQuestion(
                "That is not one question", "Ask with one SELECT, TABLE, VALUES, WITH, SHOW or EXPLAIN"
            ) from None
        if error.pgcode.startswith(("08", "57P")):
            raise as_problem(error, database.address) or error from error
        said = error.diag.message_primary or str(error).strip()
        remedy = error.diag.message_hint or (_TABLES if error.pgcode in _UNKNOWN else "")
        raise BadQuestion(f"The question cannot be answered: {said}", remedy) from None


def _iso(written: str) -> str:
    """`2026-11-23 11:30:12.5+00` as ISO 8601: with a T, and minutes in the zone. `infinity` stays what it is."""
    if not written[:1].isdigit():
        return written
    return written.replace(" ", "T", 1) + (":00" if written.endswith("+00") else "")
