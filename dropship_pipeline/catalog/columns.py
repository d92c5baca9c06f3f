"""Records into Arrow: tables in their own types, from rows or from columns. What the records hold is the builders'."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from dropship_pipeline.tables.arrow import arrow_schema
from dropship_pipeline.tables.model import Table


def arrow_table(table: Table, rows: Sequence[tuple[Any, ...]], left_out: frozenset[str] = frozenset()) -> pa.Table:
    """The rows as an Arrow table of this schema. Values in the order of its columns, those of `left_out` missing."""
    return arrow_columns(table, list(zip(*rows, strict=True)), left_out)


def arrow_columns(table: Table, columns: Sequence[Sequence[Any]], left_out: frozenset[str] = frozenset()) -> pa.Table:
    """The columns, in their order, as an Arrow table of this schema; those of `left_out` are missing. None: no rows."""
    full = arrow_schema(table)
    schema = pa.schema([field for field in full if field.name not in left_out])
    return pa.Table.from_arrays(
        [
            pa.array(column, type=field.type)
            for column, field in zip(columns or [()] * len(schema), schema, strict=True)
        ],
        schema=schema,
    )


def transposed(records: Sequence[tuple[Any, ...]], width: int) -> list[Sequence[Any]]:
    """The columns of records with `width` fields each; empty ones of no records."""
    return list(zip(*records, strict=True)) or [()] * width
