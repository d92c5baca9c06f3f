"""The answer to a question, written out: a table for a person, tabs for a pipe, CSV and JSON for machines.

Values are data here, not words of a report: nothing is rounded, grouped or shortened.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import click

from dropship_pipeline.cli.show import console, is_person, visible
from dropship_pipeline.counting import counted
from dropship_pipeline.problem import Problem

if TYPE_CHECKING:
    from dropship_pipeline.storage.reading.questions import Answer, Column

SHOWN_AT_MOST = 1_000  # rows of a table that a person looks at
NARROWEST = 12  # characters of a column; when they do not fit the terminal side by side, each row becomes a list

Row = Sequence[str | None]
_FORMULAS = tuple("=+-@|%＝＋－＠")  # with any of these a formula begins, in one spreadsheet or another
_CONTROLS = ("\t", "\r", "\n")
_PASSED_OVER = " \t\r\n\"'\u00a0\ufeff\u200b"
_ONE_LINE = str.maketrans("\t\r\n", "   ")


def write_csv(answer: "Answer") -> None:
    """CSV as Postgres itself reads it back (`COPY … CSV HEADER`): NULL is empty, and an empty text is `""`."""
    _write(",".join(_quoted(column.name) for column in answer.columns), "\n")
    for row in answer.rows:
        cells = zip(answer.columns, row, strict=True)
        _write(",".join("" if cell is None else _quoted(_said(column, cell)) for column, cell in cells), "\n")


def write_excel(answer: "Answer") -> None:
    """CSV for a spreadsheet that is opened by a double click: UTF-8 that says so, and no cell that is a formula.

    A text that a spreadsheet would calculate, or open a program for, is told to be a text by an apostrophe before it.
    An ID of many digits stays digit by digit. NULL is empty.
    """
    _write("\ufeff", ",".join(_quoted(_harmless(column.name)) for column in answer.columns), "\r\n")
    for row in answer.rows:
        cells = zip(answer.columns, row, strict=True)
        _write(",".join("" if cell is None else _quoted(_in_a_sheet(column, cell)) for column, cell in cells), "\r\n")


def write_json(answer: "Answer") -> None:
    """A JSON list of objects, a row a line; money and times as text. Raises `Problem` for two columns of one name."""
    import orjson  # noqa: PLC0415  only JSON needs it

    names = [column.name for column in answer.columns]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise Problem(f"Two columns are called {twice[0]}, and JSON keeps only one", "Name them with AS, or take --csv")

    def value(column: "Column", cell: str | None) -> object:
        return orjson.Fragment(cell) if cell is not None and column.is_json else cell and column.value(cell)

    _write("[")
    for number, row in enumerate(answer.rows):
        document = {column.name: value(column, cell) for column, cell in zip(answer.columns, row, strict=True)}
        _write(",\n" if number else "\n", orjson.dumps(document, default=str).decode())
    _write("\n]\n")


def write_tabs(answer: "Answer") -> None:
    """A line a row, cells separated by tabs, for `cut` and `awk`. Tabs and line breaks within a cell become spaces."""
    _write("\t".join(column.name for column in answer.columns), "\n")
    for row in answer.rows:
        cells = zip(answer.columns, row, strict=True)
        _write(
            "\t".join("" if cell is None else _said(column, cell).translate(_ONE_LINE) for column, cell in cells), "\n"
        )


def show_answer(answer: "Answer") -> None:
    """A table for a person, of the first thousand rows; to a pipe, all of them with tabs."""
    if not is_person():
        write_tabs(answer)
        return
    rows = list(islice(answer.rows, SHOWN_AT_MOST))
    if _fits(answer.columns, rows):
        _show_table(answer.columns, rows)
    else:
        _show_lists(answer.columns, rows)
    if next(answer.rows, None) is None:
        click.echo(counted(len(rows), "row"), err=True)
    else:
        click.echo(f"These are the first {SHOWN_AT_MOST:,} rows; --csv or --json gives them all", err=True)


def _fits(columns: Sequence["Column"], rows: Sequence[Row]) -> bool:
    widths = [
        max([len(column.name), *(len(row[position] or "") for row in rows)]) for position, column in enumerate(columns)
    ]
    # a number is not broken; a text may be, down to a width at which words can still be read
    least = sum(
        width if column.is_number else min(width, NARROWEST) for column, width in zip(columns, widths, strict=True)
    )
    return least + 3 * len(columns) <= console().width


def _show_table(columns: Sequence["Column"], rows: Iterable[Row]) -> None:
    from rich import box  # noqa: PLC0415
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=box.SIMPLE_HEAD, show_edge=False)
    for column in columns:
        right = column.is_number
        table.add_column(
            escape(visible(column.name)), justify="right" if right else "left", overflow="fold", no_wrap=right
        )
    for row in rows:
        table.add_row(*_marked_up(columns, row))
    console().print(table)


def _show_lists(columns: Sequence["Column"], rows: Iterable[Row]) -> None:
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    out = console()
    for number, row in enumerate(rows, 1):
        out.rule(f"[dim]{number}[/dim]", align="left", style="dim")
        table = Table.grid(padding=(0, 2))
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        for column, cell in zip(columns, _marked_up(columns, row), strict=True):
            table.add_row(escape(visible(column.name)), cell)
        out.print(table)


def _marked_up(columns: Sequence["Column"], row: Row) -> Iterator[str]:
    from rich.markup import escape  # noqa: PLC0415

    for column, cell in zip(columns, row, strict=True):
        yield "[dim]NULL[/dim]" if cell is None else escape(visible(_said(column, cell)))


def _said(column: "Column", cell: str) -> str:
    """As Postgres writes it, but for booleans: `true` and `false` are understood everywhere."""
    return ("true" if cell == "t" else "false") if column.is_boolean else cell


def _in_a_sheet(column: "Column", cell: str) -> str:
    if column.is_number:
        return cell
    # a number of twelve digits or more is shown rounded, one of sixteen is kept so; zeros before it are lost
    if cell.isascii() and cell.isdigit() and (len(cell) >= 12 or (cell[0] == "0" and len(cell) > 1)):
        return f'="{cell}"'
    return _harmless(_said(column, cell))


def _harmless(said: str) -> str:
    # what stands before it does not make every spreadsheet see a text
    return f"'{said}" if said.lstrip(_PASSED_OVER).startswith(_FORMULAS) or said.startswith(_CONTROLS) else said


def _quoted(cell: str) -> str:
    if cell and not any(character in cell for character in ',"\n\r') and cell.strip() == cell and cell != "\\.":
        return cell
    return '"' + cell.replace('"', '""') + '"'


def _write(*parts: str) -> None:
    sys.stdout.write("".join(parts))
