"""The page of benchmarks is what its results say, and nothing else; a set of results becomes a page."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"


def page(*arguments: object) -> "subprocess.CompletedProcess[str]":
    """`benchmarks/page.py`, as `make bench-page` calls it."""
    command = [sys.executable, str(BENCHMARKS / "page.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def noted(part: str, found: Any, **other: Any) -> dict[str, Any]:
    """A result as the set writes it."""
    return {
        "part": part,
        "command": f"python benchmarks/{part}.py",
        "quick": False,
        "exit_status": 0,
        "began": "2026-11-23T21:20:00+00:00",
        "seconds": 90.0,
        "commit": "abc1234",
        "busy_cores_before": 0.02,
        "busy_cores_after": 0.1,
        "stolen_share": 0.0,
        "busy": False,
        "machine": {
            "cores": 2,
            "processor": "A processor",
            "memory_gb": 24,
            "system": "Linux 6",
            "python": "3.11.7",
            "libraries": {"aiohttp": "3.14.5"},
        },
        "result": found,
        **other,
    }


def peer(wall: float, cpu: float, peak_mb: float = 200, **more: float) -> dict[str, float]:
    """What the comparison says of one peer."""
    spans = {"wall_least": wall - 1, "wall_most": wall + 1, "cpu_least": cpu, "cpu_most": cpu}
    figures = {"runs": 5, "wall": wall, "cpu": cpu, "peak_mb": peak_mb, "calls": 40_200, "sandbox_cpu": 7.0}
    return {**figures, "server_cpu": 3.0, **spans, **more}


def point(wall: float, **varied: float) -> dict[str, Any]:
    """What growth says of one sync."""
    figures = ("cpu", "calls", "listed", "read", "changed", "rows_written", "database_mb", "raw_mb", "snapshot_mb")
    stages = {"start": 3.0, "stages": {"list": wall / 2, "describe": wall / 2}, "between": 0.5, "end": 0.1}
    return {"wall": wall + 3.6, "peak_mb": 300, **dict.fromkeys(figures, 10), **stages, **varied}


def canned() -> list[dict[str, Any]]:
    """A result of each part, small."""
    ours = peer(16, 12, before=3.0, stages=11.0)
    peers = {
        "ours": ours,
        "ours, nothing changed": peer(4, 3, before=2.0, stages=0.5),
        "ours, 20 a call": peer(12, 9, before=3.0, stages=7.0),
        "bare loop": peer(10, 10, peak_mb=150),
        "dlt to Postgres": peer(144, 140, peak_mb=220),
    }
    rows = {"products": 20_000, "skus": 60_000, "stock": 70_000}
    compared = {"rows": rows, "latency_ms": 0.0, "peers": peers}
    catalogue = [point(products / 1000, products=products, sampled=False) for products in (1_000, 10_000, 100_000)]
    changes = [point(5, products=10_000, changed_share=share) for share in (0.0, 0.01, 1.0)]
    others = {name: [point(5, **{name: count}) for count in (1, 3)] for name in ("feeds", "destinations")}
    merges = [
        {"products": 200_000, "skus": 1_000_000, "changed": changed, "wall": changed / 1000, "cpu": 1, "server_cpu": 1}
        | {"unchanged": {"wall": changed / 2000}}
        for changed in (200, 2_000)
    ]
    cost = {"clock": 9.0, "ours": 2.0, "server": 7.0}
    published = {"products": 100_000, "rows": 10, "bytes": 10**6, "all_to_arrow": 2.004, "all_to_none": 90.0}
    waited = {"seconds": 0.1, "least": 0.1, "most": 0.2, "cpu": 0.1, "peak_mb": 30}
    sync = {"seconds": 8, "calls": 10, "start": 3, "stages": {"list": 4}, "between": 0.5, "end": 0.5}
    tree = ["dropship sync", 100, [["thread MainThread", 60, [["run (dropship_pipeline/sync/a.py)", 40, []]]]]]
    seen = {"samples": 100, "seconds": 60.0, "threads": {"thread MainThread": 60}, "places": {"pyarrow": 40}}
    flame = {"products": 100_000, "rate": 100, "tree": tree, **seen, "gil": {"products": 20_000, "tree": tree, **seen}}
    mart = {"mart": "stockouts", "rows": 9, "count": 0.1, "thousand": 0.1, "whole": 0.6, "clock": 0.5}
    return [
        noted("peers", compared),
        noted("peers_latency", {**compared, "latency_ms": 50.0}, busy=True),
        noted("growth", {"first": catalogue, "again": catalogue, "changes": changes, **others}),
        noted("merging", {"runs": 3, "points": merges}),
        noted("publishing", [{**published, **dict.fromkeys(("all", "arrow", "one_table", "none"), cost)}]),
        noted("startup", {"products": 10, "runs": 5, "first": sync, "again": sync, "commands": {
            "dropship --help": waited, "dropship status": waited}}),
        noted("flame", flame),
        noted("marts", [mart, {"load": [0.1]}]),
        noted("hot_path", "CPU ms a product\ntotal 0.5"),
        noted("receiver", [{"rate": 1000}]),
        noted("sandbox_rate", [{"calls_per_second": 8000}]),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a page was made of canned results, one of a quick try among them."""
    folder = tmp_path_factory.mktemp("bench")
    measured = folder / "build"
    measured.mkdir()
    for result in canned():
        (measured / f"{result['part']}.json").write_text(json.dumps({**result, "quick": result["part"] == "receiver"}))
    done = page("--take", measured, *places(folder))
    assert done.returncode == 0, done.stderr
    assert "receiver is left out: a quick try" in done.stderr
    return folder


def places(folder: Path) -> list[object]:
    """Where everything of a page is."""
    return ["--results", folder / "results", "--images", folder / "images", "--page", folder / "benchmarks.md"]


def row(text: str, beginning: str) -> list[str]:
    """The cells of the first row that begins so."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {beginning}"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_page_of_benchmarks_is_made_of_the_results_that_are_kept() -> None:
    done = page("--check")
    assert done.returncode == 0, done.stderr


def test_every_picture_on_the_page_of_benchmarks_is_there() -> None:
    shown = re.findall(r"!\[[^]]*\]\(([^)]+)\)", (ROOT / "docs" / "benchmarks.md").read_text())
    assert [image for image in shown if not (ROOT / "docs" / image).is_file()] == []


def test_each_figure_that_must_be_reached_is_told_with_whether_it_is(made: Path) -> None:
    text = (made / "benchmarks.md").read_text()
    assert row(text, "first sync, times as fast as dlt")[1:] == ["9.00", "≥ 8", "yes"]
    assert row(text, "first sync, 20 products a call, times as fast as dlt")[1:] == ["12.0", "≥ 8", "yes"]
    assert row(text, "second sync of 100,000 products, times as fast")[1:] == ["1.00", "≥ 20", "**no**"]
    assert row(text, "client CPU, times that of the bare loop")[1:] == ["1.20", "≤ 1.5", "yes"]
    assert row(text, "second sync, times as fast as the first, all told")[1:] == ["4.00", "≥ 20", "**no**"]
    assert row(text, "publishing everything")[1:] == ["2.0040", "≤ 2", "**no**"], "by a hair"


def test_what_grows_in_proportion_has_the_exponent_1_and_what_stays_has_0(made: Path) -> None:
    _, _, first = (made / "benchmarks.md").read_text().partition("first sync, products")
    slopes = row(first, "exponent")
    assert (slopes[1], slopes[3]) == ("1.00", "0.00")
    assert "grow with the 1.00th power" in first


def test_the_page_says_where_a_peer_is_ahead(made: Path) -> None:
    text = (made / "benchmarks.md").read_text()
    assert "- 20,000 products, 0 ms latency, seconds: ours 16; bare loop 10." in text
    assert "MB at the most: ours 200; bare loop 150." in text


def test_the_page_says_what_was_measured_while_others_were_at_work_and_what_was_not_measured(made: Path) -> None:
    text = (made / "benchmarks.md").read_text()
    assert re.search(r"Others were at work when these began.*peers_latency", text)
    assert text.count("Not measured yet") == 1
    assert "{{" not in text


def test_pictures_are_drawn_of_the_results(made: Path) -> None:
    drawn = {image.stem for image in (made / "images").iterdir()}
    assert drawn >= {
        "peers",
        "peers_latency",
        "growth_catalogue",
        "growth_changes",
        "growth_others",
        "merging",
        "flame",
    }
    assert "run (dropship_pipeline/sync/a.py): 40.0%" in (made / "images" / "flame.svg").read_text()


def test_a_page_that_is_not_what_its_results_say_is_stale(made: Path) -> None:
    assert page("--check", *places(made)).returncode == 0
    kept = made / "results" / "merging.json"
    before = kept.read_text()
    kept.write_text(before.replace('"wall": 0.2', '"wall": 0.9'))
    stale = page("--check", *places(made))
    kept.write_text(before)
    assert stale.returncode == 1
    assert "make bench-page" in stale.stderr


def test_every_part_of_the_set_is_listed_with_the_minutes_it_takes() -> None:
    command = [sys.executable, str(BENCHMARKS / "run_all.py"), "--list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    scripts = [line.split()[3] for line in listed]
    assert all((BENCHMARKS / script).is_file() for script in scripts)
    assert {line.split()[0] for line in listed} == {result["part"] for result in canned()}


def test_a_part_that_there_is_not_is_refused() -> None:
    command = [sys.executable, str(BENCHMARKS / "run_all.py"), "--only", "nothing"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "nothing" in done.stderr
