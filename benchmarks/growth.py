"""How the cost of a sync grows: with the catalogue, with what changed, with the feeds and with the destinations.

    python benchmarks/growth.py [--json FILE] [--plots FOLDER] [--sizes 1000 10000 100000] [--sampled 1000000]

Each point is a merchant of its own: a database on one embedded Postgres, a lake, a simulated Alibaba.com. A process of
its own runs the stages of a sync, without Dagster, and measures itself: seconds of the clock, CPU seconds, peak memory,
calls. Beside them stands the size of the database and of the lake afterwards. All but the varied number is the same:
10,000 products, every feed, one destination.

The changes are what a second sync finds that reads every product again after the sandbox's clock was moved on: their
share is what it counted, not what was wished for. A catalogue that is too large to be described here is sampled: all
of its feeds are paged, and no more than 10,000 products of each kind are read.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import psycopg2
from sqlalchemy.engine import make_url

from dropship_pipeline.catalog.feeds import FEEDS
from dropship_pipeline.sandbox.launch import Running, SandboxConfig, start
from dropship_pipeline.settings import load_settings
from dropship_pipeline.storage.server import embedded

STANDARD = 10_000
SAMPLE = 10_000
DAYS = (0.02, 0.3, 3, 20)  # that the sandbox's clock is moved on between two syncs
DESTINATIONS = ("US", "US,MX", "US,MX,GB,CA", "US,MX,GB,CA,DE,FR,AU,JP")


@dataclass(frozen=True)
class Work:
    """What one process does: `again`: read every product again."""

    feeds: tuple[str, ...]
    limit: int | None = None
    again: bool = False


@dataclass(frozen=True)
class Cost:
    """What one sync cost: seconds, CPU seconds, peak resident megabytes, calls; products read and found changed."""

    wall: float
    cpu: float
    peak_mb: float
    calls: int
    listed: int
    read: int
    changed: int


def work(asked: Work) -> Cost:
    """Run the stages in this process, and measure it."""
    from dropship_pipeline.sync.progress import Silent  # noqa: PLC0415
    from dropship_pipeline.sync.request import SyncRequest  # noqa: PLC0415
    from dropship_pipeline.sync.session import open_session  # noqa: PLC0415
    from dropship_pipeline.sync.stages.describe import describe  # noqa: PLC0415
    from dropship_pipeline.sync.stages.discover import discover  # noqa: PLC0415
    from dropship_pipeline.sync.stages.publish import publish  # noqa: PLC0415
    from dropship_pipeline.sync.stages.quote import quote  # noqa: PLC0415
    from dropship_pipeline.sync.stages.stock import take_stock  # noqa: PLC0415

    request = SyncRequest(asked.feeds, max_age=timedelta(0) if asked.again else None, limit=asked.limit)
    began = time.monotonic()
    with open_session(load_settings(), str(uuid.uuid4()), Silent()) as session:
        feeds = discover(session, request)
        described = describe(session, request)
        take_stock(session, request)
        quote(session, request)
        publish(session)
        calls = session.calls().calls
    used = resource.getrusage(resource.RUSAGE_SELF)
    return Cost(
        round(time.monotonic() - began, 2),
        round(used.ru_utime + used.ru_stime, 2),
        round(used.ru_maxrss / 1024),
        calls,
        sum(feed.listed for feed in feeds),
        described.done,
        described.changed,
    )


class Bench:
    """Where the points are measured: one Postgres for all of them."""

    def __init__(self, home: Path) -> None:
        self._home = home
        url = make_url(embedded.start(home)).set(database="postgres")
        self._server = url.render_as_string(hide_password=False)

    @contextmanager
    def merchant(self, products: int, destinations: str = "US", drift: float = 0.0) -> Iterator["Merchant"]:
        """A new merchant, gone afterwards."""
        name = f"growth_{time.monotonic_ns()}"
        connection = psycopg2.connect(self._server)
        connection.autocommit = True
        config = SandboxConfig(products=products, orders=0, drift=drift, clock_speed=0.0)
        try:
            with start(config) as sandbox, tempfile.TemporaryDirectory(dir=self._home) as home:
                connection.cursor().execute(f"CREATE DATABASE {name}")
                url = make_url(self._server).set(database=name).render_as_string(hide_password=False)
                yield Merchant(sandbox, url, Path(home), destinations)
                connection.cursor().execute(f"DROP DATABASE {name} WITH (FORCE)")
        finally:
            connection.close()


@dataclass(frozen=True)
class Merchant:
    """One merchant's installation."""

    sandbox: Running
    database_url: str
    home: Path
    destinations: str

    def sync(self, asked: Work) -> dict[str, Any]:
        """One sync in a process of its own: its cost, and how much room everything takes afterwards."""
        environment = {
            **os.environ,
            **self.sandbox.env,
            "DROPSHIP_DATABASE_URL": self.database_url,
            "DROPSHIP_HOME": str(self.home),
            "DROPSHIP_SECRET_KEY": "Z3Jvd3RoLWdyb3d0aC1ncm93dGgtZ3Jvd3RoLTMyYj0=",
            "DROPSHIP_DESTINATIONS": self.destinations,
            "ALIBABA_CALLS_PER_SECOND": "1000000",
        }
        told = subprocess.run(
            [sys.executable, __file__, "--work", json.dumps(asdict(asked))],
            env=environment,
            stdout=subprocess.PIPE,
            check=True,
        )
        with psycopg2.connect(self.database_url) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT pg_database_size(current_database())")
            database_mb = cursor.fetchone()[0] / 1e6
        lake = sum(file.stat().st_size for file in (self.home / "lake").rglob("*") if file.is_file())
        return {**json.loads(told.stdout), "database_mb": round(database_mb), "lake_mb": round(lake / 1e6, 1)}


def curves(bench: Bench, sizes: list[int], sampled: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every point: the name of its curve, and what was measured."""
    every = tuple(feed.key for feed in FEEDS)
    for size in [*sizes, *([sampled] if sampled else [])]:
        limit = SAMPLE if size == sampled else None
        with bench.merchant(size) as merchant:
            first = merchant.sync(Work(every, limit))
            yield "catalogue, first sync", {"products": size, "sampled": limit is not None, **first}
            again = merchant.sync(Work(every, 0 if limit else None))
            yield "catalogue, nothing changed", {"products": size, "sampled": limit is not None, **again}
    with bench.merchant(STANDARD, drift=1.0) as merchant:
        merchant.sync(Work(every))
        for days in DAYS:
            merchant.sandbox.control("clock", {"advance_s": days * 86_400})
            found = merchant.sync(Work(every, again=True))
            yield "changes", {"changed_share": round(found["changed"] / max(found["read"], 1), 4), **found}
    for count in (1, 3, 10):
        with bench.merchant(STANDARD) as merchant:
            yield "feeds", {"feeds": count, **merchant.sync(Work(every[:count]))}
    for destinations in DESTINATIONS:
        with bench.merchant(STANDARD, destinations) as merchant:
            yield "destinations", {"destinations": destinations.count(",") + 1, **merchant.sync(Work(every))}


def plot(points: dict[str, list[dict[str, Any]]], folder: Path) -> None:
    """A picture of each curve: seconds, calls, memory, room."""
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("svg")
    import matplotlib.pyplot as plt  # noqa: PLC0415

    shown = ("wall", "cpu", "calls", "peak_mb", "database_mb", "lake_mb")
    for name, found in points.items():
        across = next(iter(found[0]))
        figure, axes = plt.subplots(1, len(shown), figsize=(2.6 * len(shown), 2.6), layout="constrained")
        for axis, key in zip(axes, shown, strict=True):
            axis.plot([point[across] for point in found], [point[key] for point in found], marker="o", color="#3b6ea5")
            axis.set_title(key, loc="left", fontsize=9)
            axis.set_ylim(bottom=0)
            axis.spines[["top", "right"]].set_visible(False)
            axis.tick_params(labelsize=7)
            if across == "products":
                axis.set_xscale("log")
                axis.set_yscale("log")
        figure.suptitle(f"{name}: by {across.replace('_', ' ')}", x=0.01, ha="left", fontsize=10)
        figure.savefig(folder / f"growth-{name.split(',')[0]}-{across}-{len(name)}.svg", metadata={"Date": None})


def main() -> None:
    """Measure every point and tell it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="*", default=[1_000, 10_000, 100_000])
    parser.add_argument("--sampled", type=int, default=1_000_000, help="the size that is only sampled; 0: none")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plots", type=Path)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        asked = json.loads(options.work)
        print(json.dumps(asdict(work(Work(**{**asked, "feeds": tuple(asked["feeds"])})))))
        return
    points: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory(prefix="growth-") as home:
        os.chmod(home, 0o755)  # noqa: PTH101  the embedded server runs as a user of its own where this runs as root
        for name, point in curves(Bench(Path(home)), options.sizes, options.sampled):
            print(json.dumps({"curve": name, **point, "load": psutil.getloadavg()[0]}), flush=True)
            points.setdefault(name, []).append(point)
    if options.json:
        options.json.write_text(json.dumps(points, indent=2) + "\n")
    if options.plots:
        plot(points, options.plots)


if __name__ == "__main__":
    main()
