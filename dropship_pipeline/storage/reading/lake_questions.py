"""A person's question to a published snapshot: one statement of SQL that only reads, answered by DuckDB.

The tables are there by the names that they have in Postgres. DuckDB is given them and nothing else: no file, no
network, no extension. Values are written as Postgres writes them: an answer reads the same wherever it comes from.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from math import inf, isfinite
from typing import Any

import duckdb
import orjson
import pyarrow as pa

from dropship_pipeline.storage.lake.published import Published
from dropship_pipeline.storage.reading.questions import Answer, BadQuestion, Column

_ROWS_AT_A_TIME = 10_000
_ASK = "Ask with one SELECT, TABLE, VALUES, WITH, DESCRIBE or SHOW"
_QUESTIONS = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}

_CLOSED = (
    "SET TimeZone = 'UTC'",
    "SET python_enable_replacements = false",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)


def _text(value: object) -> str:
    return str(value)


def _boolean(value: bool) -> str:
    return "t" if value else "f"


def _number(value: Decimal) -> str:
    return f"{value:f}"


def _float(value: float) -> str:
    if not isfinite(value):
        return {inf: "Infinity", -inf: "-Infinity"}.get(value, "NaN")
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def _instant(value: datetime) -> str:
    fraction = f".{value.microsecond:06}".rstrip("0") if value.microsecond else ""
    return value.strftime("%Y-%m-%d %H:%M:%S") + fraction + ("+00" if value.tzinfo else "")


def _bytes(value: bytes) -> str:
    return f"\\x{value.hex()}"


def _document(value: object) -> str:
    return orjson.dumps(value, default=str).decode()


def _pairs(value: list[tuple[str, object]]) -> str:
    return orjson.dumps(dict(value), default=str, option=orjson.OPT_NON_STR_KEYS).decode()


@dataclass(frozen=True, slots=True)
class _Type:
    """A kind of Arrow types: the OIDs that Postgres gives it and lists of it, and how Postgres writes one."""

    fits: Callable[[pa.DataType], bool]
    oid: int
    array_oid: int
    write: Callable[[Any], str]


_TYPES = (
    _Type(pa.types.is_boolean, 16, 1000, _boolean),
    _Type(pa.types.is_integer, 20, 1016, _text),
    _Type(pa.types.is_floating, 701, 1022, _float),
    _Type(pa.types.is_decimal, 1700, 1231, _number),
    _Type(pa.types.is_date, 1082, 1182, _text),
    _Type(pa.types.is_timestamp, 1184, 1185, _instant),
    _Type(pa.types.is_binary, 17, 1001, _bytes),
    _Type(pa.types.is_map, 114, 199, _pairs),
    _Type(pa.types.is_nested, 114, 199, _document),
    _Type(lambda _: True, 25, 1009, _text),
)


@contextmanager
def ask_snapshot(snapshot: Published, question: str) -> Iterator[Answer]:
    """Ask; the rows come as they are read. Raises `BadQuestion` with DuckDB's own words, here or on the way.

    Raises `SnapshotGone` if the snapshot is thrown away meanwhile.
    """
    with duckdb.connect(":memory:") as connection:
        _register(connection, snapshot)
        with _in_words(snapshot):
            reader = _opened(connection, question)
            columns = tuple(Column(field.name, _oid(field.type)) for field in reader.schema)
        yield Answer(columns, _rows(reader, snapshot))


def _register(connection: duckdb.DuckDBPyConnection, snapshot: Published) -> None:
    for name in snapshot.tables:
        schema, _, table = name.partition(".")
        connection.register(f"published_{schema}_{table}", snapshot.dataset(name))
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_quoted(schema)}")
        published = _quoted(f"published_{schema}_{table}")
        view = f"CREATE VIEW {_quoted(schema)}.{_quoted(table)} AS SELECT * FROM {published}"  # noqa: S608  quoted names
        connection.execute(view)
    for statement in _CLOSED:
        connection.execute(statement)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _opened(connection: duckdb.DuckDBPyConnection, question: str) -> pa.RecordBatchReader:
    statements = connection.extract_statements(question)
    if [statement.type for statement in statements if statement.type not in _QUESTIONS] or len(statements) != 1:
        raise BadQuestion("That is not one question", _ASK)
    with warnings.catch_warnings():
        # of an extra copy of each batch: the other way to ask takes no statement that was looked at before
        warnings.simplefilter("ignore", UserWarning)
        reader = connection.execute(statements[0]).to_arrow_reader(_ROWS_AT_A_TIME)
    if reader is None:
        raise BadQuestion("That is no question", _ASK)
    return reader


def _rows(reader: pa.RecordBatchReader, snapshot: Published) -> Iterator[tuple[str | None, ...]]:
    writers = [_writer(field.type) for field in reader.schema]
    while True:
        with _in_words(snapshot):
            try:
                batch = reader.read_next_batch()
            except StopIteration:
                return
        columns = [
            [None if value is None else write(value) for value in column.to_pylist()]
            for column, write in zip(batch.columns, writers, strict=True)
        ]
        yield from zip(*columns, strict=True)


@contextmanager
def _in_words(snapshot: Published) -> Iterator[None]:
    try:
        yield
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        snapshot.require_there()
        _, _, said = str(error).partition("Error: ")
        first = " ".join((said or str(error)).split("\n\n")[0].split()).rstrip("?!.")
        raise BadQuestion(f"The question cannot be answered: {first}", _remedy(error)) from None


def _remedy(error: Exception) -> str:
    if isinstance(error, duckdb.PermissionException):
        return "Only the tables of the snapshot can be read"
    if isinstance(error, duckdb.CatalogException | duckdb.BinderException):
        return 'docs/tables.md lists tables and columns; so does: dropship sql --lake "SHOW ALL TABLES"'
    return ""


def _type(of: pa.DataType) -> _Type:
    return next(kind for kind in _TYPES if kind.fits(of))


def _oid(of: pa.DataType) -> int:
    return _type(of.value_type).array_oid if isinstance(of, pa.ListType) else _type(of).oid


def _writer(of: pa.DataType) -> Callable[[Any], str]:
    """How a value of this type is written in Postgres."""
    if isinstance(of, pa.ListType):
        element = _type(of.value_type).write
        return lambda values: "{" + ",".join(_item(element, value) for value in values) + "}"
    return _type(of).write


def _item(write: Callable[[Any], str], value: object) -> str:
    """An element of an array: quoted where it could be taken for something else."""
    if value is None:
        return "NULL"
    said = write(value)
    if said and said.upper() != "NULL" and not any(sign in '{}",\\' or sign.isspace() for sign in said):
        return said
    return '"' + said.replace("\\", "\\\\").replace('"', '\\"') + '"'
