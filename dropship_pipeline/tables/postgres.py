"""The DDL of a table in Postgres, comments included. Migrations freeze its output; a test holds the two together."""

from dropship_pipeline.tables.model import Column, Table


def literal(text: str) -> str:
    """A string literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def _described(column: Column) -> str:
    parts = [column.comment]
    if column.unit:
        parts.append(f"[{column.unit}]")
    if column.source:
        parts.append(f"(guide {column.source})")
    return " ".join(parts)


def create_table(table: Table) -> list[str]:
    """The statements that make the table: itself, its indexes, its comments."""
    lines = [f"    {c.name} {c.type.value}{'' if c.nullable else ' NOT NULL'}" for c in table.columns]
    if table.key:
        lines.append(f"    PRIMARY KEY ({', '.join(table.key)})")
    statements = [f"CREATE TABLE {table.full_name} (\n" + ",\n".join(lines) + "\n)"]
    statements += [
        f"CREATE INDEX {table.name}_{'_'.join(columns)} ON {table.full_name} ({', '.join(columns)})"
        for columns in table.indexes
    ]
    statements.append(f"COMMENT ON TABLE {table.full_name} IS {literal(table.comment)}")
    statements += [
        f"COMMENT ON COLUMN {table.full_name}.{column.name} IS {literal(_described(column))}"
        for column in table.columns
    ]
    return statements
