"""What a publish costs: all tables, one that was written to, none; beside Arrow alone, which writes the same tables.

    python benchmarks/publishing.py [--products 10000 100000] [--runs 5] [--home FOLDER]

Fills the catalogue of `benchmarks/marts.py`, with two months of change logs, in a folder of its own (or in `--home`,
where it is kept, one folder a size). Prints a line of JSON a size: rows and bytes of a snapshot, and for each kind of
publish the median of alternating runs: seconds by the clock, CPU seconds of this process, CPU seconds of Postgres; and
`least`, the fewest seconds by the clock, which others on the machine tell least upon.
`arrow`: the same rows, read into memory before, written as the same files. `one_table`: a price tier was written to,
so that its table and both marts are new. The last figures are those of the bars: publish all / Arrow, none / all.
"""

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from marts import filled

from dropship_pipeline.storage.lake.place import Lake
from dropship_pipeline.storage.lake.snapshots import Snapshot, publish
from dropship_pipeline.storage.server.database import Database

Cost = tuple[float, float, float]
WRITE = "UPDATE catalog.price_tiers SET price = price WHERE ctid = (SELECT min(ctid) FROM catalog.price_tiers)"


def server_seconds(home: Path) -> float:
    """CPU seconds of the server of `home`, with all that it has started and that has ended."""
    postmaster = psutil.Process(int((home / "postgres" / "postmaster.pid").read_text().split()[0]))
    ended = postmaster.cpu_times()
    alive = [process.cpu_times() for process in postmaster.children(recursive=True)]
    return float(sum(t.user + t.system for t in [ended, *alive]) + ended.children_user + ended.children_system)


def cost(home: Path, work: Callable[[], object]) -> Cost:
    """Seconds by the clock, of this process, of Postgres."""
    server, ours, began = server_seconds(home), time.process_time(), time.perf_counter()
    work()
    return time.perf_counter() - began, time.process_time() - ours, server_seconds(home) - server


def write_alone(tables: dict[str, pa.Table], folder: Path) -> None:
    """The files of a snapshot, by Arrow, on disk when this returns."""
    for name, rows in tables.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with pq.ParquetWriter(target, rows.schema, compression="zstd", write_page_checksum=True) as writer:
            for batch in rows.to_batches():
                writer.write_batch(batch)
        with target.open("rb") as file:
            os.fsync(file.fileno())


def tell(database: Database, statement: str) -> None:
    """One statement."""
    with database.begin() as connection:
        connection.exec_driver_sql(statement)


def measure(database: Database, home: Path, folder: Path, runs: int) -> dict[str, object]:
    """All kinds of publishes, in turn, so often."""
    lake = Lake(str(folder / "lake"))

    def once() -> Snapshot:
        return publish(database, lake, "benchmark", keep=2)

    snapshot = once()
    newest = folder / "lake" / "latest"
    files = {f"{name.replace('.', '/')}.parquet" for name in snapshot.row_counts}
    costs: dict[str, list[Cost]] = {kind: [] for kind in ("all", "arrow", "one_table", "none")}
    for _ in range(runs):
        tell(database, "DELETE FROM ops.publishes")
        costs["all"].append(cost(home, once))
        tables = {name: pq.read_table(newest / name) for name in files}
        costs["arrow"].append(cost(home, partial(write_alone, tables, folder / "alone")))
        del tables
        shutil.rmtree(folder / "alone")
        tell(database, WRITE)
        costs["one_table"].append(cost(home, once))
        costs["none"].append(cost(home, once))
    medians = {
        kind: {
            name: round(median(column), 3)
            for name, column in zip(("clock", "ours", "server"), zip(*taken, strict=True), strict=True)
        }
        for kind, taken in costs.items()
    }
    return {
        "rows": sum(snapshot.row_counts.values()),
        "bytes": sum((newest / name).stat().st_size for name in files),
        **medians,
        "least": {kind: round(min(taken)[0], 3) for kind, taken in costs.items()},
        "all_to_arrow": round(medians["all"]["clock"] / medians["arrow"]["clock"], 2),
        "all_to_none": round(medians["all"]["clock"] / medians["none"]["clock"], 1),
    }


def main() -> None:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--home", type=Path)
    options = parser.parse_args()
    for products in options.products:
        with tempfile.TemporaryDirectory(prefix="publishing-", ignore_cleanup_errors=True) as folder:
            home = (options.home or Path(folder)) / f"home{products}"
            for made in (Path(folder), home.parent, home):
                made.mkdir(parents=True, exist_ok=True)
                made.chmod(0o755)  # the embedded server runs as a user of its own where this runs as root
            with filled(home, products) as database:
                result = measure(database, home, Path(folder), options.runs)
            load = [round(one, 1) for one in os.getloadavg()]
            print(json.dumps({"products": products, **result, "load": load}), flush=True)


if __name__ == "__main__":
    main()
