"""The report's pictures: figures as SVG, each wide and narrow, that turn dark where the reader's screen is.

The figures that the Dagster UI has too are drawn in `charts.py`; those of marts are here. Nothing is drawn of an empty
list.
"""

# ruff: noqa: PLC0415  the library takes half a second to import: only whoever draws pays for it

import re
import warnings
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from textwrap import wrap
from typing import TYPE_CHECKING, Literal

from dropship_pipeline import charts
from dropship_pipeline.counting import counted
from dropship_pipeline.storage.reading.digests import STOCK_CLASSES, Holds, LandedCosts, Move, Step

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDE, _NARROW = 7.2, 3.7  # inches: a column of a desktop, and a phone
_LANES_SHOWN = 3
_HOLDS_SHOWN = 12

# the colours that depend on the ground: on paper, and on a dark screen
_INKS = {charts.INK: "#dde4ea", charts.FAINT: "#333b45", charts.UNKNOWN: "#69737e"}
_STOCK_COLOURS = (charts.SECOND, "#a9cdf3", charts.MAIN, "#1d4f96", "#98a2ad")
_HEAD = re.compile(r"\A.*?(?=<svg )", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture for wide screens and one for narrow ones, as `data:` addresses, and what they show in words."""

    wide: str
    narrow: str
    alt: str


def picture(draw: "Callable[[], Figure]", alt: str) -> Picture:
    """Draw a figure for both kinds of screens."""
    narrow = draw()
    _fold(narrow)
    return Picture(_address(draw(), _WIDE), _address(narrow, _NARROW), alt)


def landed_costs(found: Sequence[LandedCosts]) -> "Figure":
    """Variants by landed unit cost and how much of them is in stock: a panel for each of the first three lanes."""
    shown = found[:_LANES_SHOWN]
    figure, panels = charts.panels(len(shown), height=1.2 + 2.2 * len(shown))
    for number, (axes, one) in enumerate(zip(panels, shown, strict=True)):
        below = [0] * len(one.bins)
        for name, colour in zip(STOCK_CLASSES, _STOCK_COLOURS, strict=True):
            skus = [bin_.skus[name] for bin_ in one.bins]
            if any(skus) or not number:
                axes.bar(range(len(below)), skus, bottom=below, width=0.92, color=colour, align="edge", label=name)
            below = [low + more for low, more in zip(below, skus, strict=True)]
        last = one.bins[-1].high
        edges = [*(charts.amount(bin_.low) for bin_ in one.bins), charts.amount(last) if last else ""]
        every = -(-len(edges) // 9)
        axes.set_xticks(range(0, len(edges), every), edges[::every])
        axes.set_xlabel(f"landed cost of a unit, {charts.plain(one.currency)} (logarithmic)")
        axes.set_ylabel("variants")
        axes.set_title(f"To {charts.plain(one.destination_country)}: {counted(one.skus, 'variant')}")
        _leave_room(axes, "y")
        charts.counts(axes, "y")
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(
        handles,
        names,
        loc="outside lower center",
        ncols=3,  # as many as a phone has room for
        frameon=False,
        fontsize=7.5,
        title="units in stock",
        title_fontsize=7.5,
    )
    return figure


def top_moves(moves: Sequence[Move]) -> "Figure":
    """How far each price moved, in percent, the furthest at the top."""
    figure, [axes] = charts.panels(1, height=0.9 + 0.27 * len(moves))
    places = range(len(moves))
    colours = [charts.SECOND if move.change_percent > 0 else charts.GOOD for move in moves]
    axes.barh(places, [move.change_percent for move in moves], height=0.62, color=colours)
    axes.set_yticks(places, [charts.plain(move.title or move.product_id) for move in moves])
    axes.invert_yaxis()
    axes.axvline(0, color=charts.INK, linewidth=0.8)
    axes.set_xlabel("% in seven days")
    axes.grid(axis="x", color=charts.FAINT, linewidth=0.8)
    return figure


def holds(found: Sequence[Holds]) -> "Figure":
    """Products on hold by reason and rule: the dozen that hold most."""
    found = found[:_HOLDS_SHOWN]
    figure, [axes] = charts.panels(1, height=0.9 + 0.36 * len(found))
    places = range(len(found))
    axes.barh(places, [one.products for one in found], height=0.62, color=charts.SECOND)
    axes.set_yticks(places, [charts.plain(f"{one.reason} ({one.rule})" if one.rule else one.reason) for one in found])
    axes.invert_yaxis()
    axes.set_xlabel("products")
    charts.counts(axes, "x")
    return figure


def funnel(steps: Sequence[Step]) -> "Figure":
    """Orders by the status that they are in now; those that are stuck in another colour."""
    now = [step for step in steps if step.next_status is None]
    figure, [axes] = charts.panels(1, height=1.1 + 0.36 * len(now))
    places = range(len(now))
    stuck = [step.stuck_orders or 0 for step in now]
    moving = [step.orders - late for step, late in zip(now, stuck, strict=True)]
    axes.barh(places, moving, height=0.62, color=charts.MAIN, label="on their way")
    axes.barh(places, stuck, left=moving, height=0.62, color=charts.SECOND, label="stuck")
    axes.set_yticks(places, [charts.plain(step.status) for step in now])
    axes.invert_yaxis()
    _leave_room(axes, "x")
    axes.set_xlabel("orders in this status now")
    charts.counts(axes, "x")
    axes.legend(frameon=False, fontsize=8)
    return figure


def _leave_room(axes: "Axes", direction: Literal["x", "y"]) -> None:
    """Have the longest bar end before the frame does: an empty bar on top of it would make it stick there."""
    axes.use_sticky_edges = False
    axes.margins(0.06)
    if direction == "x":
        axes.set_xlim(left=0)
    else:
        axes.set_ylim(bottom=0)


def untitled(figure: "Figure") -> "Figure":
    """The figure without the title that the page has above it."""
    for axes in figure.axes:
        axes.set_title("")
    return figure


def _fold(figure: "Figure") -> None:
    """Have words and numbers fit a figure that is half as wide."""
    from matplotlib.ticker import MaxNLocator

    beside = len({round(axes.get_position().x0, 2) for axes in figure.axes})
    for axes in figure.axes:
        axes.set_xlabel("\n".join(wrap(axes.get_xlabel(), 44 // beside)))
        axes.set_title("\n".join(wrap(axes.get_title(), 34 // beside)), fontsize=9)
        if beside > 1 and isinstance(axes.xaxis.get_major_locator(), MaxNLocator):
            axes.xaxis.set_major_locator(MaxNLocator(nbins=2, integer=True))


def _address(figure: "Figure", width: float) -> str:
    return f"data:image/svg+xml;base64,{b64encode(svg(figure, width).encode()).decode()}"


def svg(figure: "Figure", width: float) -> str:
    """The figure, so many inches wide, as SVG: its texts are texts, and its ground is the reader's."""
    from matplotlib import rc_context

    figure.set_size_inches(width, figure.get_figheight())
    written = BytesIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "report"}), warnings.catch_warnings():
        # the reader's browser has signs that the library's own font has not
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(written, format="svg", transparent=True, metadata=dict.fromkeys(_METADATA))
    drawn = _HEAD.sub("", written.getvalue().decode())
    begin = drawn.index(">") + 1
    for paper in _INKS:
        drawn = drawn.replace(paper, f"var({_name(paper)})")
    return f"{drawn[:begin]}<style>{_STYLE}</style>{drawn[begin:]}"


def _name(colour: str) -> str:
    return f"--c{colour[1:]}"


_METADATA = ("Creator", "Date", "Format", "Type")
_ON_PAPER = "".join(f"{_name(paper)}:{paper};" for paper in _INKS)
_IN_THE_DARK = "".join(f"{_name(paper)}:{dark};" for paper, dark in _INKS.items())
_STYLE = (
    f"svg{{{_ON_PAPER}}}@media (prefers-color-scheme: dark){{svg{{{_IN_THE_DARK}}}}}"
    f"text{{fill:var({_name(charts.INK)});font-family:system-ui,sans-serif!important}}"
)
