"""The report as one page of HTML that needs nothing else: no network, no script. What it says is in `sections.py`."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from dropship_pipeline import __version__
from dropship_pipeline.report.numbers import Numbers
from dropship_pipeline.report.parts import Cell, Foreign, Share
from dropship_pipeline.report.sections import sections

_FOLDER = Path(__file__).parent / "page"


def render(numbers: Numbers) -> str:
    """The page. What came from the API is escaped in it, and kept from turning the direction of what is around."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415  only whoever renders waits for it

    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(shown=_shown, moment=_moment)
    environment.tests.update(foreign=lambda cell: isinstance(cell, Foreign), number=_is_number)
    return environment.get_template("report.html").render(
        totals=numbers.totals,
        sections=sections(numbers),
        style=(_FOLDER / "report.css").read_text(encoding="utf-8"),
        version=__version__,
    )


def _is_number(cell: Cell) -> bool:
    return isinstance(cell, int | float | Decimal | Share)


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _shown(cell: Cell) -> str:
    said = cell.text if isinstance(cell, Foreign) else cell
    return "–" if said is None else next(show(said) for kind, show in _SHOWN if isinstance(said, kind))


def _money(amount: Decimal) -> str:
    """As many places as it has, two at least."""
    exact = f"{amount:,.4f}"
    return exact[:-2] if exact.endswith("00") else exact.rstrip("0")


_SHOWN: tuple[tuple[type, Callable[[Any], str]], ...] = (
    (str, str),
    (Share, lambda share: f"{share.percent:.1f} %"),
    (Decimal, _money),
    (float, lambda number: f"{number:,.1f}"),
    (int, lambda number: f"{number:,}"),
    (datetime, _moment),
)
