"""A table's definition as Dagster shows it: column schema, table name, description. Derived, never written twice."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import dagster as dg

from dropship_pipeline import __version__
from dropship_pipeline.tables.model import Column, Table, View

ALIBABA = dg.AssetKey(["alibaba", "open_platform"])
"""Where it all comes from: no asset of ours."""

SNAPSHOT = dg.AssetKey(["lake", "snapshot"])
"""The published Parquet snapshot."""

OWNERS = ["team:data-engineering"]

# How old what analysts read may get, by group: late, and too late. The daily sync may take some hours, and the refresh
# of prices and stock comes by every hour; freight is quoted anew every week, a part of it each day.
_FRESH = MappingProxyType(
    {
        "discovery": (timedelta(hours=26), timedelta(hours=48)),
        "products": (timedelta(hours=8), timedelta(hours=26)),
        "inventory": (timedelta(hours=8), timedelta(hours=26)),
        "freight": (timedelta(hours=26), timedelta(hours=48)),
        "published": (timedelta(hours=8), timedelta(hours=26)),
        "marts": (timedelta(hours=26), timedelta(hours=48)),
        "orders": (timedelta(hours=26), timedelta(hours=48)),
    }
)


def _column(column: Column, table: Table | View) -> dg.TableColumn:
    description = column.comment + (f" [{column.unit}]" if column.unit else "")
    return dg.TableColumn(
        name=column.name,
        type=column.type.value,
        description=description,
        constraints=dg.TableColumnConstraints(
            nullable=column.nullable, other=["primary key"] if column.name in table.key else []
        ),
    )


def table_schema(table: Table | View) -> dg.TableSchema:
    """The columns of a table or view, and what holds for its rows."""
    append_only = isinstance(table, Table) and table.append_only
    return dg.TableSchema(
        columns=[_column(column, table) for column in table.columns],
        constraints=dg.TableConstraints(other=["append-only"]) if append_only else None,
    )


def column_lineage(table: Table | View) -> dg.TableColumnLineage:
    """Which columns of other tables each column is of: by the references of a table, by what a view reads."""
    if isinstance(table, View):
        origins = {column.name: column.reads for column in table.columns if column.reads}
    else:
        origins = {
            name: tuple(f"{reference.table}.{name}" for reference in table.references if name in reference.columns)
            for name in table.column_names
        }
    return dg.TableColumnLineage(
        {
            name: [
                dg.TableColumnDep(asset_key=dg.AssetKey(origin.split(".")[:2]), column_name=origin.split(".")[2])
                for origin in found
            ]
            for name, found in origins.items()
            if found
        }
    )


def spec(
    key: dg.AssetKey,
    deps: Sequence[dg.AssetKey],
    group: str,
    description: str,
    *,
    kinds: AbstractSet[str],
    metadata: dict[str, Any] | None = None,
) -> dg.AssetSpec:
    """An asset of ours: with what all of them have."""
    late = _FRESH.get(group)
    return dg.AssetSpec(
        key=key,
        deps=deps,
        description=description,
        group_name=group,
        kinds=set(kinds),
        owners=OWNERS,
        metadata=metadata or {},
        code_version=__version__,
        freshness_policy=dg.FreshnessPolicy.time_window(warn_window=late[0], fail_window=late[1]) if late else None,
    )


def table_spec(table: Table, deps: Sequence[dg.AssetKey], group: str) -> dg.AssetSpec:
    """The asset that is this table: key `schema/name`, its columns, what it is made from."""
    return spec(asset_key(table), deps, group, table.comment, kinds={"postgres"}, metadata=_told(table))


def view_spec(view: View, deps: Sequence[dg.AssetKey], group: str) -> dg.AssetSpec:
    """The asset that is this view: key `schema/name`."""
    return spec(asset_key(view), deps, group, view.comment, kinds={"postgres", "view"}, metadata=_told(view))


def _told(table: Table | View) -> dict[str, Any]:
    lineage = column_lineage(table)
    return {
        "dagster/table_name": table.full_name,
        "dagster/column_schema": table_schema(table),
        **({"dagster/column_lineage": lineage} if lineage.deps_by_column else {}),
    }


def landed_spec(kind: str, description: str, deps: Sequence[dg.AssetKey], group: str) -> dg.AssetSpec:
    """The asset that is the answers of a kind as they came, in the lake: key `raw/kind`."""
    return spec(dg.AssetKey(["raw", kind]), deps, group, description, kinds={"parquet"})


def asset_key(table: Table | View) -> dg.AssetKey:
    """`schema/name`."""
    return dg.AssetKey([table.schema, table.name])
