"""The DDL of tables and views in Postgres, comments included. Migrations freeze it; tests hold the two together."""

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

from dropship_pipeline.tables.model import Column, Table, View

_QUERIES = Path(__file__).parent / "sql"


def literal(text: str) -> str:
    """A string literal of SQL, the same whatever the server's `standard_conforming_strings`. Text has no NUL there."""
    quoted = text.replace("\0", "").replace("'", "''")
    return f"'{quoted}'" if "\\" not in quoted else " E'" + quoted.replace("\\", "\\\\") + "'"


def _described(column: Column) -> str:
    parts = [column.comment]
    if column.unit:
        parts.append(f"[{column.unit}]")
    if column.source:
        parts.append(f"(guide {column.source})")
    return " ".join(parts)


def index_name(table: Table, columns: Sequence[str]) -> str:
    """What the index of the table on these columns is called, in 63 bytes at most: Postgres cuts off the rest."""
    return f"{table.name}_{'_'.join(columns)}"[:63]


def create_table(table: Table) -> list[str]:
    """The statements that make the table: itself, its indexes, its comments."""
    lines = [f"    {c.name} {c.type.value}{'' if c.nullable else ' NOT NULL'}" for c in table.columns]
    if table.key:
        lines.append(f"    PRIMARY KEY ({', '.join(table.key)})")
    statements = [f"CREATE TABLE {table.full_name} (\n" + ",\n".join(lines) + "\n)"]
    statements += [
        f"CREATE INDEX {index_name(table, columns)} ON {table.full_name} ({', '.join(columns)})"
        + (f" INCLUDE ({', '.join(included)})" if included else "")
        for columns, included in zip_longest(table.indexes, table.included, fillvalue=())
    ]
    statements.append(f"COMMENT ON TABLE {table.full_name} IS {literal(table.comment)}")
    statements += [
        f"COMMENT ON COLUMN {table.full_name}.{column.name} IS {literal(_described(column))}"
        for column in table.columns
    ]
    return statements


def create_view(view: View) -> list[str]:
    """The statements that make the view, or the function where it has arguments, and its comments."""
    query = (_QUERIES / f"{view.name}.sql").read_text(encoding="utf-8").strip()
    if not view.arguments:
        return [
            f"CREATE VIEW {view.full_name} AS\n{query}",
            f"COMMENT ON VIEW {view.full_name} IS {literal(view.comment)}",
            *(f"COMMENT ON COLUMN {view.full_name}.{c.name} IS {literal(_described(c))}" for c in view.columns),
        ]
    given = ", ".join(f"{argument.name} {argument.type.value}" for argument in view.arguments)
    rows = ",\n".join(f"    {column.name} {column.type.value}" for column in view.columns)
    types = ", ".join(argument.type.value for argument in view.arguments)
    # one query, neither strict nor volatile: the planner puts it in the place of the call, and reads what is asked for
    return [
        (
            f"CREATE FUNCTION {view.full_name}({given}) RETURNS TABLE (\n{rows}\n)\n"
            f"LANGUAGE sql STABLE PARALLEL SAFE\nBEGIN ATOMIC\n{query};\nEND"
        ),
        f"COMMENT ON FUNCTION {view.full_name}({types}) IS {literal(view.comment)}",
    ]
