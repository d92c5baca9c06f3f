"""The Arrow schema of a table: one pinned schema a table, so that no two batches ever differ in type.

Also Arrow without pandas, for processes that have no use for it.
"""

import sys
from collections.abc import Sequence
from functools import cache
from importlib.abc import MetaPathFinder
from types import MappingProxyType, ModuleType

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


class _NoPandas(MetaPathFinder):
    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:  # noqa: ARG002  as importlib calls it
        if fullname == "pandas":
            raise ModuleNotFoundError(fullname, name=fullname)


def without_pandas() -> None:
    """Keep pyarrow from importing pandas: for a process that never hands it a Series. Repeating it does nothing.

    Before its first array pyarrow imports pandas if there is any, once, to tell its Series from other sequences: 40 MB
    and a fifth of a second. Where pandas is imported already, nothing is done; `to_pandas` imports it all the same.
    """
    if "pandas" in sys.modules:
        return
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.array([None])
    finally:
        sys.meta_path.remove(finder)
