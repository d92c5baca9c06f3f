"""How long one waits for `dropship`: `--help`, `status`, and a sync that finds nothing to do, by phase.

    python benchmarks/startup.py [--products 10000] [--runs 5] [--json FILE]

Medians of so many runs, each a new process; the sandbox and Postgres run already. `status` and the syncs are of a
catalogue that was synced in full before: what `dropship sync` then does is to page every feed, to find that nothing
changed, and to publish.
"""

import argparse
import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from machine import run
from timed_sync import Phases, environment, sync

from dropship_pipeline.sandbox.launch import SandboxConfig, start
from dropship_pipeline.storage.server import embedded

COMMANDS = (["--help"], ["--version"], ["status"], ["sync", "--help"])


def middle(runs: list[Phases]) -> dict[str, Any]:
    """The median of each phase."""
    return {
        "start": median(one.start for one in runs),
        "stages": {name: median(one.stages[name] for one in runs) for name in runs[0].stages},
        "between": median(one.between for one in runs),
        "end": median(one.end for one in runs),
    }


def measure(products: int, runs: int) -> dict[str, Any]:
    """Everything."""
    config = SandboxConfig(products=products, orders=0, drift=0, clock_speed=0)
    with tempfile.TemporaryDirectory(prefix="startup-", ignore_cleanup_errors=True) as folder, start(config) as sandbox:
        os.chmod(folder, 0o755)  # noqa: PTH101  the embedded server runs as a user of its own where this runs as root
        embedded.start(Path(folder))
        variables = environment(sandbox, Path(folder))
        first = sync(variables)
        again = [sync(variables) for _ in range(runs)]
        commands: dict[str, Any] = {}
        for arguments in COMMANDS:
            line = [sys.executable, "-m", "dropship_pipeline.cli", *arguments]
            taken = [run(line, variables, Path(folder)) for _ in range(runs)]
            commands["dropship " + " ".join(arguments)] = {
                "seconds": median(one.seconds for one in taken),
                "least": min(one.seconds for one in taken),
                "most": max(one.seconds for one in taken),
                "cpu": median(one.cpu for one in taken),
                "peak_mb": median(one.peak_mb for one in taken),
            }
    return {
        "products": products,
        "runs": runs,
        "commands": commands,
        "first": {"seconds": first.cost.seconds, "calls": first.summary["calls"]["calls"], **asdict(first.phases)},
        "again": {
            "seconds": median(one.cost.seconds for one in again),
            "least": min(one.cost.seconds for one in again),
            "most": max(one.cost.seconds for one in again),
            "cpu": median(one.cost.cpu for one in again),
            "calls": again[-1].summary["calls"]["calls"],
            **middle([one.phases for one in again]),
        },
    }


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    document = json.dumps(measure(options.products, options.runs), indent=2)
    print(document)
    if options.json:
        options.json.write_text(document + "\n")


if __name__ == "__main__":
    main()
