"""The file of one table or view: written from its rows in Postgres, read back, and held against them.

How rows come and how they lie in the file is here. Which files a snapshot gets, and from which moment, is in
`exports.py`; what is measured of both sides is in `verification.py`.
"""

from contextlib import closing
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dropship_pipeline.storage.lake.place import Draft
from dropship_pipeline.storage.lake.verification import Verified, compare, measure_in_parquet, measure_in_postgres
from dropship_pipeline.storage.server.arrow_connection import ArrowConnection
from dropship_pipeline.tables.arrow import MONEY, arrow_schema
from dropship_pipeline.tables.model import Column, Table, Type, View

_BATCH_BYTES = 2_000_000  # as Postgres sends them; a batch becomes a row group: some 25,000 price tiers
_UNITS = 10**MONEY.scale
_WHOLE = pa.decimal128(19, 0)  # what holds every integer of 64 bits


def path(table: Table | View) -> str:
    """Where its file is in the folder of a snapshot."""
    return f"{table.schema}/{table.name}.parquet"


def write_verified(connection: ArrowConnection, table: Table | View, draft: Draft) -> Verified:
    """Write the file as the transaction of the connection sees the table, and verify it.

    The rows of a product are together, in the order of its key; those of a change log are as they were written. Raises
    `LakeProblem`, `Mismatch`, and the driver's own errors.
    """
    source, order = table.full_name, _in_order(table)
    if isinstance(table, View):
        source, order = _evaluate(connection, table, order), ""
    _write(connection, table, _select(table, source) + order, draft)
    in_postgres = measure_in_postgres(connection, table, source)
    with draft.open_input(path(table)) as file:
        return compare(table, in_postgres, measure_in_parquet(file, table))


def _in_order(table: Table | View) -> str:
    """By key, but SKUs by their products: so a reader finds a product in one place, and Postgres has them by an index.

    A log is read from its beginning to its end, as all is that is read without an order.
    """
    columns = ("product_id", *table.key) if table.key[:1] == ("sku_id",) else table.key
    return f" ORDER BY {', '.join(columns)}" if columns else ""


def _evaluate(connection: ArrowConnection, view: View, order: str) -> str:
    """Put the rows of the view into a table that goes with the transaction: they are read twice. Gives its name."""
    name = f"pg_temp.{view.name}"
    connection.run(f"CREATE TEMPORARY TABLE {view.name} ON COMMIT DROP AS SELECT * FROM {view.full_name}{order}")  # noqa: S608  our own names
    return name


def _write(connection: ArrowConnection, table: Table | View, query: str, draft: Draft) -> None:
    schema = arrow_schema(table)
    with (
        draft.open_output(path(table)) as sink,
        pq.ParquetWriter(sink, schema, compression="zstd", write_page_checksum=True) as writer,
        closing(connection.batches(query, _BATCH_BYTES)) as batches,
    ):
        for batch in batches:
            writer.write_batch(_pinned(batch, schema))


def _select(table: Table | View, source: str) -> str:
    return f"SELECT {', '.join(map(_sent, table.columns))} FROM {source}"  # noqa: S608  our own names


def _sent(column: Column) -> str:
    """The column as Postgres is to send it. Of a number of any precision ADBC makes a text, which costs three times.

    What has more decimals than the type of the column would be rounded here, and found by the measures.
    """
    return f"({column.name} * {_UNITS})::bigint AS {column.name}" if column.type is Type.MONEY else column.name


def _pinned(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = [_typed(column, field.type) for column, field in zip(batch.columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _typed(column: "pa.Array[Any]", wanted: pa.DataType) -> "pa.Array[Any]":
    if wanted == MONEY:
        return column.cast(_WHOLE).view(MONEY)  # the same digits, and where the point is
    return (column.storage if isinstance(column, pa.ExtensionArray) else column).cast(wanted)
