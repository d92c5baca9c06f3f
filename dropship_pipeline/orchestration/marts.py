"""The marts as assets: views that are always as true as their tables, looked at once a day for those who watch them."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import dagster as dg
from sqlalchemy import func, select
from sqlalchemy import table as sql_table

from dropship_pipeline.orchestration.carried import shown
from dropship_pipeline.orchestration.previews import docs, preview
from dropship_pipeline.orchestration.resources import RunStore
from dropship_pipeline.orchestration.schema import asset_key, view_spec
from dropship_pipeline.orchestration.stages import work
from dropship_pipeline.orchestration.tags import is_of_the_terminal
from dropship_pipeline.storage.reading.sameness import fingerprints
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.tables.marts.registry import MARTS
from dropship_pipeline.tables.model import Table, View
from dropship_pipeline.tables.registry import ALL_TABLES

# ops tables are no assets: a merchant's rules, the project's own book-keeping
_TOLD: list[Table | View] = [*ALL_TABLES, *MARTS]
_ASSETS = {one.full_name: asset_key(one) for one in _TOLD if one.schema != "ops"}


@dg.multi_asset(
    name="look_at_marts",
    specs=[view_spec(view, [_ASSETS[name] for name in view.sources if name in _ASSETS], "marts") for view in MARTS],
)
def marts_step(context: dg.AssetExecutionContext, store: dg.ResourceParam[RunStore]) -> Iterator[Any]:
    """Count the rows of each mart and show the first ones; of rows that are the same still, what was shown of them."""
    with work(store) as opened:
        # at a terminal nobody looks at the page, and a person waits
        if is_of_the_terminal(context.run):
            told: list[Any] = [dg.MaterializeResult(asset_key=asset_key(view)) for view in MARTS]
        else:
            rows = fingerprints(opened.database, MARTS)
            told = [
                shown(context, asset_key(view), rows.get(view.full_name), partial(_figures, opened.database, view))
                for view in MARTS
            ]
    yield from told


def _figures(database: Database, view: View) -> dict[str, Any]:
    counted = select(func.count()).select_from(sql_table(view.name, schema=view.schema))
    with database.begin() as connection:
        rows = connection.execute(counted).scalar_one()
    return {"preview": preview(database, view), "dagster/row_count": rows, "docs": docs(view)}
