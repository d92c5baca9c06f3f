"""`dropship sync` in a process of its own, measured: its cost as a whole, and seconds by phase.

What several benchmarks share; it measures nothing by itself.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from machine import Ended, run

from dropship_pipeline.sandbox.launch import Running

STOPWATCH = str(Path(__file__).with_name("stopwatch.py"))


@dataclass(frozen=True)
class Phases:
    """Seconds of a sync by the clock: until its first stage begins, each stage, between the stages, after the last."""

    start: float
    stages: dict[str, float]
    between: float
    end: float


@dataclass(frozen=True)
class Sync:
    """One sync: what it cost, where its time went, and what it said of itself (`dropship sync --json`)."""

    cost: Ended
    phases: Phases
    summary: dict[str, Any]


def phases(noted: Sequence[tuple[str, float, float]], whole: float) -> Phases:
    """What the stopwatch noted of a process that took so long."""
    stages: dict[str, float] = {}
    for name, began, ended in noted:
        stages[name] = round(stages.get(name, 0.0) + ended - began, 3)
    between = sum(later[1] - earlier[2] for earlier, later in pairwise(noted))
    return Phases(round(noted[0][1], 3), stages, round(between, 3), round(whole - noted[-1][2], 3))


def command(noted: Path, *arguments: str) -> list[str]:
    """The command line of `dropship …` with a stopwatch, to be started at once."""
    return [sys.executable, STOPWATCH, str(noted), str(time.monotonic()), *arguments]


def environment(sandbox: Running, home: Path, **more: str) -> dict[str, str]:
    """What a merchant's processes see: the simulated Alibaba.com, a home, no limit of calls."""
    settings = {"DROPSHIP_HOME": str(home), "ALIBABA_CALLS_PER_SECOND": "1000000"}
    return {**os.environ, **sandbox.env, **settings, **more}


def sync(variables: Mapping[str, str], *arguments: str) -> Sync:
    """One sync with these arguments. Raises SystemExit with its last words where it ends with another status than 0."""
    with tempfile.TemporaryDirectory(prefix="timed-sync-") as folder:
        noted = Path(folder) / "stages.json"
        cost = run(command(noted, "sync", "--json", *arguments), dict(variables), Path(folder))
        return Sync(cost, phases(json.loads(noted.read_text()), cost.seconds), json.loads(cost.output))
