"""Records into Arrow: one `zip` a table, in the table's own types. What the records hold is the builders' business."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from dropship_pipeline.tables.arrow import arrow_schema
from dropship_pipeline.tables.model import Table


def arrow_table(table: Table, rows: Sequence[tuple[Any, ...]], left_out: frozenset[str] = frozenset()) -> pa.Table:
    """The rows as an Arrow table of this schema. Values in the order of its columns, those of `left_out` missing."""
    full = arrow_schema(table)
    schema = pa.schema([field for field in full if field.name not in left_out])
    columns: Sequence[Sequence[Any]] = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.Table.from_arrays(
        [pa.array(column, type=field.type) for column, field in zip(columns, schema, strict=True)], schema=schema
    )
