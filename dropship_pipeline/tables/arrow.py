"""The Arrow schema of a table: one pinned schema a table, so that no two batches ever differ in type."""

from functools import cache
from types import MappingProxyType

import pyarrow as pa

from dropship_pipeline.tables.model import Table, Type, View

MONEY = pa.decimal128(18, 4)
TIMESTAMP = pa.timestamp("us", tz="UTC")

ARROW_TYPES = MappingProxyType(
    {
        Type.TEXT: pa.string(),
        Type.INTEGER: pa.int32(),
        Type.BIGINT: pa.int64(),
        Type.DOUBLE: pa.float64(),
        Type.MONEY: MONEY,
        Type.TIMESTAMP: TIMESTAMP,
        Type.BOOLEAN: pa.bool_(),
        Type.JSON: pa.string(),
        Type.BYTES: pa.binary(),
        Type.TEXTS: pa.list_(pa.string()),
    }
)


@cache
def arrow_schema(table: Table | View) -> pa.Schema:
    """The schema of the rows. Comments travel as field metadata, so that a Parquet file explains itself."""
    return pa.schema(
        [
            pa.field(
                column.name, ARROW_TYPES[column.type], nullable=column.nullable, metadata={"comment": column.comment}
            )
            for column in table.columns
        ],
        metadata={"table": table.full_name, "comment": table.comment},
    )
