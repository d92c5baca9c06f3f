"""docs/benchmarks.md, made of the results in docs/benchmarks/ and of the prose in benchmarks/page.md.

    python benchmarks/page.py [--take build/bench] [--check]

`make bench-page` takes the results of the last `make bench` over and draws the pictures; those of a quick try are not
taken. `--check` writes nothing and exits 1 where the page is not what its results say. A part that has not been
measured says so on the page. One definition of each figure: the tables are here, what is worked out is in `results.py`.
"""

import argparse
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from results import CUT_OFF, Bar, Result, bars, exponent, losses, read_results, work

from dropship_pipeline.pages import check_page

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"
NOT_YET = "*Not measured yet: `make bench`.*"
Cells = Sequence[object]


def number(value: object) -> str:
    """As people read it: thousands set apart, no more places than tell something."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    places = 1 if abs(value) >= 10 else 2
    return f"{round(value, places) + 0.0:.{places}f}"  # and no -0.00


def table(titles: Cells, rows: Iterable[Cells]) -> str:
    """A table in Markdown; the first column is text, the others are numbers."""
    lines = [f"| {' | '.join(str(title) for title in titles)} |", "|---" + "|--:" * (len(titles) - 1) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(number(cell) for cell in row)} |" for row in rows)])


def conditions(results: dict[str, Result]) -> str:
    """On what, and when."""
    if not results:
        return NOT_YET
    noted = min((result.noted for result in results.values()), key=lambda noted: noted["began"])
    machine = noted["machine"]
    libraries = ", ".join(f"{name} {version}" for name, version in machine["libraries"].items())
    text = (
        f"Measured on {noted['began'][:10]} on {machine['cores']} cores ({machine['processor']}), "
        f"{machine['memory_gb']} GB, {machine['system']}, Python {machine['python']}; {libraries}. "
        "The sandbox and Postgres ran on the same cores."
    )
    busy = [result.part for result in results.values() if result.noted["busy"]]
    if busy:
        text += f"\n\n**Others were at work when these began, so their seconds say little:** {', '.join(sorted(busy))}."
    return text


def bars_table(results: dict[str, Result]) -> str:
    """What it must show, and does or does not."""
    found = bars(results)
    rows = [(bar.what, measured(bar), bar.wanted, "yes" if bar.met else "**no**") for bar in found]
    return table(("", "measured", "wanted", "met"), rows) if found else NOT_YET


def measured(bar: Bar) -> str:
    """What was measured, with as many places as show why it is not met."""
    shown = number(bar.measured)
    return f"{bar.measured:.4f}" if not bar.met and shown == number(float(bar.wanted.split()[1])) else shown


def peers(result: Result) -> str:
    """Each peer's medians."""
    ours = result.found["peers"]["ours"]
    rows = []
    for name, one in result.found["peers"].items():
        span = f"{number(one['wall_least'])} to {number(one['wall_most'])}"
        rate = one["calls"] / one["wall"]
        ratio = one["wall"] / ours["wall"] if "nothing changed" not in name else "–"
        others = (one["calls"], rate, one["cpu"], one["peak_mb"], one["sandbox_cpu"], one["server_cpu"])
        rows.append((name, one["runs"], one["wall"], span, ratio, *others))
    titles = (
        f"{result.found['rows']['products']:,} products, {result.found['latency_ms']:g} ms latency",
        "runs",
        "seconds",
        "least to most",
        "times ours",
        "calls",
        "calls/s",
        "client CPU s",
        "peak MB",
        "sandbox CPU s",
        "Postgres CPU s",
    )
    return table(titles, rows)


def startup_share(result: Result) -> str:
    """How much of ours is no stage."""
    ours = result.found["peers"]["ours"]
    return (
        f"Of its {number(ours['wall'])} seconds, {number(ours['before'])} pass before the first stage begins (Python, "
        f"Dagster, the tables of a new database) and {number(ours['wall'] - ours['before'] - ours['stages'])} between "
        "the stages and at the end."
    )


def parity(result: Result) -> str:
    """What each has loaded."""
    rows = result.found["rows"]
    return (
        f"Each has loaded the same: {rows['products']:,} products, {rows['skus']:,} SKUs, {rows['stock']:,} stock "
        "levels. A run in which one did not would have ended there."
    )


def losses_list(results: dict[str, Result]) -> str:
    """Where a peer is ahead."""
    found = losses(results)
    if not found:
        return "In none of these figures is a peer ahead." if "peers" in results else NOT_YET
    return "\n".join(f"- {line}." for line in found)


def startup(result: Result) -> str:
    """The commands."""
    commands = result.found["commands"].items()
    rows = [
        (f"`{name}`", one["seconds"], one["least"], one["most"], one["cpu"], one["peak_mb"]) for name, one in commands
    ]
    return table((f"median of {result.found['runs']}", "seconds", "least", "most", "CPU s", "peak MB"), rows)


def phases(result: Result) -> str:
    """A sync that finds nothing to do, beside the first one."""
    first, again = result.found["first"], result.found["again"]
    rows: list[Cells] = [("until the first stage begins", first["start"], again["start"])]
    rows += [(f"`{stage}`", seconds, again["stages"].get(stage, 0.0)) for stage, seconds in first["stages"].items()]
    rows += [("between the stages: checks, Dagster's records", first["between"], again["between"])]
    rows += [("after the last stage", first["end"], again["end"]), ("**all**", first["seconds"], again["seconds"])]
    rows += [("calls", first["calls"], again["calls"])]
    return table((f"`dropship sync`, {result.found['products']:,} products, seconds", "first", "nothing changed"), rows)


def growth(across: str, title: str, curve: str) -> Callable[[Result], str]:
    """One curve: a row a point, and the exponents."""

    def shown(result: Result) -> str:
        points = result.found.get(curve)
        if not points:
            return NOT_YET
        figures = ("wall", "cpu", "calls", "peak_mb", "listed", "read", "changed", "rows_written")
        rooms = ("database_mb", "raw_mb", "snapshot_mb")
        rows = [
            (name_of(point, across), work(point), *(point[figure] for figure in (*figures, *rooms))) for point in points
        ]
        whole = [point for point in points if not point.get("sampled")]
        slopes = ["exponent"]
        for column in (work, *(lambda point, key=key: point[key] for key in (*figures, *rooms))):
            slope = exponent([point[across] for point in whole], [column(point) for point in whole])
            slopes.append("–" if slope is None else f"{slope:.2f}")
        titles = (title, "work s", "all s", "CPU s", "calls", "peak MB", "listed", "read", "changed", "rows written")
        return table((*titles, "tables MB", "raw MB", "snapshots MB"), [*rows, slopes])

    return shown


def name_of(point: dict[str, Any], across: str) -> str:
    """What is varied, at this point."""
    if across == "changed_share":
        return f"{point[across]:.2%}"
    return number(point[across]) + (", sampled" if point.get("sampled") else "")


def merging(result: Result) -> str:
    """Seconds by catalogue and by what changed."""
    rows = [
        (
            f"{point['skus']:,}",
            point["changed"],
            f"{point['changed'] / point['products']:.2%}",
            point["wall"],
            1000 * point["wall"] / point["changed"],
            point["cpu"],
            point["server_cpu"],
            point["unchanged"]["wall"],
        )
        for point in result.found["points"]
    ]
    titles = (
        "SKUs",
        "products changed",
        "share",
        "seconds",
        "ms each",
        "CPU s",
        "Postgres CPU s",
        "unchanged, seconds",
    )
    text = table(titles, rows)
    for skus in dict.fromkeys(point["skus"] for point in result.found["points"]):
        points = [point for point in result.found["points"] if point["skus"] == skus]
        slope = exponent([point["changed"] for point in points], [point["wall"] for point in points])
        if slope is not None:
            text += f"\n\nWith {skus:,} SKUs, seconds grow with the {slope:.2f}th power of what changed."
    return text


def publishing(result: Result) -> str:
    """Each kind of publish beside Arrow alone."""
    kinds = ("all", "one_table", "none", "arrow")
    rows = []
    for one in result.found:
        clocks = [one[kind]["clock"] for kind in kinds]
        costs = (one["all"]["ours"], one["all"]["server"], one["all_to_arrow"])
        rows.append((f"{one['products']:,}", one["rows"], one["bytes"] / 1e6, *clocks, *costs))
    titles = (
        "products",
        "rows",
        "MB",
        "all s",
        "one table s",
        "none s",
        "Arrow s",
        "all: CPU s",
        "all: Postgres CPU s",
    )
    return table((*titles, "all / Arrow"), rows)


def marts(result: Result) -> str:
    """Each mart."""
    found = [one for one in result.found if "mart" in one]
    rows = [
        (f"`{one['mart']}`", one["rows"], one["clock"], one["whole"], one["count"], one.get("one_product_ms", "–"))
        for one in found
    ]
    titles = ("mart", "rows", "seconds", "CPU s", "CPU s to count", "ms for one product")
    return table(titles, rows)


def flame(result: Result) -> str:
    """What was sampled, by thread."""
    found, gil = result.found, result.found["gil"]
    on_core, holding = (
        [f"{name.removeprefix('thread ')} {count / one['samples']:.0%}" for name, count in one["threads"].items()]
        for one in (found, gil)
    )
    return (
        f"A first sync of {found['products']:,} products, every feed, without freight: {found['seconds']:,.0f} seconds "
        f"under py-spy, {found['rate']} samples a second, threads that are on a core. Of the samples, by thread: "
        f"{', '.join(on_core[:5])}. Of those that hold the interpreter's lock ({gil['products']:,} products): "
        f"{', '.join(holding[:5])}; they are {gil['samples'] / gil['seconds'] / found['rate']:.0%} of the time."
    )


def places(result: Result) -> str:
    """By the package of the innermost frame."""
    found = result.found
    holding = found["gil"]["places"]
    rows = [
        (f"`{name}`", f"{count / found['samples']:.1%}", f"{holding.get(name, 0) / found['gil']['samples']:.1%}")
        for name, count in found["places"].items()
    ]
    return table(("innermost frame in", "on a core", "holding the lock"), rows)


def as_said(result: Result) -> str:
    """What the benchmark printed."""
    import json  # noqa: PLC0415

    if isinstance(result.found, str):
        return f"```\n{result.found}\n```"
    return "```\n" + "\n".join(json.dumps(one) for one in result.found) + "\n```"


def runs(results: dict[str, Result]) -> str:
    """Every part: what was run, when, and who else was at work."""
    rows = [
        (
            f"`{noted['command']}`",
            noted["began"][:16].replace("T", " "),
            number(noted["seconds"] / 60) + (" (cut off)" if noted["exit_status"] == CUT_OFF else ""),
            noted["commit"],
            str(noted["busy_cores_before"]) + (" **busy**" if noted["busy"] else ""),
            noted["busy_cores_after"],
            f"{noted['stolen_share']:.1%}",
        )
        for noted in sorted((result.noted for result in results.values()), key=lambda noted: noted["began"])
    ]
    titles = ("run", "began (UTC)", "minutes", "commit", "busy cores before", "after", "stolen by the host")
    return table(titles, rows) if rows else NOT_YET


OF_ALL: dict[str, Callable[[dict[str, Result]], str]] = {
    "conditions": conditions,
    "bars": bars_table,
    "losses": losses_list,
    "runs": runs,
}
OF_A_PART: dict[str, tuple[str, Callable[[Result], str]]] = {
    "peers": ("peers", peers),
    "startup_share": ("peers", startup_share),
    "parity": ("peers", parity),
    "peers_latency": ("peers_latency", peers),
    "startup": ("startup", startup),
    "phases": ("startup", phases),
    "growth_first": ("growth", growth("products", "first sync, products", "first")),
    "growth_again": ("growth", growth("products", "nothing changed, products", "again")),
    "growth_changes": ("growth", growth("changed_share", "changed", "changes")),
    "growth_feeds": ("growth", growth("feeds", "feeds", "feeds")),
    "growth_destinations": ("growth", growth("destinations", "destinations", "destinations")),
    "merging": ("merging", merging),
    "publishing": ("publishing", publishing),
    "marts": ("marts", marts),
    "flame": ("flame", flame),
    "places": ("flame", places),
    "hot_path": ("hot_path", as_said),
    "receiver": ("receiver", as_said),
    "sandbox_rate": ("sandbox_rate", as_said),
}


def render(results: dict[str, Result], images: Path) -> str:
    """The page. A picture that is not drawn yet is left out."""
    page = (HERE / "page.md").read_text(encoding="utf-8")
    for name, of_all in OF_ALL.items():
        page = page.replace(f"{{{{{name}}}}}", of_all(results))
    for name, (part, of_it) in OF_A_PART.items():
        page = page.replace(f"{{{{{name}}}}}", of_it(results[part]) if part in results else NOT_YET)
    drawn = [line for line in page.splitlines() if not line.startswith("![") or _is_there(line, images)]
    return "\n".join(drawn) + "\n"


def _is_there(line: str, images: Path) -> bool:
    return (images / line.partition("(")[2].rstrip(")").rpartition("/")[2]).exists()


def take(source: Path, target: Path) -> None:
    """Take results over that are no quick try and did not fail; of one that was cut off, what it had measured."""
    target.mkdir(parents=True, exist_ok=True)
    for part, result in read_results(source).items():
        if result.noted["quick"] or result.noted["exit_status"] not in (0, CUT_OFF):
            print(f"{part} is left out: a quick try, or it failed", file=sys.stderr)
        else:
            shutil.copyfile(source / f"{part}.json", target / f"{part}.json")


def main() -> int:
    """Write the page, or check it; 1 where it is stale."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--take", type=Path, help="a folder of new results, which are taken over first")
    parser.add_argument("--results", type=Path, default=DOCS / "benchmarks")
    parser.add_argument("--images", type=Path, default=DOCS / "images" / "benchmarks")
    parser.add_argument("--page", type=Path, default=DOCS / "benchmarks.md")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the page is stale")
    options = parser.parse_args()
    if options.check:
        return check_page(options.page, render(read_results(options.results), options.images), "make bench-page")
    if options.take:
        take(options.take, options.results)
    results = read_results(options.results)
    from pictures import draw  # noqa: PLC0415  a check draws nothing

    options.images.mkdir(parents=True, exist_ok=True)
    draw(results, options.images)
    options.page.write_text(render(results, options.images), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
