"""What a benchmark was measured on, and whether anybody else was at work there; where the server's CPU time stands."""

import os
import platform
import subprocess
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

BUSY = 0.5
"""Cores that others keep busy, above which what is measured tells of them too."""

LIBRARIES = ("aiohttp", "orjson", "pyarrow", "adbc-driver-postgresql", "psycopg2-binary", "dagster")


def busy_cores(seconds: float = 3.0) -> float:
    """How many cores the whole machine keeps busy just now, looked at for so long."""
    return round(psutil.cpu_percent(interval=seconds) / 100 * (psutil.cpu_count() or 1), 2)


def stolen_seconds() -> float:
    """CPU seconds that the host has given to others than this virtual machine since it started; 0 where none tells."""
    return float(getattr(psutil.cpu_times(), "steal", 0.0))


def machine() -> dict[str, Any]:
    """What it is, without its name."""
    return {
        "cores": psutil.cpu_count(),
        "processor": _processor(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
    }


def commit(root: Path) -> str:
    """The commit that is checked out, `+` behind it where the package differs from it; empty outside of git."""
    told = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=root, capture_output=True, text=True, check=False
    )
    changed = ["git", "status", "--porcelain", "--untracked-files=no", "dropship_pipeline"]
    dirty = subprocess.run(changed, cwd=root, capture_output=True, text=True, check=False).stdout.strip()
    return told.stdout.strip() + ("+" if dirty else "")


def _processor() -> str:
    for line in _lines(Path("/proc/cpuinfo")):
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def cpu_of(process: int) -> float:
    """CPU seconds of a process, with its children that have ended."""
    times = psutil.Process(process).cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


def cpu_of_server(home: Path) -> float:
    """CPU seconds of the embedded Postgres of `home`, with all that it has started, ended or not."""
    postmaster = psutil.Process(int((home / "postgres" / "postmaster.pid").read_text().split()[0]))
    alive = 0.0
    for child in postmaster.children():
        try:
            alive += cpu_of(child.pid)
        except psutil.NoSuchProcess:
            continue
    return cpu_of(postmaster.pid) + alive


@dataclass(frozen=True)
class Ended:
    """A process that has ended: seconds by the clock, its CPU seconds, its peak resident megabytes, what it said."""

    seconds: float
    cpu: float
    peak_mb: float
    output: bytes


def run(command: list[str], environment: dict[str, str], folder: Path) -> Ended:
    """Run a command to its end. Raises SystemExit with its last words where it fails."""
    began = time.monotonic()
    with (folder / "errors").open("wb") as errors:
        process = subprocess.Popen(
            command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
        )
        output = process.stdout.read() if process.stdout else b""
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        words = (output + (folder / "errors").read_bytes()).decode(errors="replace")[-3000:]
        raise SystemExit(f"{command} ended with {os.waitstatus_to_exitcode(status)}:\n{words}")
    return Ended(
        round(time.monotonic() - began, 3),
        round(usage.ru_utime + usage.ru_stime, 2),
        round(usage.ru_maxrss / 1024),
        output,
    )
