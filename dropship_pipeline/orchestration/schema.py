"""A table's definition as Dagster shows it: column schema, table name, description. Derived, never written twice."""

from collections.abc import Sequence

import dagster as dg

from dropship_pipeline.tables.model import Column, Table

SNAPSHOT = dg.AssetKey(["lake", "snapshot"])
"""The published Parquet snapshot."""


def _column(column: Column, table: Table) -> dg.TableColumn:
    description = column.comment + (f" [{column.unit}]" if column.unit else "")
    return dg.TableColumn(
        name=column.name,
        type=column.type.value,
        description=description,
        constraints=dg.TableColumnConstraints(
            nullable=column.nullable, other=["primary key"] if column.name in table.key else []
        ),
    )


def table_schema(table: Table) -> dg.TableSchema:
    """The columns of a table, and what holds for its rows."""
    return dg.TableSchema(
        columns=[_column(column, table) for column in table.columns],
        constraints=dg.TableConstraints(other=["append-only"]) if table.append_only else None,
    )


def table_spec(table: Table, deps: Sequence[dg.AssetKey], group: str) -> dg.AssetSpec:
    """The asset that is this table: key `schema/name`, its columns, what it is made from."""
    return dg.AssetSpec(
        key=asset_key(table),
        deps=deps,
        description=table.comment,
        group_name=group,
        kinds={"postgres"},
        metadata={"dagster/table_name": table.full_name, "dagster/column_schema": table_schema(table)},
    )


def asset_key(table: Table) -> dg.AssetKey:
    """`schema/name`."""
    return dg.AssetKey([table.schema, table.name])
