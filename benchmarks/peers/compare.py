"""The same work by us, by our peers and by a bare loop: in one run, in turns, against the same simulated Alibaba.com.

    python benchmarks/peers/compare.py [--products 20000] [--rounds 5] [--latency 0] [--only NAME …]
                                       [--json FILE] [--plot FILE]

The work: every page of the largest feed, the description and the stock of each product, loaded. Each peer runs in an
environment of its own, pinned in `requirements/`, in its default configuration; a round gives each a new
database and an empty folder. Wall time and CPU seconds are of the client's processes, from start to end, the import of
everything included; not of Postgres and not of the sandbox, which share the machine. The rows that each has loaded are
counted: a peer that loaded other numbers of products, SKUs or stock levels ends the run.

Not all do the same: Airbyte's CDK extracts and does not load; dlt writes to one place at a time; only ours lands raw
answers, checks that the listing is whole, and publishes Postgres and Parquet from one reading.
"""

import argparse
import base64
import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import psycopg2
from sqlalchemy.engine import make_url

from dropship_pipeline.sandbox.launch import Running, SandboxConfig, start
from dropship_pipeline.storage.server import embedded

HERE = Path(__file__).parent
ENVIRONMENTS = HERE / ".envs"
IN_THE_FEED = 44 / 64  # the share of the simulated products that the largest feed lists
OURS = [sys.executable, "-m", "dropship_pipeline.cli", "sync", "--feed", "cross_border", "--json"]


@dataclass(frozen=True)
class Place:
    """Where one run of one peer works."""

    sandbox: Running
    database_url: str
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """What its processes see."""
        return {
            **os.environ,
            **self.sandbox.env,
            "PEER_DATABASE_URL": self.database_url,
            "PEER_FOLDER": str(self.folder),
            "PYTHONPATH": str(HERE),
            "DROPSHIP_DATABASE_URL": self.database_url,
            "DROPSHIP_HOME": str(self.folder / "home"),
            "DROPSHIP_DESTINATIONS": "none",
            "DROPSHIP_SECRET_KEY": base64.urlsafe_b64encode(bytes(32)).decode(),
            "ALIBABA_CALLS_PER_SECOND": "1000000",
            "DLT_TELEMETRY_DISABLED": "true",
            "RUNTIME__DLTHUB_TELEMETRY": "false",
            "RUNTIME__LOG_LEVEL": "ERROR",
        }


@dataclass(frozen=True)
class Rows:
    """What was loaded; compared between the peers."""

    products: int
    skus: int
    stock: int


@dataclass(frozen=True)
class Measured:
    """One run: seconds of the clock, CPU seconds and peak resident megabytes of its processes, calls that it made."""

    wall: float
    cpu: float
    peak_mb: float
    calls: int


@dataclass(frozen=True)
class Peer:
    """One of those compared. `commands` run at once, each one's output into the next, like a pipe of the shell."""

    name: str
    environment: str | None  # whose requirements; None: ours
    commands: Callable[[Place], list[list[str]]]
    loaded: Callable[[Place], Rows]


def ask(place: Place, *queries: str) -> Rows:
    """The first column of the first row of three queries."""
    with psycopg2.connect(place.database_url) as connection, connection.cursor() as cursor:
        found = []
        for query in queries:
            cursor.execute(query)
            found.append(cursor.fetchone()[0])
    return Rows(*found)


def parquet_rows(place: Place) -> Rows:
    """What dlt's Parquet files hold."""
    import pyarrow.dataset as ds  # noqa: PLC0415

    tables = place.folder / "tables" / "peer"
    return Rows(
        *(
            ds.dataset(tables / name, format="parquet").count_rows()
            for name in ("products", "products__skus", "stock__locations__inventory_list")
        )
    )


def airbyte_rows(place: Place) -> Rows:
    """What the records on standard output hold."""
    counts = {"products": 0, "skus": 0, "stock": 0}
    with (place.folder / "output").open() as lines:
        for line in lines:
            message = json.loads(line)
            if message["type"] != "RECORD":
                continue
            data = message["record"]["data"]["result_data"]
            if message["record"]["stream"] == "products":
                counts["products"] += 1
                counts["skus"] += len(data["skus"])
            else:
                counts["stock"] += sum(len(one["inventory_list"]) for one in data)
    return Rows(**counts)


def target_config(place: Place) -> str:
    """The configuration of Singer's target, in a file."""
    file = place.folder / "target.json"
    url = make_url(place.database_url).set(drivername="postgresql+psycopg2")
    file.write_text(
        json.dumps({"sqlalchemy_url": url.render_as_string(hide_password=False), "default_target_schema": "peer"})
    )
    return str(file)


def python(environment: str) -> str:
    """The interpreter of an environment."""
    return str(ENVIRONMENTS / environment / "bin" / "python")


PEERS = (
    Peer(
        "ours",
        None,
        lambda _place: [OURS],
        lambda place: ask(
            place,
            "SELECT count(*) FROM catalog.products WHERE described_at IS NOT NULL",
            "SELECT count(*) FROM catalog.skus",
            "SELECT count(*) FROM catalog.inventory_levels",
        ),
    ),
    Peer(
        "bare loop",
        None,
        lambda _place: [[sys.executable, str(HERE / "bare_loop.py")]],
        lambda place: ask(place, *(f"SELECT count(*) FROM {name}" for name in ("products", "skus", "stock"))),
    ),
    Peer(
        "dlt to Postgres",
        "dlt",
        lambda _place: [[python("dlt"), str(HERE / "peer_dlt.py"), "postgres"]],
        lambda place: ask(
            place,
            "SELECT count(*) FROM peer.products",
            "SELECT count(*) FROM peer.products__skus",
            "SELECT count(*) FROM peer.stock__locations__inventory_list",
        ),
    ),
    Peer(
        "dlt to Parquet",
        "dlt",
        lambda _place: [[python("dlt"), str(HERE / "peer_dlt.py"), "parquet"]],
        parquet_rows,
    ),
    Peer(
        "Singer SDK to target-postgres",
        "singer",
        lambda place: [
            [python("singer"), str(HERE / "peer_singer_tap.py")],
            [python("singer").replace("/python", "/target-postgres"), "--config", target_config(place)],
        ],
        lambda place: ask(
            place,
            "SELECT count(*) FROM peer.products",
            "SELECT sum(cardinality(skus)) FROM peer.products",
            """SELECT sum(jsonb_array_length(one -> 'inventory_list'))
               FROM peer.stock, unnest(locations) one""",
        ),
    ),
    Peer(
        "Airbyte CDK, extraction only",
        "airbyte",
        lambda _place: [[python("airbyte"), str(HERE / "peer_airbyte.py")]],
        airbyte_rows,
    ),
)


def install(environment: str) -> None:
    """Make a peer's environment, unless it is there."""
    folder = ENVIRONMENTS / environment
    if (folder / "installed").exists():
        return
    print(f"Installing {environment} in an environment of its own", file=sys.stderr)
    venv.create(folder, with_pip=True, clear=True)
    requirements = HERE / "requirements" / f"{environment}.txt"
    subprocess.run([python(environment), "-m", "pip", "install", "-q", "-r", str(requirements)], check=True)
    (folder / "installed").touch()


@contextmanager
def database(server_url: str) -> Iterator[str]:
    """A new database, dropped afterwards."""
    name = f"peer_{os.getpid()}_{time.monotonic_ns()}"
    connection = psycopg2.connect(server_url)
    connection.autocommit = True
    try:
        connection.cursor().execute(f"CREATE DATABASE {name}")
        yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
        connection.cursor().execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        connection.close()


def calls_made(sandbox: Running) -> int:
    """How many calls the sandbox has answered so far."""
    return int(sandbox.control("stats")["answered"])


def run(commands: list[list[str]], place: Place) -> Measured:
    """Run these to their end."""
    before, began = calls_made(place.sandbox), time.monotonic()
    processes: list[subprocess.Popen[bytes]] = []
    with (place.folder / "output").open("wb") as output, (place.folder / "errors").open("wb") as errors:
        for number, command in enumerate(commands):
            last = number == len(commands) - 1
            processes.append(
                subprocess.Popen(
                    command,
                    stdin=processes[-1].stdout if processes else subprocess.DEVNULL,
                    stdout=output if last else subprocess.PIPE,
                    stderr=errors,
                    env=place.environment,
                    cwd=place.folder,
                )
            )
            if number:
                processes[-2].stdout.close()  # type: ignore[union-attr]
        cpu, peak = 0.0, 0.0
        for process in processes:
            _, status, usage = os.wait4(process.pid, 0)
            cpu += usage.ru_utime + usage.ru_stime
            peak += usage.ru_maxrss / 1024
            if status:
                raise SystemExit(f"{process.args} failed:\n{(place.folder / 'errors').read_text()[-3000:]}")
    wall = time.monotonic() - began
    return Measured(round(wall, 2), round(cpu, 2), round(peak), calls_made(place.sandbox) - before)


def turn(peer: Peer, sandbox: Running, server_url: str) -> tuple[Measured, Rows, Measured | None]:
    """One run of one peer in a new place; ours is run a second time, when nothing has changed."""
    with database(server_url) as url, tempfile.TemporaryDirectory(prefix="peers-") as folder:
        place = Place(sandbox, url, Path(folder))
        first = run(peer.commands(place), place)
        loaded = peer.loaded(place)
        again = run(peer.commands(place), place) if peer.name == "ours" else None
        return first, loaded, again


def compare(products: int, rounds: int, latency: float, names: list[str]) -> dict[str, Any]:
    """All rounds: each figure's median, least and most, and the ratios to ours."""
    peers = [peer for peer in PEERS if not names or peer.name in names]
    for peer in peers:
        if peer.environment:
            install(peer.environment)
    runs: dict[str, list[Measured]] = {}
    rows: dict[str, Rows] = {}
    config = SandboxConfig(products=round(products / IN_THE_FEED), orders=0, drift=0, latency_ms=latency)
    with tempfile.TemporaryDirectory(prefix="peers-server-") as home, start(config) as sandbox:
        os.chmod(home, 0o755)  # noqa: PTH101  the embedded server runs as a user of its own where this runs as root
        server = make_url(embedded.start(Path(home))).set(database="postgres")
        server_url = server.render_as_string(hide_password=False)
        for number in range(rounds):
            for peer in peers[number % len(peers) :] + peers[: number % len(peers)]:
                first, rows[peer.name], again = turn(peer, sandbox, server_url)
                runs.setdefault(peer.name, []).append(first)
                if again:
                    runs.setdefault("ours, nothing changed", []).append(again)
                print(f"round {number + 1}: {peer.name}: {first} {rows[peer.name]} {again or ''}", file=sys.stderr)
    if len(set(rows.values())) > 1:
        raise SystemExit(f"they did not load the same: {rows}")
    return {
        "products": next(iter(rows.values())).products,
        "rows": asdict(next(iter(rows.values()))),
        "rounds": rounds,
        "latency_ms": latency,
        "cores": psutil.cpu_count(),
        "load": psutil.getloadavg()[0],
        "peers": {name: summary(measured) for name, measured in runs.items()},
    }


def summary(measured: list[Measured]) -> dict[str, Any]:
    """The medians, and between what the wall time lay."""
    walls = [one.wall for one in measured]
    return {
        **{figure: median(getattr(one, figure) for one in measured) for figure in ("wall", "cpu", "peak_mb", "calls")},
        "wall_least": min(walls),
        "wall_most": max(walls),
    }


def plot(result: dict[str, Any], file: Path) -> None:
    """Wall and CPU seconds, a bar each."""
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("svg")
    import matplotlib.pyplot as plt  # noqa: PLC0415

    names = list(result["peers"])[::-1]
    figure, axes = plt.subplots(figsize=(8, 0.6 * len(names) + 1.2), layout="constrained")
    for offset, key, colour in ((0.2, "wall", "#3b6ea5"), (-0.2, "cpu", "#d08c3c")):
        values = [result["peers"][name][key] for name in names]
        bars = axes.barh([y + offset for y in range(len(names))], values, 0.38, color=colour, label=f"{key} seconds")
        axes.bar_label(bars, fmt="%.1f", padding=3, fontsize=8)
    axes.set_yticks(range(len(names)), names)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(f"{result['products']:,} products, {result['latency_ms']:g} ms latency", loc="left", fontsize=10)
    axes.legend(frameon=False, loc="lower right")
    figure.savefig(file, metadata={"Date": None})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--latency", type=float, default=0.0, help="milliseconds added to every answer")
    parser.add_argument("--only", action="append", default=[], metavar="NAME")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    figures = compare(options.products, options.rounds, options.latency, options.only)
    document = json.dumps(figures, indent=2)
    print(document)
    if options.json:
        options.json.write_text(document + "\n")
    if options.plot:
        plot(figures, options.plot)
