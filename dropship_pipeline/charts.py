"""Figures drawn: one function a figure, each gives a matplotlib `Figure` with title, axes and units. No query here.

For the Dagster UI and the report, which put the picture where it belongs; the numbers are `storage.figures`. A picture
has a ground of its own, so that it reads on a white page and on a dark one. Nothing here is drawn of an empty list:
whoever asks says in words that there is nothing yet.
"""

# ruff: noqa: PLC0415  the library takes half a second to import: only whoever draws pays for it

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal

from dropship_pipeline.counting import counted
from dropship_pipeline.storage.reading.ages import KindAges
from dropship_pipeline.storage.reading.figures import FeedSize, FreightLane, PriceDistribution, StockOrigin

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAIN, SECOND, GOOD, UNKNOWN = "#3b7dd8", "#e08a2e", "#2a9d6f", "#b8c0c8"
"""The colours of all pictures: told apart with any eyes."""

INK, FAINT, _GROUND = "#2b3440", "#e3e7eb", "#ffffff"
"""The colours of what is written on the ground and of the grid: with another ground, these are others too."""

_ON_LIGHT = "#22303c"
_WIDTH = 7.2  # inches
_DPI = 110
_COLOURS = 48
_LANES_SHOWN = 12
_LABEL = 26  # characters
_PANELS_SHOWN, _PANEL_SHARE = 3, 0.05

# fresh is green and stale is orange, the older the darker
_FRESH = ("#bfe6d5", "#8fd1b4", "#5cb992", "#2a9d6f", "#1f7d58", "#165c40", "#0e3d2b")
_STALE = ("#f3cfa3", "#eab06b", "#e08a2e", "#b96a17", "#8a4d0e", "#5e3408", "#3c2004")


def price_distribution(found: Sequence[PriceDistribution]) -> "Figure":
    """Variants by first-tier unit price: a panel for each currency of a twentieth of them or more, three at most."""
    most = found[0].skus
    shown = [one for one in found[:_PANELS_SHOWN] if one.skus >= _PANEL_SHARE * most]
    figure, drawn = panels(len(shown), height=1.2 + 1.8 * len(shown))
    for axes, one in zip(drawn, shown, strict=True):
        axes.bar(range(len(one.bins)), [bin_.skus for bin_ in one.bins], width=0.92, color=MAIN, align="edge")
        last = one.bins[-1].high
        edges = [*(amount(bin_.low) for bin_ in one.bins), amount(last) if last else ""]
        every = -(-len(edges) // 14)
        axes.set_xticks(range(0, len(edges), every), edges[::every])
        axes.set_xlabel(f"unit price of the first tier, {plain(one.currency or 'no currency given')} (logarithmic)")
        axes.set_ylabel("variants")
        variants = counted(one.skus, "variant")
        axes.set_title(f"{variants} on offer by price, {plain(one.currency or 'no currency given')}")
        counts(axes, "y")
    return figure


def freight_by_origin(lanes: Sequence[FreightLane]) -> "Figure":
    """Quartiles of the cheapest freight by lane, the twelve lanes of most products in the first one's currency."""
    shown = in_one_currency(lanes)[:_LANES_SHOWN]
    figure, [axes] = panels(1, height=1.3 + 0.34 * len(shown))
    lower, upper = [float(lane.lower) for lane in shown], [float(lane.upper) for lane in shown]
    width = [high - low for low, high in zip(lower, upper, strict=True)]
    axes.barh(range(len(shown)), width, left=lower, height=0.55, color=MAIN, alpha=0.55)
    axes.plot([float(lane.median) for lane in shown], range(len(shown)), "|", color=INK, markersize=13, mew=2.5)
    axes.set_yticks(range(len(shown)), [f"{plain(lane_name(lane))}  ({lane.products:,})" for lane in shown])
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    currency = plain(shown[0].currency or "no currency given")
    axes.set_xlabel(f"fee of the smallest order, {currency}: middle half of the products, line: median")
    axes.set_title("Cheapest freight by origin and destination (products)")
    _grid(axes, "x")
    return figure


def staleness(kinds: Sequence[KindAges]) -> "Figure":
    """The products on offer by when each kind was last read; what is past the maximum age is orange."""
    figure, [axes] = panels(1, height=1.7 + 0.5 * len(kinds))
    for place, ages in enumerate(kinds):
        begun = 0.0
        fresh = [bucket for bucket in ages.buckets if bucket.at_least < ages.max_age]
        stale = [bucket for bucket in ages.buckets if bucket.at_least >= ages.max_age]
        for palette, buckets in ((_FRESH, fresh), (_STALE, stale)):
            for shade, bucket in enumerate(buckets):
                share = 100 * bucket.products / max(ages.offered, 1)
                colour = palette[min(shade, len(palette) - 1)]
                axes.barh(place, share, left=begun, height=0.6, color=colour)
                if share >= 8:
                    dark = shade > 2
                    axes.text(
                        begun + share / 2,
                        place,
                        f"< {age(bucket.below)}" if bucket.below else f"> {age(bucket.at_least)}",
                        ha="center",
                        va="center",
                        fontsize=8,
                        color=_GROUND if dark else _ON_LIGHT,
                    )
                begun += share
            if palette is _FRESH:
                axes.plot([begun, begun], [place - 0.42, place + 0.42], color=INK, linewidth=2)
        axes.barh(place, 100 - begun, left=begun, height=0.6, color=UNKNOWN)
    axes.set_yticks(range(len(kinds)), [f"{ages.kind}\nat most {age(ages.max_age)}" for ages in kinds])
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("% of the products on offer. Line: the maximum age; orange: older; grey: never read")
    axes.set_title("When the products on offer were last read")
    return figure


def stock_by_origin(origins: Sequence[StockOrigin]) -> "Figure":
    """Variants in stock and out of stock by the country that they ship from, the twelve of most units."""
    shown = origins[:_LANES_SHOWN]
    figure, [axes] = panels(1, height=1.4 + 0.36 * len(shown))
    there = [one.skus_in_stock for one in shown]
    places = range(len(shown))
    axes.barh(places, there, height=0.6, color=GOOD, label="in stock")
    axes.barh(places, [one.skus_out_of_stock for one in shown], left=there, height=0.6, color=SECOND, label="none left")
    axes.set_yticks(places, [f"{plain(one.shipping_from)}  ({counted(one.units, 'unit')})" for one in shown])
    axes.invert_yaxis()
    axes.set_xlabel("variants on offer")
    counts(axes, "x")
    axes.set_title("Stock by the country that it ships from")
    axes.legend(frameon=False, fontsize=8)
    return figure


def feed_sizes(feeds: Sequence[FeedSize]) -> "Figure":
    """Products in each feed now, and beside it what came and went over the days that were asked for."""
    figure, [now, moved] = panels(2, height=1.4 + 0.32 * len(feeds), columns=2)
    places = range(len(feeds))
    listed = [sum(day.listed for day in feed.days) for feed in feeds]
    delisted = [-sum(day.delisted for day in feed.days) for feed in feeds]
    now.barh(places, [feed.products for feed in feeds], height=0.6, color=MAIN)
    now.set_yticks(places, [feed.feed for feed in feeds])
    now.set_xlabel("products")
    now.set_title("Listed now")
    moved.barh(places, listed, height=0.6, color=GOOD, label="came")
    moved.barh(places, delisted, height=0.6, color=SECOND, label="went")
    moved.set_yticks(places, [""] * len(feeds))
    moved.axvline(0, color=INK, linewidth=0.8)
    moved.set_xlabel("products")
    moved.set_title(f"Changes of {len(feeds[0].days)} days")
    moved.legend(frameon=False, fontsize=8)
    for axes in (now, moved):
        axes.invert_yaxis()
        counts(axes, "x")
    return figure


def png(figure: "Figure") -> bytes:
    """The picture as PNG with few colours: some 10 kB."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas: Any = FigureCanvasAgg(figure)  # its methods carry no types
    canvas.draw()
    full = Image.frombuffer("RGBA", canvas.get_width_height(), canvas.buffer_rgba(), "raw", "RGBA", 0, 1)
    written = BytesIO()
    full.convert("RGB").quantize(_COLOURS).save(written, "png", optimize=True)
    return written.getvalue()


def amount(number: Decimal) -> str:
    """A round number without what it does not need: 0.5, 20, 1,500, 1M."""
    if number >= 1_000_000:
        return f"{number / 1_000_000:f}".rstrip("0").rstrip(".") + "M"
    return f"{number.normalize():,f}"


def age(time: timedelta) -> str:
    """An age in its largest unit: 90m, 6h, 7d."""
    minutes = time.total_seconds() / 60
    for unit, size in (("d", 1440), ("h", 60)):
        if minutes >= size and minutes % size == 0:
            return f"{minutes / size:.0f}{unit}"
    return f"{minutes:.0f}m"


def in_one_currency(lanes: Sequence[FreightLane]) -> list[FreightLane]:
    """The lanes that one axis can show: those in the currency of the first."""
    return [lane for lane in lanes if lane.currency == lanes[0].currency]


def lane_name(lane: FreightLane) -> str:
    """`CN → US`; ? for an origin that no carrier named."""
    return f"{lane.dispatch_country or '?'} → {lane.destination_country}"


def plain(text: str) -> str:
    """A text of the API as a label: a line that leaves room for the picture, and no formula, whatever it holds."""
    line = " ".join(text.split())
    shown = line if len(line) <= _LABEL else line[: _LABEL - 1] + "…"
    return shown.replace("$", r"\$")


def panels(count: int, height: float, columns: int = 1) -> tuple["Figure", list["Axes"]]:
    """A figure of so many panels, so many inches high, and its panels in our style."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height), dpi=_DPI, facecolor=_GROUND, layout="constrained")
    grid: Any = figure.subplots(count // columns, columns, squeeze=False)
    drawn: list[Axes] = list(grid.flat)
    for axes in drawn:
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(UNKNOWN)
        axes.tick_params(colors=INK, labelsize=8, length=3)
        axes.title.set(color=INK, fontsize=10, fontweight="bold")
        axes.xaxis.label.set(color=INK, fontsize=8.5)
        axes.yaxis.label.set(color=INK, fontsize=8.5)
        axes.set_axisbelow(True)
    return figure, drawn


def counts(axes: "Axes", direction: Literal["x", "y"]) -> None:
    """Have whole numbers with thousands set apart on the axis that counts."""
    from matplotlib.ticker import MaxNLocator

    axis = axes.xaxis if direction == "x" else axes.yaxis
    axis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axis.set_major_formatter("{x:,.0f}")
    _grid(axes, direction)


def _grid(axes: "Axes", direction: Literal["x", "y"]) -> None:
    axes.grid(axis=direction, color=FAINT, linewidth=0.8)
