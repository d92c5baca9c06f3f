"""How results are shown: tables and colours to a person, plain lines to a pipe, JSON to a machine.

What a command has to say is in the command. Answers of `dropship sql` are data, not reports: `answers.py` shows them.
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING
from unicodedata import category, east_asian_width

import click

if TYPE_CHECKING:
    from rich.console import Console

_GAP = "  "
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_KEPT = frozenset("\n\t\u200c\u200d")  # the last two join the signs of some scripts


def is_person() -> bool:
    """Whether somebody looks at standard output."""
    return sys.stdout.isatty()


def console() -> "Console":
    """Standard output as a terminal of its width; without colours where NO_COLOR is set or the terminal has none."""
    from rich.console import Console  # noqa: PLC0415  only a person waits for it

    return Console(highlight=False)


def show_json(document: object) -> None:
    """One JSON document on standard output; money as text, times in ISO 8601 UTC."""
    click.echo(json.dumps(document, default=_plain, ensure_ascii=False, indent=2))


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> None:
    """A table under its title, without the columns that hold nothing. To a pipe: aligned, and no colours.

    On a terminal that is too narrow for it, each row becomes a few words.
    """
    rows = [list(row) for row in rows]
    kept = [position for position in range(len(columns)) if any(row[position] is not None for row in rows)]
    shown = _Table(
        title,
        [columns[position] for position in kept],
        [[_cell(row[position]) for position in kept] for row in rows],
        [any(_is_number(row[position]) for row in rows) for position in kept],
    )
    if not is_person():
        shown.write()
    elif shown.width <= console().width:
        shown.show()
    else:
        shown.show_as_words()


def show_facts(facts: Mapping[str, object]) -> None:
    """Names and values, a line each."""
    width = max((len(name) for name in facts), default=0)
    for name, value in facts.items():
        click.echo(f"{name:<{width}}{_GAP}{_cell(value)}".rstrip())


def show_line(line: str, style: str = "") -> None:
    """One line, which a person sees in this style (`rich`'s: bold, green); never broken, so that it can be pasted."""
    if is_person():
        console().print(visible(line), style=style or None, markup=False, soft_wrap=True)
    else:
        click.echo(line)


def age(moment: datetime | None, now: datetime) -> str:
    """How long ago, in words that fit a column: `3 min`, `2 h`, `5 d`."""
    if moment is None:
        return "never"
    seconds = max(0.0, (now - moment).total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


@dataclass(frozen=True, slots=True)
class _Table:
    title: str
    columns: Sequence[str]
    cells: Sequence[Sequence[str]]
    numeric: Sequence[bool]

    @property
    def widths(self) -> list[int]:
        return [max(map(cell_width, column)) for column in zip(self.columns, *self.cells, strict=True)]

    @property
    def width(self) -> int:
        return sum(self.widths) + len(_GAP) * (len(self.columns) - 1)

    def write(self) -> None:
        if self.title:
            click.echo(self.title)
        for line in (self.columns, *self.cells):
            click.echo(self._aligned(line))
        click.echo()

    def show(self) -> None:
        out = console()
        if self.title:
            out.print(self.title, style="bold", markup=False)
        out.print(self._aligned(self.columns), style="dim", markup=False, soft_wrap=True)
        for line in self.cells:
            out.print(self._aligned(line), markup=False, soft_wrap=True)
        out.print()

    def show_as_words(self) -> None:
        out = console()
        if self.title:
            out.print(self.title, style="bold", markup=False)
        for first, *others in self.cells:
            told = ", ".join(f"{name} {cell}" for name, cell in zip(self.columns[1:], others, strict=True))
            out.print(f"{first}: {told}", markup=False)
        out.print()

    def _aligned(self, line: Sequence[str]) -> str:
        cells = zip(line, self.widths, self.numeric, strict=True)
        padded = [(" " * (width - cell_width(cell)), cell, right) for cell, width, right in cells]
        return _GAP.join(space + cell if right else cell + space for space, cell, right in padded).rstrip()


def visible(text: str) -> str:
    """The text, in which nothing commands the terminal or turns round how what follows reads. Lines and tabs stay."""
    if text.isprintable():
        return text
    return "".join("\ufffd" if category(c) in _UNSEEN and c not in _KEPT else c for c in text)


def cell_width(text: str) -> int:
    """Columns of a terminal that a text takes: titles in Chinese take two a character."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _cell(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.1f}"
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    return visible(" ".join(str(value).split()))


def _plain(value: object) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)
