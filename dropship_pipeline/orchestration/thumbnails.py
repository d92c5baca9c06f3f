"""Small pictures for an asset's page, each an SVG in a markdown text shorter than what the UI puts behind a click.

The Dagster UI shows markdown metadata in place only up to `SHOWN_IN_PLACE` characters, and no library draws within
them; the pictures behind the click are `charts`. Texts in a picture may be foreign: they are cut and escaped here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from dropship_pipeline.charts import GOOD, MAIN, SECOND, UNKNOWN

SHOWN_IN_PLACE = 999
"""Characters of markdown that the Dagster UI shows without a click (dagster-webserver 1.13: fewer than 1,000)."""

SEGMENTS = (GOOD, SECOND, UNKNOWN)
"""The colours of `segments`, from the left."""

ROWS = 6
"""Rows that a picture of rows has room for."""

_WIDTH, _LINE, _EDGE = 360, 16, 8
_BARS, _BAR_HEIGHT = 24, 70
_LABEL = 150  # where the bars of rows begin
_NAME, _TITLE = 24, 60  # letters of a label, and of a title
# what means something in an address, or to markdown within one
_ADDRESS = {ord(sign): f"%{ord(sign):02X}" for sign in '%<>#&"\\'}


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its label, and where its bar's parts end, or its box's marks are, all as shares of the width, 0 to 1."""

    label: str
    marks: tuple[float, ...]


def shown_length(markdown: str) -> int:
    """How long a browser says that a text is: in UTF-16 units."""
    return len(markdown.encode("utf-16-le")) // 2


def histogram(title: str, counts: Sequence[int], edges: Sequence[str]) -> str:
    """Bars side by side; `edges` are the labels between them, one more than bars. Neighbours are added where many."""
    while len(counts) > _BARS:
        counts = [sum(counts[n : n + 2]) for n in range(0, len(counts), 2)]
        edges = [*edges[:-1:2], edges[-1]]
    step = _WIDTH // max(len(counts), 8)
    top = max(*counts, 1)
    heights = [_BAR_HEIGHT * count // top or min(count, 1) for count in counts]
    foot = 22 + _BAR_HEIGHT
    bars = f"M{step // 2} {foot}" + "".join(f"v-{height}m{step} {height}" for height in heights)
    every = -(-len(edges) // 6)
    labels = "".join(
        _text(0 if place == 0 else place * step - 6, foot + 13, edge)
        for place, edge in enumerate(edges)
        if place % every == 0
    )
    return _markdown(title, foot + 20, _stroke(MAIN, step - 2, bars) + labels)


def boxes(title: str, rows: Sequence[Row]) -> str:
    """A row each: a box from the first mark to the third, and a line at the second."""

    def draw(shown: Sequence[Row]) -> str:
        middles, lines = [], []
        for place, row in enumerate(shown):
            lower, median, upper = (_across(mark) for mark in row.marks)
            middles.append(f"M{lower} {_height(place)}H{max(upper, lower + 1)}")
            lines.append(f"M{median} {_height(place)}h2")
        return _stroke(MAIN, 10, "".join(middles)) + _stroke("#123", 12, "".join(lines))

    return _rows(title, rows, draw)


def segments(title: str, rows: Sequence[Row]) -> str:
    """A row each: a bar whose parts, in the colours of `SEGMENTS`, end at the marks."""

    def draw(shown: Sequence[Row]) -> str:
        drawn = ""
        for part, colour in enumerate(SEGMENTS):
            path = ""
            for place, row in enumerate(shown):
                ends = [_across(mark) for mark in (0.0, *row.marks)]
                if part + 1 < len(ends) and ends[part + 1] > ends[part]:
                    path += f"M{ends[part]} {_height(place)}H{ends[part + 1]}"
            drawn += _stroke(colour, 10, path) if path else ""
        return drawn

    return _rows(title, rows, draw)


def _rows(title: str, rows: Sequence[Row], draw: Callable[[Sequence[Row]], str]) -> str:
    """The picture of the first rows, of as many as there is room for."""
    for count in range(min(len(rows), ROWS), 1, -1):
        written = _labelled(title, rows[:count], draw)
        if shown_length(written) <= SHOWN_IN_PLACE:
            return written
    return _labelled(title, rows[:1], draw)


def _labelled(title: str, rows: Sequence[Row], draw: Callable[[Sequence[Row]], str]) -> str:
    labels = "".join(_text(0, _height(place) + 4, row.label) for place, row in enumerate(rows))
    return _markdown(title, 26 + _LINE * len(rows), draw(rows) + labels)


def _across(share: float) -> int:
    return _LABEL + round((_WIDTH - _LABEL) * min(max(share, 0.0), 1.0))


def _height(place: int) -> int:
    return 27 + _LINE * place


def _stroke(colour: str, width: int, path: str) -> str:
    return f"<path stroke='{colour}' stroke-width='{width}' d='{path}'/>"


def _text(across: int, down: int, said: str) -> str:
    return f"<text x='{across}' y='{down}'>{_written(said, _NAME)}</text>"


def _written(said: str, room: int) -> str:
    shown = "".join(sign for sign in said if sign.isprintable())
    return escape(shown if len(shown) <= room else shown[: room - 1] + "…", quote=True)


def _markdown(title: str, height: int, drawn: str) -> str:
    width = _WIDTH + 2 * _EDGE
    svg = (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' "
        f"viewBox='-{_EDGE} -2 {width} {height}' style='background:#fff' "
        f"font-family='sans-serif' font-size='11' fill='#234'>{drawn}"
        f"<text y='11' font-weight='bold'>{_written(title, _TITLE)}</text></svg>"
    )
    told = "".join(sign for sign in title[:_TITLE] if sign.isalnum() or sign in " ,.")
    return f"![{told}](<data:image/svg+xml,{svg.translate(_ADDRESS)}>)"
