"""All benchmarks, one after the other: each in a process of its own, its result with what it was measured on.

    python benchmarks/run_all.py [--quick] [--only PART …] [--missing] [--list]

`make bench` calls it. A part's result is `build/bench/PART.json`: the command, when it ran, for how long, the commit,
the machine, how many cores others kept busy just before and just after, and what the benchmark said. A part that
began while more than half a core was busy with something else is marked as busy, and so it is told on the page. With
`--missing` only those run that have no result yet; what a Ctrl-C or SIGTERM cuts off keeps what it had measured.
`--quick` tries everything with small numbers, in build/bench/quick: these tell whether it works, not how fast it is.

`page.py` makes docs/benchmarks.md of the results.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from machine import BUSY, busy_cores, commit, machine, stolen_seconds
from results import CUT_OFF

HERE = Path(__file__).parent
ROOT = HERE.parent
RESULTS = ROOT / "build" / "bench"
SETTLE = 30.0  # seconds that a part waits for the machine to become quiet: the one before it has left things to write


@dataclass(frozen=True)
class Part:
    """One benchmark of the set: its command line, that of a quick try, about how many minutes it takes on two cores.

    `writes_json`: it takes `--json FILE`; the others print a line of JSON for each thing measured, or a text.
    """

    name: str
    script: str
    full: tuple[str, ...]
    quick: tuple[str, ...]
    minutes: float
    writes_json: bool = True


def words(line: str) -> tuple[str, ...]:
    """The words of a command line without quotes."""
    return tuple(line.split())


PARTS = (
    Part("startup", "startup.py", (), words("--products 100 --runs 1"), 2),
    Part(
        "peers",
        "peers/compare.py",
        words("--products 20000 --rounds 5 --slow-rounds 1"),
        words("--products 60 --rounds 1 --slow-rounds 1"),
        23,
    ),
    Part(
        "peers_latency",
        "peers/compare.py",
        words("--products 1000 --latency 50 --rounds 3 --slow-rounds 1"),
        words("--products 40 --latency 50 --rounds 1 --slow-rounds 1"),
        4,
    ),
    Part(
        "growth",
        "growth.py",
        (),
        words("--sizes 50 100 --sampled 0 --standard 50 --curves catalogue destinations"),
        15,
    ),
    Part("merging", "merging.py", (), words("--products 200 1000 --changed 20 100 --runs 1"), 5),
    Part(
        "publishing",
        "publishing.py",
        words("--products 10000 100000 --runs 3"),
        words("--products 200 --runs 1"),
        6,
        writes_json=False,
    ),
    Part("marts", "marts.py", (), words("--products 500"), 4, writes_json=False),
    Part("flame", "flame.py", (), words("--products 200"), 5),
    Part("hot_path", "hot_path.py", (), words("--products 50 --rounds 1"), 1, writes_json=False),
    Part("receiver", "receiver.py", (), words("--rate 100 --seconds 2 --kill-after 1"), 2, writes_json=False),
    Part(
        "sandbox_rate", "sandbox_rate.py", (), words("--calls 1000 --products 100 --minimum 0"), 0.5, writes_json=False
    ),
)


def told(output: str) -> Any:
    """What a benchmark printed: its lines of JSON, or its text where there are none."""
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return lines or output.strip()


def wait_until_quiet() -> float:
    """Wait until nobody else is at work, but not for ever; how many cores are busy then."""
    until = time.monotonic() + SETTLE
    busy = busy_cores()
    while busy > BUSY and time.monotonic() < until:
        busy = busy_cores()
    return busy


def run_command(line: list[str]) -> tuple[int, str]:
    """Its exit status and what it printed; an interrupt is handed on, and what it has measured by then is kept."""
    process = subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
    output: list[str] = []
    try:
        output += process.stdout or []
        return process.wait(), "".join(output)
    except KeyboardInterrupt:
        os.killpg(process.pid, signal.SIGINT)
        process.wait()
        return CUT_OFF, "".join(output)


def interrupted(_number: int, _frame: object) -> None:
    """SIGTERM is a Ctrl-C, too."""
    raise KeyboardInterrupt


def run(part: Part, folder: Path, *, quick: bool) -> int:
    """Run one part and keep its result; its exit status."""
    target = folder / f"{part.name}.json"
    raw = folder / f"{part.name}.partial"
    raw.unlink(missing_ok=True)
    arguments = [part.script, *(part.quick if quick else part.full)]
    before, stolen = busy_cores(1.0) if quick else wait_until_quiet(), stolen_seconds()
    at, began = datetime.now(UTC), time.monotonic()
    line = [sys.executable, str(HERE / arguments[0]), *arguments[1:]]
    status, output = run_command([*line, "--json", str(raw)] if part.writes_json else line)
    seconds = time.monotonic() - began
    if part.writes_json and not raw.exists():
        return status or 1
    target.write_text(
        json.dumps(
            {
                "part": part.name,
                "command": " ".join(["python", f"benchmarks/{arguments[0]}", *arguments[1:]]),
                "quick": quick,
                "exit_status": status,
                "began": at.isoformat(timespec="seconds"),
                "seconds": round(seconds, 1),
                "commit": commit(ROOT),
                "busy_cores_before": before,
                "busy_cores_after": busy_cores(1.0),
                "stolen_share": round((stolen_seconds() - stolen) / seconds / machine()["cores"], 4),
                "busy": before > BUSY,
                "machine": machine(),
                "result": json.loads(raw.read_text()) if part.writes_json else told(output),
            },
            indent=1,
        )
        + "\n",
        encoding="utf-8",
    )
    raw.unlink(missing_ok=True)
    return status


def main() -> int:
    """Run what is asked for; 1 where a part failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small numbers: whether everything works")
    parser.add_argument("--only", nargs="+", choices=[part.name for part in PARTS], default=[], metavar="PART")
    parser.add_argument("--missing", action="store_true", help="only parts that have no result yet")
    parser.add_argument("--list", action="store_true", help="the parts, and about how many minutes each takes")
    options = parser.parse_args()
    if options.list:
        for part in PARTS:
            print(f"{part.name:14}{part.minutes:5g} min  {part.script} {' '.join(part.full)}".rstrip())
        return 0
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell has what it runs in the background ignore the first
        signal.signal(number, interrupted)
    folder = RESULTS / "quick" if options.quick else RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    failed = []
    for part in PARTS:
        if options.only and part.name not in options.only:
            continue
        if options.missing and (folder / f"{part.name}.json").exists():
            continue
        print(f"{datetime.now(UTC):%H:%M:%S} {part.name}", file=sys.stderr, flush=True)
        status = run(part, folder, quick=options.quick)
        if status == CUT_OFF:
            return CUT_OFF
        if status:
            failed.append(part.name)
    for name in failed:
        print(f"The benchmark {name} failed. Try it alone: python benchmarks/run_all.py --only {name}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
