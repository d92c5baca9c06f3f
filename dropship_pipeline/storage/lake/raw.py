"""Raw answers in the lake: landed as they came, before anything is made of them, and found again after a kill.

`raw/<kind>/date=YYYY-MM-DD/<UTC time>-<run>-<n>.parquet`. A file whose answers are in the tables is in `ops.raw_files`
too, written by the transaction that merged it. What the answers mean is not in here.
"""

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Connection, text

from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.lake.place import Lake
from dropship_pipeline.storage.server.database import Database

ROOT = "raw"
TORN = ".torn"

_DATE = "date="
_MOMENT = "%Y%m%dT%H%M%S.%fZ"
_LONGEST_SWEEP = timedelta(days=2)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_COLUMNS: list[tuple[str, pa.DataType, bool, str]] = [
    ("key", pa.string(), False, "What was asked for: a product ID (several: with commas between), or feed:page"),
    ("request", pa.string(), False, "The business parameters as JSON, no secrets"),
    ("received_at", pa.timestamp("us", tz="UTC"), False, "When the answer came (UTC)"),
    ("status", pa.int16(), False, "HTTP status"),
    ("code", pa.string(), True, "The gateway's code, where it refused"),
    ("body", pa.binary(), False, "The answer, byte for byte"),
    ("run_id", pa.string(), False, "The run that landed it"),
    ("sweep_id", pa.string(), True, "The sweep that a page of a listing belongs to"),
]
SCHEMA = pa.schema([pa.field(name, kind, null, {"comment": comment}) for name, kind, null, comment in _COLUMNS])
_STATISTICS = ["key", "received_at"]  # bodies have none worth keeping
_ANSWER = ["key", "request", "received_at", "status", "body", "code"]
_ANSWER_SCHEMA = pa.schema([SCHEMA.field(name) for name in _ANSWER])
_UNREADABLE = (pa.ArrowException, OSError, ValueError, LookupError, OverflowError)  # what damage makes of the reader
_SAID = {b"run_id", b"sweep_id", b"fence"}
_REPEATED = ["code", "run_id", "sweep_id"]

_UNRECORDED = text("""
    SELECT path FROM unnest(CAST(:paths AS text[])) AS landed (path)
    WHERE NOT EXISTS (SELECT FROM ops.raw_files f WHERE f.path = landed.path)
""")
_SWEEP_BEGAN = text("SELECT started_at FROM ops.sweeps WHERE sweep_id = :sweep_id")
_SWEEP_FILES = text("SELECT path, kind, run_id, answers, sweep_id FROM ops.raw_files WHERE sweep_id = :sweep_id")
_RECORD = text("""
    INSERT INTO ops.raw_files (path, kind, run_id, sweep_id, answers, merged_at)
    VALUES (:path, :kind, :run_id, :sweep_id, :answers, clock_timestamp())
    ON CONFLICT (path) DO NOTHING
""")
_SWEEPS = text("SELECT path, sweep_id FROM ops.raw_files WHERE path = ANY (:paths)")
_FENCES = text("SELECT sweep_id, fence FROM ops.sweeps WHERE sweep_id = ANY (:sweep_ids)")
_FORGET = text("DELETE FROM ops.raw_files WHERE split_part(path, '/', 3) < :oldest_kept")


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """One answer as it came. `request`: the business parameters as JSON, never a secret. `received_at` is UTC."""

    key: str
    request: str
    received_at: datetime
    status: int
    body: bytes
    code: str | None = None


@dataclass(frozen=True, slots=True)
class RawFile:
    """One file of answers of a kind: `listing`, `description`, `inventory`, `freight`."""

    path: str
    kind: str
    run_id: str
    answers: int
    sweep_id: str | None = None
    fence: int | None = None
    """Of a listing's pages: the fence of the sweep when they were landed."""


class TornRawFile(Problem):
    """A raw file that cannot be read. It was set aside; what it held was not merged, so that it is fetched again."""


class RawWriter:
    """Lands answers. Threads may share it."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._numbers = itertools.count(1)

    def land(
        self,
        kind: str,
        run_id: str,
        answers: Sequence[RawAnswer],
        sweep_id: str | None = None,
        fence: int | None = None,
    ) -> RawFile:
        """Write the answers as one file, on disk when this returns. Raises `LakeProblem`, leaving nothing behind."""
        now = datetime.now(UTC)
        run = re.sub(r"[^0-9A-Za-z]", "", run_id)[:8] or "run"
        name = f"{now:{_MOMENT}}-{run}-{next(self._numbers)}.parquet"
        file = RawFile(f"{ROOT}/{kind}/{_folder(now.date())}/{name}", kind, run_id, len(answers), sweep_id, fence)
        self._lake.write(file.path, _encode(file, answers))
        return file


def _encode(file: RawFile, answers: Sequence[RawAnswer]) -> pa.Buffer:
    # what an orphan has to say for itself stands in the footer: no column needs to be read for it
    said = {"run_id": file.run_id} | ({"sweep_id": file.sweep_id} if file.sweep_id else {})
    said |= {"fence": str(file.fence)} if file.fence is not None else {}
    table = pa.table(
        {
            "key": [answer.key for answer in answers],
            "request": [answer.request for answer in answers],
            "received_at": [answer.received_at for answer in answers],
            "status": [answer.status for answer in answers],
            "code": [answer.code for answer in answers],
            "body": [answer.body for answer in answers],
            "run_id": [file.run_id] * len(answers),
            "sweep_id": [file.sweep_id] * len(answers),
        },
        schema=SCHEMA.with_metadata(said),
    )
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression="zstd",
        use_dictionary=_REPEATED,  # type: ignore[arg-type]  # a list is fine, the stubs lack it
        write_statistics=_STATISTICS,
        write_page_checksum=True,
    )
    return sink.getvalue()


def read_raw(lake: Lake, path: str) -> list[RawAnswer]:
    """The answers of a file, in the order in which they were landed.

    Raises `TornRawFile` for a file that is cut off or corrupt, after renaming it to `….torn`; and `LakeProblem`.
    """
    data = lake.read(path)
    try:
        file = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
        table = file.read(columns=_ANSWER).select(_ANSWER)
        if not table.schema.equals(_ANSWER_SCHEMA):
            raise pa.ArrowInvalid("its columns are not those of a raw file")
        table = table.set_column(2, "received_at", table["received_at"].cast(pa.int64()))
        rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
        return [
            RawAnswer(key, request, _EPOCH + timedelta(microseconds=at), status, body, code)
            for key, request, at, status, body, code in rows
        ]
    except _UNREADABLE as error:
        aside = path + TORN
        if lake.exists(path):  # or somebody else has found it too
            lake.rename(path, aside)
        reason = str(error).split("\n", 1)[0]
        raise TornRawFile(
            f"The raw file {lake.at(path)} is torn ({reason}); it was set aside as {aside}",
            "What was not merged of it stays due: run the sync again to have it read once more",
        ) from error


def unmerged(database: Database, lake: Lake, kind: str, within: timedelta) -> list[RawFile]:
    """A kind's files landed `within` this time that no merge has recorded, oldest first: a run died before.

    A file that cannot be read is among them, with 0 answers and no run: `read_raw` deals with it.
    """
    landed = _landed(lake, f"{ROOT}/{kind}", since=(datetime.now(UTC) - within).date())
    return _oldest_first(introduce(lake, path) for path in _unrecorded(database, landed))


def landed(lake: Lake, kinds: Iterable[str], within: timedelta | None = None) -> list[str]:
    """The files of these kinds landed `within` this time, or all that are kept; oldest first, whatever their kind."""
    since = datetime.now(UTC) - within if within is not None else _EPOCH
    paths = [path for kind in kinds for path in _landed(lake, f"{ROOT}/{kind}", since.date())]
    return sorted((path for path in paths if _name(path) >= f"{since:{_MOMENT}}"), key=_name)


def unrecorded(database: Database, lake: Lake, paths: list[str]) -> dict[str, RawFile]:
    """Those of the files that no merge has recorded: a run landed them, and died."""
    return {path: introduce(lake, path) for path in _unrecorded(database, paths)}


def by_sweep(database: Database, lake: Lake, paths: list[str]) -> dict[str, list[str]]:
    """Files of listings by the sweep whose pages they hold, in the order given; those of none under ''.

    What a process landed after it had lost the sweep to another is left out.
    """
    with database.begin() as connection:
        known = {row.path: row.sweep_id for row in connection.execute(_SWEEPS, {"paths": paths})}
        others = [introduce(lake, path) for path in paths if path not in known]
        asked = {"sweep_ids": [file.sweep_id for file in others if file.sweep_id]}
        fences = {row.sweep_id: row.fence for row in connection.execute(_FENCES, asked)}
    known |= {file.path: file.sweep_id for file in others if fences.get(file.sweep_id) in (None, file.fence)}
    sweeps: dict[str, list[str]] = {}
    for path in paths:
        if path in known:
            sweeps.setdefault(known[path] or "", []).append(path)
    return sweeps


def sweep_files(database: Database, lake: Lake, sweep_id: str, fence: int) -> list[RawFile]:
    """The files that hold a sweep's pages and are still in the lake, oldest first: for whoever took it over as `fence`.

    Recorded or not; but what was not recorded counts only if whoever had the sweep just before landed it. Who had it
    earlier and lands still is a process that woke up late.
    """
    with database.begin() as connection:
        began = connection.execute(_SWEEP_BEGAN, {"sweep_id": sweep_id}).scalar_one_or_none()
        recorded = [RawFile(*row) for row in connection.execute(_SWEEP_FILES, {"sweep_id": sweep_id})]
    began = began or datetime.now(UTC) - _LONGEST_SWEEP
    landed = _landed(lake, f"{ROOT}/listing", since=began.astimezone(UTC).date())
    others = [introduce(lake, path) for path in _unrecorded(database, landed)]
    there = set(landed)
    return _oldest_first(
        [file for file in recorded if file.path in there]
        + [file for file in others if file.sweep_id == sweep_id and file.fence == fence - 1]
    )


def record(connection: Connection, file: RawFile) -> None:
    """Note in `ops.raw_files`, in a transaction, that nothing is left to be done with a file but to keep it."""
    connection.execute(_RECORD, asdict(file))


def record_landed(database: Database, file: RawFile) -> None:
    """As `record`, in a transaction of its own."""
    with database.begin() as connection:
        record(connection, file)


def torn_files(lake: Lake) -> list[str]:
    """The raw files that could not be read and were set aside; they go with the days on which they were landed."""
    return [path for path in lake.files(ROOT) if path.endswith(TORN)]


def expired(lake: Lake, days: int) -> list[str]:
    """The folders of what was landed more than `days` days ago, whole days of UTC: one a kind and day."""
    oldest_kept = _oldest_kept(days)
    return [
        folder
        for kind in lake.folders(ROOT)
        for folder in lake.folders(kind)
        if (name := folder.rpartition("/")[2]).startswith(_DATE) and name < oldest_kept
    ]


def drop_expired(lake: Lake, database: Database, days: int) -> int:
    """Delete what was landed more than `days` days ago; how many days' folders went."""
    folders, oldest_kept = expired(lake, days), _oldest_kept(days)
    for folder in folders:
        lake.delete_folder(folder)
    with database.begin() as connection:
        # by their dates, not from the list above: a run that was killed between the two is made good by the next
        connection.execute(_FORGET, {"oldest_kept": oldest_kept})
    return len(folders)


def _oldest_kept(days: int) -> str:
    return _folder((datetime.now(UTC) - timedelta(days=days)).date())


def _folder(day: date) -> str:
    return f"{_DATE}{day.isoformat()}"


def _landed(lake: Lake, kind: str, since: date) -> list[str]:
    """The files of `raw/<kind>` since that day."""
    return [
        path
        for folder in lake.folders(kind)
        if folder.rpartition("/")[2] >= _folder(since)
        for path in lake.files(folder)
        if path.endswith(".parquet")
    ]


def _unrecorded(database: Database, paths: list[str]) -> list[str]:
    with database.begin() as connection:
        return list(connection.execute(_UNRECORDED, {"paths": paths}).scalars())


def introduce(lake: Lake, path: str) -> RawFile:
    """What a file says of itself in its footer; nothing but its path, if it cannot be read."""
    kind = path.split("/")[1]
    try:
        footer = pq.read_metadata(pa.BufferReader(lake.read(path)))
    except _UNREADABLE:
        return RawFile(path, kind, run_id="", answers=0)
    said = {name.decode(): value.decode() for name, value in (footer.metadata or {}).items() if name in _SAID}
    fence = int(said["fence"]) if "fence" in said else None
    return RawFile(path, kind, said.get("run_id", ""), footer.num_rows, said.get("sweep_id"), fence)


def _oldest_first(files: Iterable[RawFile]) -> list[RawFile]:
    return sorted(files, key=lambda file: _name(file.path))


def _name(path: str) -> str:
    return path.rpartition("/")[2]
