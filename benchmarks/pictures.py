"""The pictures of docs/benchmarks.md, as SVG: drawn of the results alone, the same each time."""

import html
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from results import Result, work

mpl.use("svg")
mpl.rcParams.update(
    {"svg.hashsalt": "benchmarks", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
)

import matplotlib.pyplot as plt  # noqa: E402  after the choice of how it draws
from matplotlib.ticker import LogLocator  # noqa: E402

BLUE, ORANGE, GREEN, GREY = "#3b7dd8", "#e08a2e", "#2a9d6f", "#9aa4ad"
COLOURS = (BLUE, ORANGE, GREEN, "#8a5fbf", "#c0504d", GREY)
Points = Sequence[dict[str, Any]]

FLAME_WIDTH, FLAME_ROW = 1200, 17
WARM = ("#f6c9a0", "#f2b880", "#eea765", "#f5d3b3", "#efb274")
COOL = ("#a9c8ef", "#92b9ea", "#bdd5f3", "#9dc0ec")
OURS, NETWORK = "dropship_pipeline/", ("aiohttp", "asyncio", "uvloop", "httptools", "yarl", "multidict")


def draw(results: dict[str, Result], folder: Path) -> None:
    """Every picture whose results are there."""
    for part in ("peers", "peers_latency"):
        if part in results:
            _save(_peers(results[part]), folder / f"{part}.svg")
    if "growth" in results:
        found = results["growth"].found
        if "first" in found:
            curves = [("first sync", found["first"]), ("nothing changed", found["again"])]
            _save(_growth(curves, "products", "products in the catalogue", log=True), folder / "growth_catalogue.svg")
        if "changes" in found:
            curves = [("everything read again", found["changes"])]
            _save(
                _growth(curves, "changed_share", "share of products changed", log=False), folder / "growth_changes.svg"
            )
        if "destinations" in found:
            curves = [("destinations", found["destinations"])]
            if "feeds" in found:
                curves.append(("feeds", found["feeds"]))
            _save(_growth(curves, None, "feeds or destinations", log=False), folder / "growth_others.svg")
    if "merging" in results:
        _save(_merging(results["merging"].found["points"]), folder / "merging.svg")
    if "flame" in results:
        (folder / "flame.svg").write_text(flame(results["flame"].found["tree"]), encoding="utf-8")


def _save(figure: Any, file: Path) -> None:
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)


def _peers(result: Result) -> Any:
    """Wall and CPU seconds, a bar each, with the least and the most."""
    found = result.found["peers"]
    names = list(found)[::-1]
    figure, axes = plt.subplots(figsize=(8.5, 0.62 * len(names) + 1.2), layout="constrained")
    for offset, key, colour, words in ((0.2, "wall", BLUE, "seconds"), (-0.2, "cpu", ORANGE, "client CPU seconds")):
        values = [found[name][key] for name in names]
        least = [found[name][key] - found[name][f"{key}_least"] for name in names]
        most = [found[name][f"{key}_most"] - found[name][key] for name in names]
        places = [place + offset for place in range(len(names))]
        bars = axes.barh(places, values, 0.38, color=colour, label=words, xerr=[least, most], ecolor=GREY)
        axes.bar_label(bars, fmt="%.1f", padding=6, fontsize=8)
    axes.set_yticks(range(len(names)), names)
    products, latency = result.found["rows"]["products"], result.found["latency_ms"]
    axes.set_title(f"{products:,} products, {latency:g} ms latency: medians, least to most", loc="left", fontsize=10)
    axes.legend(frameon=False, loc="lower right")
    axes.margins(x=0.08)
    return figure


SHOWN: tuple[tuple[str, Callable[[dict[str, Any]], float]], ...] = (
    ("work, seconds", work),
    ("CPU seconds", lambda point: float(point["cpu"])),
    ("calls", lambda point: float(point["calls"])),
    ("peak memory, MB", lambda point: float(point["peak_mb"])),
    ("tables, MB", lambda point: float(point["database_mb"])),
    ("lake, MB", lambda point: float(point["raw_mb"] + point["snapshot_mb"])),
)


def _growth(curves: Sequence[tuple[str, Points]], across: str | None, label: str, *, log: bool) -> Any:
    """Six figures by what is varied; on logarithmic axes, with a line of slope 1 through the second point."""
    figure, panels = plt.subplots(2, 3, figsize=(9, 5.2), layout="constrained")
    for axes, (title, figure_of) in zip(panels.flat, SHOWN, strict=True):
        for (name, points), colour in zip(curves, COLOURS, strict=False):
            key = across or name
            xs, ys = [point[key] for point in points], [figure_of(point) for point in points]
            axes.plot(xs, ys, marker="o", markersize=4, color=colour, label=name)
            sampled = [(x, y) for x, y, point in zip(xs, ys, points, strict=True) if point.get("sampled")]
            axes.plot(*zip(*sampled, strict=True), "o", mfc="white", mec=colour, zorder=3) if sampled else None
            if log and colour == BLUE and len(xs) > 1:
                axes.plot(xs, [ys[1] * x / xs[1] for x in xs], "--", color=GREY, linewidth=1, label="slope 1")
        axes.set_title(title, loc="left", fontsize=9)
        if log:
            _logarithmic(axes, [point["products"] for point in curves[0][1]])
        else:
            axes.set_ylim(bottom=0)
    figure.supxlabel(label + (" (open: sampled)" if log else ""), fontsize=9)
    panels.flat[0].legend(frameon=False, fontsize=8)
    return figure


def _logarithmic(axes: Any, measured_at: Sequence[float]) -> None:
    """Both axes, with plain numbers: below, those at which something was measured."""
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(measured_at, [f"{one:,.0f}" for one in measured_at], fontsize=7)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:,g}")
    axes.minorticks_off()


def _merging(points: Points) -> Any:
    """Seconds by changed products, a line a catalogue, and a line of slope 1."""
    figure, axes = plt.subplots(figsize=(6.5, 4), layout="constrained")
    for skus, colour in zip(dict.fromkeys(point["skus"] for point in points), COLOURS, strict=False):
        chosen = [point for point in points if point["skus"] == skus]
        xs = [point["changed"] for point in chosen]
        axes.plot(xs, [point["wall"] for point in chosen], marker="o", color=colour, label=f"{skus:,} SKUs: changed")
        unchanged = [point["unchanged"]["wall"] for point in chosen]
        axes.plot(
            xs, unchanged, marker="o", color=colour, mfc="white", linestyle=":", label=f"{skus:,} SKUs: unchanged"
        )
    last = [point for point in points if point["skus"] == points[-1]["skus"]]
    xs = [point["changed"] for point in last]
    axes.plot(xs, [last[-1]["wall"] * x / xs[-1] for x in xs], "--", color=GREY, linewidth=1, label="slope 1")
    _logarithmic(axes, list(dict.fromkeys(point["changed"] for point in points)))
    axes.set_xlabel("products whose answers were merged")
    axes.set_ylabel("seconds")
    axes.legend(frameon=False, fontsize=8)
    return figure


def flame(tree: list[Any]) -> str:
    """A flame graph that needs no script: the width of a frame is its share, its text shows under the pointer too.

    `tree` is `[frame, samples, [children]]`, outermost first, drawn from the top down.
    """
    whole = tree[1]
    parts: list[str] = []
    deepest = 0

    def add(node: list[Any], left: float, depth: int) -> None:
        nonlocal deepest
        name, samples, children = node
        width = samples / whole * FLAME_WIDTH
        if width < 1.5:
            return
        deepest = max(deepest, depth)
        label, share = html.escape(name), f"{samples / whole:.1%}"
        top = depth * FLAME_ROW
        parts.append(
            f'<g><title>{label}: {share}</title><rect x="{left:.1f}" y="{top}" width="{max(width - 0.6, 0.6):.1f}" '
            f'height="{FLAME_ROW - 1}" fill="{_colour(name)}"/>'
        )
        letters = int(width / 6.1)
        if letters >= 4:
            text = html.escape(name if len(name) <= letters else name[: letters - 1] + "…")
            parts.append(f'<text x="{left + 2:.1f}" y="{top + 12}">{text}</text>')
        parts.append("</g>\n")
        for child in children:
            add(child, left, depth + 1)
            left += child[1] / whole * FLAME_WIDTH

    add(tree, 0.0, 0)
    height = (deepest + 1) * FLAME_ROW + 4
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {FLAME_WIDTH} {height}" width="{FLAME_WIDTH}" '
        f'height="{height}" font-family="DejaVu Sans Mono, monospace" font-size="10" fill="#22303c">\n'
        f'<rect width="{FLAME_WIDTH}" height="{height}" fill="#ffffff"/>\n{"".join(parts)}</svg>\n'
    )


def _colour(name: str) -> str:
    """Ours is orange, the network blue, everything else grey; neighbours differ a little."""
    palette = WARM if OURS in name else COOL if any(word in name for word in NETWORK) else ("#dfe3e6", "#d3d8dc")
    return palette[sum(map(ord, name)) % len(palette)]
