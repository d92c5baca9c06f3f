"""Whether a Parquet file holds what its table holds: both are measured, each by its own means, and compared.

Postgres measures in SQL, in the transaction that the file was written from; the file is read back from where it lies,
with the checksums of its pages. No measure depends on the order of the rows. Writing the files is in `snapshots.py`.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.server.arrow_connection import ArrowConnection
from dropship_pipeline.tables.arrow import arrow_schema
from dropship_pipeline.tables.model import Column, Table, Type, View

_SHOWN = 3  # differences in a message: more of them are of the same making
_REMEDY = "The newest snapshot is left as it was. Publish again; if it says so again, check the lake's disk or bucket"


class Mismatch(Problem):
    """A Parquet file does not hold what its table holds. `table` is its full name, `difference` says how."""

    def __init__(self, table: Table | View, what: str) -> None:
        self.table = table.full_name
        self.difference = what
        super().__init__(f"The Parquet file of {self.table} does not hold what the table holds: {what}", _REMEDY)


@dataclass(frozen=True, slots=True)
class Verified:
    """A file that holds what its table (`schema.table`) holds: its rows, and how many measures were compared.

    They were when it was written: now, or when an earlier snapshot was published that it is taken over from.
    """

    table: str
    rows: int
    measures: int


Measures = Mapping[str, Any]
"""What one side measures of a table, by `rows` and `column: measure`; None where there is nothing to measure."""


@dataclass(frozen=True, slots=True)
class _Measure:
    """Something about one column: in SQL (`{}` is the column), of an Arrow array, and of what two arrays gave."""

    name: str
    sql: str
    of_array: Callable[[Any], Any]
    of_two: Callable[[Any, Any], Any] = operator.add
    read: Callable[[Any], Any] = lambda value: value


def _wrapped(total: int) -> int:
    """As 64 bits hold it: Arrow's sum of integers wraps around."""
    return (total + 2**63) % 2**64 - 2**63


def _bounds(array: Any) -> tuple[Any, Any]:
    return pc.min(array).as_py(), pc.max(array).as_py()


def _outer(one: tuple[Any, Any], other: tuple[Any, Any]) -> tuple[Any, Any]:
    if None in one or None in other:
        return other if None in one else one
    return min(one[0], other[0]), max(one[1], other[1])


def _sum(array: Any) -> Any:
    return pc.sum(array).as_py()


_COUNT = _Measure("values", "count({})", lambda array: len(array) - array.null_count)
_BYTES = _Measure("bytes", "sum(octet_length({}))", lambda array: _sum(pc.binary_length(array)))
# sums as text: ADBC has no type for a number of any precision
_WHOLE = _Measure("sum", "sum({})::text", _sum, lambda a, b: _wrapped(a + b), lambda text: _wrapped(int(text)))
_MONEY = _Measure("sum", "sum({})::text", _sum, read=Decimal)
_ITEMS = _Measure("items", "sum(cardinality({}))", lambda array: _sum(pc.list_value_length(array)))
_TRUE = _Measure("true", "count(*) FILTER (WHERE {})", lambda array: array.true_count)
_RANGE = _Measure("range", "ARRAY[min({0}), max({0})]", _bounds, _outer, tuple)

_OF_TYPE: Mapping[Type, tuple[_Measure, ...]] = MappingProxyType(
    {
        Type.TEXT: (_BYTES,),
        Type.INTEGER: (_WHOLE,),
        Type.BIGINT: (_WHOLE,),
        Type.DOUBLE: (_RANGE,),  # what floats add up to depends on their order
        Type.MONEY: (_MONEY,),
        Type.TIMESTAMP: (_RANGE,),
        Type.BOOLEAN: (_TRUE,),
        Type.JSON: (),  # Postgres may write one value in several ways
        Type.BYTES: (_BYTES,),
        Type.TEXTS: (_ITEMS,),
    }
)


def _measures(column: Column) -> Sequence[_Measure]:
    # a column that is never NULL has as many values as there are rows: the writer of Parquet sees to that
    return ((_COUNT,) if column.nullable else ()) + _OF_TYPE[column.type]


def count_measures(table: Table | View) -> int:
    """How many measures of the table are compared."""
    return 1 + sum(len(_measures(column)) for column in table.columns)


def measure_in_postgres(connection: ArrowConnection, table: Table | View, source: str = "") -> Measures:
    """Measure the table over a connection, in its transaction: one pass, whatever the number of columns.

    `source`: what its rows are read from, if not from itself.
    """
    wanted = [(column.name, measure) for column in table.columns for measure in _measures(column)]
    selected = ", ".join(["count(*)", *(measure.sql.format(name) for name, measure in wanted)])
    [(rows, *found)] = connection.run(f"SELECT {selected} FROM {source or table.full_name}")  # noqa: S608  ours
    named = {
        f"{name}: {measure.name}": None if value is None else measure.read(value)
        for (name, measure), value in zip(wanted, found, strict=True)
    }
    return {"rows": rows, **named}


def measure_in_parquet(file: pa.NativeFile, table: Table | View) -> Measures:
    """Measure the file, a row group at a time. Raises `Mismatch` for one that cannot be read or has other columns."""
    found: dict[str, Any] = {"rows": 0}
    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as reader:
            if not reader.schema_arrow.equals(arrow_schema(table)):
                raise Mismatch(table, "its columns are others")
            for index in range(reader.num_row_groups):
                _take_in(found, table, reader.read_row_group(index, use_threads=False))
            if not reader.num_row_groups:
                _take_in(found, table, arrow_schema(table).empty_table())
    except (OSError, pa.ArrowException) as error:
        if getattr(error, "errno", None):
            raise  # the file system's word, not the file's
        raise Mismatch(table, f"it cannot be read back ({str(error).strip().splitlines()[0]})") from error
    return found


def _take_in(found: dict[str, Any], table: Table | View, rows: pa.Table) -> None:
    found["rows"] += rows.num_rows
    for batch in rows.to_batches() or [pa.RecordBatch.from_pylist([], rows.schema)]:
        for column, array in zip(table.columns, batch.columns, strict=True):
            for measure in _measures(column):
                name = f"{column.name}: {measure.name}"
                known, new = found.get(name), measure.of_array(array)
                found[name] = measure.of_two(known, new) if None not in (known, new) else known if new is None else new


def compare(table: Table | View, in_postgres: Measures, in_parquet: Measures) -> Verified:
    """Hold the two against each other. Raises `Mismatch` naming what differs."""
    differing = [
        f"{name} is {in_postgres[name]} in Postgres and {in_parquet[name]} in Parquet"
        for name in in_postgres
        if in_postgres[name] != in_parquet[name]
    ]
    if differing:
        more = f"; and {len(differing) - _SHOWN} more" if len(differing) > _SHOWN else ""
        raise Mismatch(table, "; ".join(differing[:_SHOWN]) + more)
    return Verified(table.full_name, in_postgres["rows"], len(in_postgres))
