"""Whether the snapshots in the lake are whole still: what names them, and files that are cut off, altered or gone.

What a snapshot says of itself (`snapshot.json`) is held against its files. Nothing is mended or moved here: publishing
sets a damaged one aside, `snapshots.py`.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dropship_pipeline.storage.lake.place import Lake, LakeProblem

ROOT = "snapshots"
LATEST = "latest"
LATEST_JSON = "latest.json"
MANIFEST = "snapshot.json"

_NAMES = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ")
_SHOWN = 3  # files in a message


@dataclass(frozen=True, slots=True)
class Damage:
    """A snapshot that is not whole any more, and the files of it that are not."""

    snapshot: str
    files: tuple[str, ...]

    @property
    def said(self) -> str:
        """The files, in a few words."""
        more = f" and {len(self.files) - _SHOWN} more" if len(self.files) > _SHOWN else ""
        return ", ".join(self.files[:_SHOWN]) + more


def snapshot_names(lake: Lake) -> list[str]:
    """The snapshots in the lake, whole or not, oldest first."""
    names = (folder.rpartition("/")[2] for folder in lake.folders(ROOT))
    return [name for name in names if _NAMES.fullmatch(name)]


def read_manifest(lake: Lake, name: str) -> Mapping[str, Any] | None:
    """What a snapshot says of itself; None if it is half written, half thrown away, or that file is damaged."""
    path = f"{ROOT}/{name}/{MANIFEST}"
    if not lake.exists(path):
        return None
    try:
        said = json.loads(lake.read(path).to_pybytes())
    except LakeProblem:
        if lake.exists(path):
            raise
        return None  # it went between the two
    except ValueError:
        return None
    return said if isinstance(said, dict) and {"run_id", "taken_at", "row_counts"} <= said.keys() else None


def damaged(lake: Lake, names: Iterable[str], *, every_page: bool = False) -> list[Damage]:
    """Those of the snapshots that are not whole: a file is gone or cut off, or has another number of rows.

    With `every_page` all of them is read and held against its checksums, so that a flipped bit is found too.
    """
    found = ((name, tuple(_broken(lake, name, every_page))) for name in names)
    return [Damage(name, files) for name, files in found if files]


def _broken(lake: Lake, name: str, every_page: bool) -> Iterator[str]:
    said = read_manifest(lake, name)
    if said is None:
        if lake.exists(f"{ROOT}/{name}/{MANIFEST}"):
            yield MANIFEST
        return
    for table, rows in said["row_counts"].items():
        file = f"{table.replace('.', '/')}.parquet"
        if not _is_whole(lake, f"{ROOT}/{name}/{file}", rows, every_page):
            yield file


def _is_whole(lake: Lake, path: str, rows: int, every_page: bool) -> bool:
    try:
        with lake.open_input(path) as source, pq.ParquetFile(source, page_checksum_verification=True) as file:
            if every_page:
                for group in range(file.num_row_groups):
                    file.read_row_group(group, use_threads=False)
            return bool(file.metadata.num_rows == rows)
    except LakeProblem:
        if lake.exists(path):
            raise
        return False
    except (pa.ArrowException, OSError, ValueError) as error:
        if getattr(error, "errno", None):
            raise  # the file system's word, not the file's
        return False
