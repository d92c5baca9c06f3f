"""Where the time of a sync goes: a flame graph of `dropship sync`, by py-spy.

    python benchmarks/flame.py [--products 100000] [--gil-products 20000] [--rate 100] [--json FILE]

The first sync of a catalogue: every feed listed, every product described, its stock taken, published; no freight. Two
runs: in one py-spy counts threads that are on a core, in the other those that hold the interpreter's lock, so that what
waits for the lock can be told from what works without it. Stacks begin with their thread. What is below half a percent
of all samples is counted where it was called from. py-spy comes in an environment of its own, in peers/.envs.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
import venv
from collections import Counter
from itertools import groupby
from pathlib import Path
from typing import Any

from timed_sync import environment

from dropship_pipeline.sandbox.launch import SandboxConfig, start
from dropship_pipeline.storage.server import embedded

PY_SPY = "0.4.3"
ENVIRONMENT = Path(__file__).parent / "peers" / ".envs" / "pyspy"
LEAST = 0.005
WAITING = re.compile(r"\(threading\.py:\d+\)$|\((concurrent/futures/thread|queue|selectors)\.py:\d+\)$")
"""Innermost frames in which nothing is done: a thread that was just woken there seems to be on a core."""

OURS = "dropship_pipeline/"
FOLDERS = ("site-packages/", "lib/python3.11/", OURS)
PASSING_ON = (
    ("dagster", "dagster"),
    ("click/", "dropship (cli/)"),
    ("dropship_pipeline/cli/", "dropship (cli/)"),
    ("<frozen runpy>", "dropship (cli/)"),
    ("<frozen importlib", ""),
    ("threading.py", "threading.py"),
    ("concurrent/futures/", "threading.py"),
    ("contextlib.py", "contextlib.py"),
)
"""Frames that only hand on to the next one, by how their file begins, and what is shown instead; empty: nothing."""


def profiler() -> str:
    """py-spy, installed where it is not."""
    program = ENVIRONMENT / "bin" / "py-spy"
    if not program.exists():
        print("Installing py-spy in an environment of its own", file=sys.stderr)
        venv.create(ENVIRONMENT, with_pip=True, clear=True)
        pip = [str(ENVIRONMENT / "bin" / "python"), "-m", "pip", "install", "-q", f"py-spy=={PY_SPY}"]
        subprocess.run(pip, check=True)
    return str(program)


def record(products: int, rate: int, *options: str) -> tuple[Counter[tuple[str, ...]], float]:
    """The stacks of a first sync, outermost frame first, with how often each was seen; and seconds it took."""
    config = SandboxConfig(products=products, orders=0, drift=0, clock_speed=0)
    with tempfile.TemporaryDirectory(prefix="flame-", ignore_cleanup_errors=True) as folder, start(config) as sandbox:
        home = Path(folder)
        home.chmod(0o755)  # the embedded server runs as a user of its own where this runs as root
        embedded.start(home)
        stacks = home / "stacks"
        command = [
            profiler(),
            "record",
            "--format",
            "raw",
            "--threads",
            "--rate",
            str(rate),
            "-o",
            str(stacks),
            *options,
        ]
        began = time.monotonic()
        done = subprocess.run(
            [*command, "--", sys.executable, "-m", "dropship_pipeline.cli", "sync", "--json"],
            env=environment(sandbox, home, DROPSHIP_DESTINATIONS="none"),
            capture_output=True,
            text=True,
            check=False,
        )
        if not stacks.exists() or '"outcome": "done"' not in done.stdout:
            raise SystemExit(
                f"{' '.join(command)} ended with {done.returncode}:\n{(done.stderr + done.stdout)[-2000:]}"
            )
        return read(stacks.read_text(encoding="utf-8")), time.monotonic() - began


def read(text: str) -> Counter[tuple[str, ...]]:
    """Lines of `frame;frame;… count`; neighbouring frames that are shown alike are one, and who waits is left out."""
    found: Counter[tuple[str, ...]] = Counter()
    for line in text.splitlines():
        frames, _, count = line.rpartition(" ")
        if WAITING.search(frames):
            continue
        found[tuple(name for name, _ in groupby(filter(None, map(shown, frames.split(";")))))] += int(count)
    return found


def shown(frame: str) -> str:
    """`function (package/file.py)` of `function (/a/path/package/file.py:12)`; what only passes on is its package."""
    name, _, place = frame.partition(" (")
    if name == "thread":
        return f"thread {place.partition(': ')[2].partition(': ')[0] or 'MainThread'}"
    file = place.rstrip(")").rpartition(":")[0] or place.rstrip(")")
    for package in FOLDERS:
        _, found, below = file.rpartition(package)
        file = (found if package == OURS else "") + below if found else file
    return next((package for start, package in PASSING_ON if file.startswith(start)), f"{name} ({file})")


def tree(stacks: Counter[tuple[str, ...]], least: float) -> list[Any]:
    """`[frame, samples, [children]]`, the largest first; what is smaller than that share of all is in its parent."""
    whole = sum(stacks.values())

    def node(name: str, below: Counter[tuple[str, ...]]) -> list[Any]:
        parts: dict[str, Counter[tuple[str, ...]]] = {}
        for stack, count in below.items():
            if stack:
                parts.setdefault(stack[0], Counter())[stack[1:]] += count
        children = [node(frame, found) for frame, found in parts.items() if sum(found.values()) >= least * whole]
        return [name, sum(below.values()), sorted(children, key=lambda child: -child[1])]

    return node("dropship sync", stacks)


def shares(stacks: Counter[tuple[str, ...]]) -> dict[str, dict[str, int]]:
    """Samples by thread, and by where the innermost frame is: the package, the room of ours, the standard library."""
    threads: Counter[str] = Counter()
    places: Counter[str] = Counter()
    for stack, count in stacks.items():
        threads[stack[0]] += count
        file = stack[-1].rpartition("(")[2].rstrip(")")
        parts = file.split("/")
        places["/".join(parts[:2]) if file.startswith(OURS) else parts[0] if len(parts) > 1 else file] += count
    return {"threads": dict(threads.most_common(8)), "places": dict(places.most_common(16))}


def main() -> None:
    """Record both and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--gil-products", type=int, default=20_000)
    parser.add_argument("--rate", type=int, default=100, help="samples a second")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    busy, seconds = record(options.products, options.rate)
    holding, gil_seconds = record(min(options.products, options.gil_products), options.rate, "--gil")
    result = {
        "products": options.products,
        "rate": options.rate,
        "seconds": round(seconds, 1),
        "samples": sum(busy.values()),
        "gil": {
            "products": min(options.products, options.gil_products),
            "seconds": round(gil_seconds, 1),
            "samples": sum(holding.values()),
            **shares(holding),
            "tree": tree(holding, 0.02),
        },
        **shares(busy),
        "tree": tree(busy, LEAST),
    }
    document = json.dumps(result)
    if options.json:
        options.json.write_text(document + "\n")
    else:
        print(document)


if __name__ == "__main__":
    main()
