"""How the cost of a sync grows: with the catalogue, with what changed, with the feeds and with the destinations.

    python benchmarks/growth.py [--json FILE] [--sizes 1000 10000 100000] [--sampled 1000000] [--standard 10000]
                                [--curves catalogue changes feeds destinations]

Each point is a merchant of its own: a database on one embedded Postgres, a lake, a simulated Alibaba.com. What is
measured is `dropship sync`, a process of its own with Dagster in it: seconds of the clock, by phase too, CPU seconds,
peak memory, calls. Beside them stands the size of the database and of the lake afterwards. All but the varied number is
the same: 10,000 products (`--standard`), every feed, one destination.

The changes are what a second sync finds that reads every product again (`--force`) after the sandbox's clock was moved
on: their share is what it counted, not what was wished for. A catalogue that is too large to be described here is
sampled: all of its feeds are paged, and no more than `--standard` products of each kind are read (`--limit`).

What was measured is written to FILE after each point, so that a run that is cut off keeps what it has.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psycopg2
from machine import busy_cores
from sqlalchemy.engine import make_url
from timed_sync import environment, sync

from dropship_pipeline.catalog.feeds import FEEDS
from dropship_pipeline.sandbox.launch import Running, SandboxConfig, start
from dropship_pipeline.storage.server import embedded

DAYS = (0, 0.1, 1, 25)  # that the sandbox's clock is moved on between two syncs
DESTINATIONS = ("none", "US", "US,MX", "US,MX,GB")
CURVES = ["catalogue", "changes", "feeds", "destinations"]
FEED_COUNTS = (1, 5, 10)
Point = dict[str, Any]


@dataclass(frozen=True)
class Merchant:
    """One merchant's installation."""

    sandbox: Running
    database_url: str
    home: Path
    destinations: str

    def sync(self, *arguments: str) -> Point:
        """One sync: its cost, and how much room everything takes afterwards."""
        variables = environment(
            self.sandbox,
            self.home,
            DROPSHIP_DATABASE_URL=self.database_url,
            DROPSHIP_SECRET_KEY="Z3Jvd3RoLWdyb3d0aC1ncm93dGgtZ3Jvd3RoLTMyYj0=",
            DROPSHIP_DESTINATIONS=self.destinations,
        )
        done = sync(variables, *arguments)
        stages = {stage["stage"]: stage for stage in done.summary["stages"]}
        with psycopg2.connect(self.database_url) as connection, connection.cursor() as cursor:
            # Dagster's own tables do not grow with the catalogue
            cursor.execute(
                "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c "
                "JOIN pg_namespace n ON n.oid = c.relnamespace "
                "WHERE c.relkind = 'r' AND n.nspname IN ('catalog', 'orders', 'ops')"
            )
            [(tables_bytes,)] = cursor.fetchall()
        return {
            "wall": done.cost.seconds,
            "cpu": done.cost.cpu,
            "peak_mb": done.cost.peak_mb,
            "calls": done.summary["calls"]["calls"],
            "listed": sum(feed["listed"] for feed in done.summary["feeds"]),
            "read": stages["describe"]["done"],
            "changed": stages["describe"]["changed"],
            "rows_written": sum(stage["rows_written"] for stage in stages.values()),
            "database_mb": round(tables_bytes / 1e6, 1),
            "raw_mb": round(self._lake_mb("raw"), 1),
            "snapshot_mb": round(self._lake_mb("snapshots"), 1),
            **asdict(done.phases),
        }

    def _lake_mb(self, part: str) -> float:
        """A file that is in two snapshots takes room once."""
        files = [file.stat() for file in (self.home / "lake" / part).rglob("*") if file.is_file()]
        return sum({file.st_ino: file.st_size for file in files}.values()) / 1e6


class Bench:
    """Where the points are measured: one Postgres for all of them."""

    def __init__(self, home: Path) -> None:
        self._home = home
        url = make_url(embedded.start(home)).set(database="postgres")
        self._server = url.render_as_string(hide_password=False)

    @contextmanager
    def merchant(self, products: int, destinations: str = "US", drift: float = 0.0) -> Iterator[Merchant]:
        """A new merchant, gone afterwards."""
        name = f"growth_{time.monotonic_ns()}"
        connection = psycopg2.connect(self._server)
        connection.autocommit = True
        config = SandboxConfig(products=products, orders=0, drift=drift, clock_speed=0.0)
        try:
            with start(config) as sandbox, tempfile.TemporaryDirectory(dir=self._home) as home:
                connection.cursor().execute(f"CREATE DATABASE {name} TEMPLATE {embedded.DATABASE}")
                url = make_url(self._server).set(database=name).render_as_string(hide_password=False)
                yield Merchant(sandbox, url, Path(home), destinations)
                connection.cursor().execute(f"DROP DATABASE {name} WITH (FORCE)")
                connection.cursor().execute("CHECKPOINT")  # what one merchant wrote is not another's to wait for
        finally:
            connection.close()


def by_catalogue(bench: Bench, sizes: list[int], sampled: int, standard: int) -> Iterator[tuple[str, Point]]:
    """From a first sync to the second one, which finds nothing changed; the largest catalogue is only sampled."""
    for size in [*sizes, *([sampled] if sampled else [])]:
        limit = ["--limit", str(standard)] if size == sampled else []
        none = ["--limit", "0"] if size == sampled else []
        with bench.merchant(size) as merchant:
            yield "first", {"products": size, "sampled": bool(limit), **merchant.sync(*limit)}
            yield "again", {"products": size, "sampled": bool(limit), **merchant.sync(*none)}


def by_changes(bench: Bench, standard: int) -> Iterator[tuple[str, Point]]:
    """From nothing changed to nearly everything, all of it read again."""
    with bench.merchant(standard, drift=1.0) as merchant:
        merchant.sync()
        for days in DAYS:
            merchant.sandbox.control("clock", {"advance_s": days * 86_400})
            found = merchant.sync("--force", "--let-through")
            share = round(found["changed"] / max(found["read"], 1), 4)
            yield "changes", {"products": standard, "days": days, "changed_share": share, **found}


def by_feeds(bench: Bench, standard: int) -> Iterator[tuple[str, Point]]:
    """From the last feed, the largest, to all of them."""
    for count in FEED_COUNTS:
        keys = [feed.key for feed in FEEDS[-count:]]
        with bench.merchant(standard) as merchant:
            arguments = [word for key in keys for word in ("--feed", key)]
            yield "feeds", {"products": standard, "feeds": count, **merchant.sync(*arguments)}


def by_destinations(bench: Bench, standard: int) -> Iterator[tuple[str, Point]]:
    """From no freight at all to three countries."""
    for destinations in DESTINATIONS:
        count = 0 if destinations == "none" else destinations.count(",") + 1
        with bench.merchant(standard, destinations) as merchant:
            yield "destinations", {"products": standard, "destinations": count, **merchant.sync()}


def main() -> None:
    """Measure every point and tell it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="*", default=[1_000, 10_000, 100_000])
    parser.add_argument("--sampled", type=int, default=1_000_000, help="the size that is only sampled; 0: none")
    parser.add_argument("--standard", type=int, default=10_000, help="products where something else is varied")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--curves", nargs="+", choices=CURVES, default=CURVES)
    options = parser.parse_args()
    curves: dict[str, Callable[[Bench], Iterator[tuple[str, Point]]]] = {
        "catalogue": lambda bench: by_catalogue(bench, options.sizes, options.sampled, options.standard),
        "changes": lambda bench: by_changes(bench, options.standard),
        "feeds": lambda bench: by_feeds(bench, options.standard),
        "destinations": lambda bench: by_destinations(bench, options.standard),
    }
    points: dict[str, list[Point]] = {}
    with tempfile.TemporaryDirectory(prefix="growth-", ignore_cleanup_errors=True) as home:
        os.chmod(home, 0o755)  # noqa: PTH101  the embedded server runs as a user of its own where this runs as root
        bench = Bench(Path(home))
        for name in options.curves:
            for curve, point in curves[name](bench):
                point["busy_cores_after"] = busy_cores(0.5)
                print(json.dumps({"curve": curve, **point}), flush=True)
                points.setdefault(curve, []).append(point)
                if options.json:
                    options.json.write_text(json.dumps(points, indent=2) + "\n")


if __name__ == "__main__":
    main()
