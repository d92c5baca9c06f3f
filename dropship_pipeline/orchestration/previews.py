"""Previews of tables and links to what they are, as Dagster's metadata. What a table holds is foreign text: it is shown
as it reads, and the UI's markdown finds nothing in it to obey. No asset logic here.
"""

import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

import dagster as dg
from sqlalchemy import text

from dropship_pipeline.storage.lake.snapshots import Snapshot
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.tables.model import Column, Table, Type, View

_SHOWN = 40
_NUMBERS = (int, float, Decimal)
_NOT_SHOWN = frozenset({Type.JSON, Type.BYTES})
# a cell ends at a bar and a code span at a backtick, whatever stands before them: they are shown by signs like them
_LOOKALIKES = {ord("|"): "¦", ord("`"): "ˋ"}


def preview(database: Database, table: Table | View, rows: int = 8) -> dg.MetadataValue:
    """The first rows by the key, or the newest where the table knows what is new, in the columns that say something.

    Only of published tables and of views: those hold no personal data. Raises ValueError for another one.
    """
    if isinstance(table, Table) and not table.published:
        raise ValueError(f"{table.full_name} is not published: its rows are not for everybody")
    columns = [column.name for column in table.columns if _is_shown(column, table)]
    newest = [f"{name} DESC" for name in ("observed_at", "changed_at") if name in table.column_names]
    order = ", ".join([*newest, *table.key])
    statement = f"SELECT {', '.join(columns)} FROM {table.full_name} ORDER BY {order} LIMIT {int(rows)}"  # noqa: S608  our own names
    with database.begin() as connection:
        found = connection.execute(text(statement)).all()
    if not found:
        return dg.MetadataValue.text("Nothing yet: the table is empty")
    told = [place for place in range(len(columns)) if any(row[place] is not None for row in found)]
    return dg.MetadataValue.md(
        markdown_table([columns[place] for place in told], [[row[place] for place in told] for row in found])
    )


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table in markdown, numbers to the right; whatever texts the rows hold, they stay texts in their cells."""
    numbers = [all(isinstance(row[place], (*_NUMBERS, type(None))) for row in rows) for place in range(len(headings))]
    lines = [headings, ["---:" if right else "---" for right in numbers]]
    lines += [[_cell(value) for value in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def snapshot_links(snapshot: Snapshot, table: Table) -> dict[str, dg.MetadataValue]:
    """Where a snapshot is, how to read `table` from it, and where the tables are described."""
    file = f"{snapshot.path}/{table.schema}/{table.name}.parquet"
    return {
        "path": dg.MetadataValue.path(snapshot.path),
        "read_with_pandas": dg.MetadataValue.md(_code(f"pandas.read_parquet({file!r})", None)),
        "docs": docs(table),
    }


def docs(table: Table | View) -> dg.MetadataValue:
    """Where the repository describes the table."""
    return dg.MetadataValue.path(f"docs/tables.md#{table.schema}{table.name}")


def _is_shown(column: Column, table: Table | View) -> bool:
    """Whether people can read it: no address, HTML or JSON, no ID besides the key's, not when we looked."""
    observed, append_only = (table.observed, table.append_only) if isinstance(table, Table) else ((), False)
    if column.type in _NOT_SHOWN or column.name in {"html", "url", *observed} or column.name.endswith("_url"):
        return False
    return column.name in table.key or append_only or not column.name.endswith("_id")


def _cell(value: object) -> str:
    match value:
        case None:
            return "–"
        case bool():
            return str(value).lower()
        case Decimal():
            return f"{value:,f}"
        case int() | float():
            return f"{value:,}"
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%d %H:%MZ")
        case _:
            return _code(str(value), _SHOWN)


def _code(said: str, room: int | None) -> str:
    """A code span, in which nothing means anything: no link, picture, tag, nor a direction turned round."""
    printable = "".join(" " if unicodedata.category(sign).startswith(("C", "Z")) else sign for sign in said)
    shown = " ".join(printable.split()).translate(_LOOKALIKES)
    if room is not None and len(shown) > room:
        shown = shown[: room - 1] + "…"
    return f"`{shown}`" if shown else '""'
