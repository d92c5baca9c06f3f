"""A process that reads the newest snapshot all the time, as an analyst's notebook may at any moment (I3).

Each look follows `latest` once and reads what it finds there: every file that the snapshot's manifest tells of must be
there, whole, with the rows that the manifest says.
"""

import json
import os
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

PAUSE_S = 0.02


class Reader:
    """The process, told where to look."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def watch(self, lake: Path) -> None:
        """Begin to look."""
        self._tell(str(lake))

    def stop(self) -> dict[str, Any]:
        """Look no longer: how often was looked, and what was wrong."""
        self._tell("")
        assert self._process.stdout is not None
        told: dict[str, Any] = json.loads(self._process.stdout.readline())
        return told

    def close(self) -> None:
        self._process.communicate()

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        print(line, file=self._process.stdin, flush=True)


def look(lake: Path) -> str | None:
    """What is wrong with the newest snapshot; None if nothing is, or there is none."""
    latest = lake / "latest"
    if not latest.is_symlink():
        return None
    folder = latest.resolve()
    try:
        said = json.loads((folder / "snapshot.json").read_bytes())
        for name, rows in said["row_counts"].items():
            file = folder / (name.replace(".", "/", 1) + ".parquet")
            found = pq.read_metadata(file).num_rows
            if found != rows:
                return f"{name} of {folder.name} has {found} rows, its manifest says {rows}"
    except (OSError, ValueError, KeyError) as error:
        return f"{folder.name} cannot be read whole: {type(error).__name__}: {str(error).splitlines()[0]}"
    return None


def _read_for_ever() -> None:
    lake: Path | None = None
    looks = 0
    published = False
    wrong: set[str] = set()
    left = b""
    while True:
        ready, _, _ = select.select([0], [], [], PAUSE_S if lake else None)
        if ready:
            came = os.read(0, 4096)
            if not came:
                return
            *lines, left = (left + came).split(b"\n")
            for line in lines:
                if line:
                    lake, looks, wrong, published = Path(line.decode()), 0, set(), False
                    continue
                lake = None
                os.write(1, json.dumps({"looks": looks, "wrong": sorted(wrong)}).encode() + b"\n")
        if lake is not None:
            found = look(lake)
            looks += 1
            if not found and published and not (lake / "latest").is_symlink():
                found = "there was a newest snapshot, and is none"
            published = published or (lake / "latest").is_symlink()
            if found:
                wrong.add(found)


if __name__ == "__main__":
    _read_for_ever()
