"""How results are shown: tables to a person, plain lines to a pipe, JSON to a machine."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

import click


def is_person() -> bool:
    """Whether somebody looks at standard output."""
    return sys.stdout.isatty()


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return str(value)


def show_json(document: object) -> None:
    """One JSON document on standard output; money as text, times in ISO 8601 UTC."""
    click.echo(json.dumps(document, default=_plain, ensure_ascii=False, indent=2))


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> None:
    """A table; to a pipe, its cells separated by tabs."""
    if not is_person():
        click.echo("\t".join(columns))
        for row in rows:
            click.echo("\t".join("" if cell is None else " ".join(str(cell).split()) for cell in row))
        return
    from rich.console import Console  # noqa: PLC0415  only a person waits for it
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(title=title or None, title_justify="left", header_style="bold")
    rows = [list(row) for row in rows]
    for position, column in enumerate(columns):
        numeric = any(isinstance(row[position], int | float | Decimal) for row in rows)
        table.add_column(escape(column), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(cell) for cell in row))
    Console().print(table)


def _cell(value: object) -> str:
    from rich.markup import escape  # noqa: PLC0415

    if value is None:
        return "[dim]–[/dim]"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    return escape(str(value))


def show_facts(facts: Mapping[str, object]) -> None:
    """Names and values, a line each."""
    width = max((len(name) for name in facts), default=0)
    for name, value in facts.items():
        click.echo(f"{name:<{width}}  {'' if value is None else value}")


def age(moment: datetime | None, now: datetime) -> str:
    """How long ago, in words that fit a column: `3 min`, `2 h`, `5 d`."""
    if moment is None:
        return "never"
    seconds = max(0.0, (now - moment).total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
