"""Results of the benchmarks as the page reads them: found in a folder, and the figures that are worked out from them.

No formatting: that is `page.py`; no picture: that is `pictures.py`.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CUT_OFF = 130
"""The exit status of a part that a Ctrl-C ended."""


@dataclass(frozen=True)
class Result:
    """What one part of the set came to, with all that `run_all.py` noted beside it."""

    part: str
    noted: dict[str, Any]

    @property
    def found(self) -> Any:
        """What the benchmark itself said."""
        return self.noted["result"]


def read_results(folder: Path) -> dict[str, Result]:
    """The results in a folder, by part."""
    files = sorted(folder.glob("*.json"))
    documents = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    return {noted["part"]: Result(noted["part"], noted) for noted in documents}


def exponent(across: Sequence[float], along: Sequence[float]) -> float | None:
    """The slope of the straight line nearest to these points on logarithmic axes; None of fewer than two above 0."""
    points = [(math.log(x), math.log(y)) for x, y in zip(across, along, strict=True) if x > 0 and y > 0]
    if len({x for x, _ in points}) < 2:
        return None
    mean_x, mean_y = (sum(column) / len(points) for column in zip(*points, strict=True))
    spread: float = sum((x - mean_x) ** 2 for x, _ in points)
    return float(sum((x - mean_x) * (y - mean_y) for x, y in points) / spread)


def work(point: dict[str, Any]) -> float:
    """Seconds of the stages of a sync: without start-up, what lies between them, and the end."""
    return round(float(sum(point["stages"].values())), 2)


@dataclass(frozen=True)
class Bar:
    """Something that it must show: what, the figure that was measured, how it must be, and whether it is."""

    what: str
    measured: float
    wanted: str
    met: bool


def bars(results: dict[str, Result]) -> list[Bar]:
    """Every bar whose benchmark has run."""
    found: list[Bar] = []
    if "peers" in results:
        found += _of_the_peers(results["peers"].found["peers"])
    if "growth" in results:
        found += _of_second_syncs(results["growth"].found)
        found += _of_memory(results["growth"].found.get("first", []))
    if "merging" in results:
        found += _of_merges(results["merging"].found["points"])
    if "publishing" in results:
        largest = max(results["publishing"].found, key=lambda one: one["products"])
        found.append(_at_most("publishing everything, times as long as Arrow alone", largest["all_to_arrow"], 2))
    if "startup" in results:
        commands = results["startup"].found["commands"]
        found.append(_at_most("`dropship --help`, seconds", commands["dropship --help"]["seconds"], 0.3))
        found.append(_at_most("`dropship status`, seconds", commands["dropship status"]["seconds"], 1))
    if "marts" in results:
        slowest = max((one["clock"], one["mart"]) for one in results["marts"].found if "mart" in one)
        found.append(_at_most(f"the slowest mart, seconds for every row (`{slowest[1]}`)", slowest[0], 1))
    return found


def _of_the_peers(peers: dict[str, Any]) -> list[Bar]:
    ours, again = peers["ours"], peers["ours, nothing changed"]
    found = []
    if "dlt to Postgres" in peers:
        dlt = peers["dlt to Postgres"]
        found.append(_at_least("first sync, times as fast as dlt to Postgres", dlt["wall"] / ours["wall"], 8))
        if "ours, 20 a call" in peers:
            twenty = dlt["wall"] / peers["ours, 20 a call"]["wall"]
            found.append(_at_least("first sync, 20 products a call, times as fast as dlt to Postgres", twenty, 8))
    if "bare loop" in peers:
        loop = peers["bare loop"]
        found.append(_at_most("client CPU, times that of the bare loop", ours["cpu"] / loop["cpu"], 1.5))
    found.append(_at_least("second sync, times as fast as the first, all told", ours["wall"] / again["wall"], 20))
    found.append(
        _at_least("second sync, times as fast as the first, stages alone", ours["stages"] / again["stages"], 20)
    )
    return found


def _of_second_syncs(curves: dict[str, Any]) -> list[Bar]:
    first, again = (
        {point["products"]: point["wall"] for point in curves.get(curve, []) if not point["sampled"]}
        for curve in ("first", "again")
    )
    if not set(first) & set(again):
        return []
    products = max(set(first) & set(again))
    what = f"second sync of {products:,} products, times as fast as the first, all told"
    return [_at_least(what, first[products] / again[products], 20)]


def _of_memory(points: list[dict[str, Any]]) -> list[Bar]:
    peaks = {point["products"]: point["peak_mb"] for point in points if not point["sampled"]}
    found = [
        _at_most(f"peak memory of a sync, MB at {products:,} products", peak, 400)
        for products, peak in peaks.items()
        if products == max(peaks)
    ]
    if {10_000, 100_000} <= set(peaks):
        ratio = peaks[100_000] / peaks[10_000]
        found.append(_at_most("peak memory at 100,000 products, times that at 10,000", ratio, 1.1))
    return found


def _of_merges(points: list[dict[str, Any]]) -> list[Bar]:
    most = max(point["skus"] for point in points)
    largest = [point for point in points if point["skus"] == most]
    slope = exponent([point["changed"] for point in largest], [point["wall"] for point in largest])
    return [] if slope is None else [_at_most(f"merge into {most:,} SKUs, exponent of what changed", slope, 1.1)]


def _at_most(what: str, measured: float, limit: float) -> Bar:
    return Bar(what, measured, f"≤ {limit:g}", measured <= limit)


def _at_least(what: str, measured: float, limit: float) -> Bar:
    return Bar(what, measured, f"≥ {limit:g}", measured >= limit)


def losses(results: dict[str, Result]) -> list[str]:
    """Every figure in which some peer is ahead of ours, in words."""
    found = []
    for part in ("peers", "peers_latency"):
        if part not in results:
            continue
        peers = results[part].found["peers"]
        ours = peers["ours"]
        told = f"{results[part].found['rows']['products']:,} products, {results[part].found['latency_ms']:g} ms latency"
        for figure, words in (("wall", "seconds"), ("cpu", "CPU seconds"), ("peak_mb", "MB at the most")):
            ahead = [
                f"{name} {one[figure]:g}"
                for name, one in peers.items()
                if not name.startswith("ours") and one[figure] < ours[figure]
            ]
            if ahead:
                found.append(f"{told}, {words}: ours {ours[figure]:g}; {', '.join(ahead)}")
    return found
