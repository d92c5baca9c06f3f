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
_LONGEST_KEY = 16  # characters: IDs of Alibaba.com have 13


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
    environment.filters.update(shown=_shown, moment=_moment, day=_day, clock=_clock)
    environment.tests.update(
        foreign=lambda cell: isinstance(cell, Foreign),
        key=_is_key,
        moment=lambda cell: isinstance(cell, datetime),
        number=_is_number,
    )
    return environment.get_template("report.html").render(
        totals=numbers.totals,
        sections=sections(numbers),
        style=(_FOLDER / "report.css").read_text(encoding="utf-8"),
        version=__version__,
    )


def _is_number(cell: Cell) -> bool:
    return isinstance(cell, int | float | Decimal | Share)


def _is_key(cell: Cell) -> bool:
    """Whether it looks like an ID or a code: such a word is not broken."""
    return (
        isinstance(cell, Foreign) and cell.text is not None and len(cell.text) <= _LONGEST_KEY and cell.text.isalnum()
    )


def _day(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d")


def _clock(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%H:%M UTC")


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
