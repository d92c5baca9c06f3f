"""The same work by us, by our peers and by a bare loop: in one run, in turns, against the same simulated Alibaba.com.

    python benchmarks/peers/compare.py [--products 20000] [--rounds 5] [--slow-rounds 1] [--latency 0]
                                       [--only NAME …] [--json FILE]

The work: every page of the largest feed, the description and the stock of each product, loaded. Each peer runs in an
environment of its own, pinned in `requirements/`, in its default configuration; a round gives each a new
database and an empty folder, and begins with another of them. Wall time and CPU seconds are of the client's processes,
from start to end, the import of everything included; CPU seconds of the sandbox and of Postgres, which share the
machine, stand beside them. The rows that each has loaded are counted: a peer that loaded other numbers of products,
SKUs or stock levels ends the run. Those that the bars name take part in each round, the others in the first
`--slow-rounds`. What was measured is written to FILE after each turn, so that a run that is cut off keeps what it has.

`ours` is `dropship sync`, which is a run of Dagster's in this process; how much of it is start-up (imports, Dagster,
making the tables of a new database) and not a stage is told apart by `stopwatch.py`. `ours, by dagster job execute` is
the same job started by Dagster's own command, as nearly as a schedule starts it. `ours, 20 a call` reads twenty
products a call, by endpoints that no gateway was seen to have and no peer asks for.

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

import psycopg2
from sqlalchemy.engine import make_url

from dropship_pipeline.sandbox.launch import Running, SandboxConfig, start
from dropship_pipeline.storage.server import embedded

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.append(str(HERE.parent))
from machine import busy_cores, cpu_of, cpu_of_server  # noqa: E402  beside this folder
from timed_sync import command, phases  # noqa: E402

ENVIRONMENTS = HERE / ".envs"
IN_THE_FEED = 44 / 64  # the share of the simulated products that the largest feed lists
FEED = "cross_border"
OF_THE_FEED = json.dumps({f"dagster/asset_partition_range_{end}": FEED for end in ("start", "end")})
DAGSTER = [str(Path(sys.executable).with_name("dagster")), "job", "execute", "-m", "dropship_pipeline.definitions"]


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
            "DAGSTER_HOME": str(ROOT / "dagster_home"),
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
    """One run: seconds of the clock, CPU seconds and peak resident megabytes of its processes, calls that it made.

    CPU seconds of the sandbox and of Postgres, meanwhile. Of ours: seconds before its first stage, and those of all
    stages; what is neither is between them and at the end.
    """

    wall: float
    cpu: float
    peak_mb: float
    calls: int
    sandbox_cpu: float
    server_cpu: float
    before: float | None = None
    stages: float | None = None


@dataclass(frozen=True)
class Peer:
    """One of those compared. `commands` run at once, each one's output into the next, like a pipe of the shell."""

    name: str
    environment: str | None  # whose requirements; None: ours
    commands: Callable[[Place], list[list[str]]]
    loaded: Callable[[Place], Rows]
    slow: bool = False  # takes part in the first rounds only
    again: bool = False  # runs a second time, when nothing has changed
    where_calls_wait: bool = False  # takes part where there is latency: elsewhere its setting changes nothing


def ask(place: Place, *queries: str) -> Rows:
    """The first column of the first row of three queries."""
    with psycopg2.connect(place.database_url) as connection, connection.cursor() as cursor:
        found = []
        for query in queries:
            cursor.execute(query)
            [(count,)] = cursor.fetchall()
            found.append(count)
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


def our_rows(place: Place) -> Rows:
    """What our tables hold."""
    return ask(
        place,
        "SELECT count(*) FROM catalog.products WHERE described_at IS NOT NULL",
        "SELECT count(*) FROM catalog.skus",
        "SELECT count(*) FROM catalog.inventory_levels",
    )


def dlt_rows(place: Place) -> Rows:
    """What dlt's tables hold."""
    return ask(
        place,
        "SELECT count(*) FROM peer.products",
        "SELECT count(*) FROM peer.products__skus",
        "SELECT count(*) FROM peer.stock__locations__inventory_list",
    )


PEERS = (
    Peer(
        "ours",
        None,
        lambda place: [command(place.folder / "stages.json", "sync", "--feed", FEED, "--json")],
        our_rows,
        again=True,
    ),
    Peer(
        "ours, 20 a call",
        None,
        lambda place: [
            ["env", "ALIBABA_BATCH_SIZE=20", *command(place.folder / "stages.json", "sync", "--feed", FEED, "--json")]
        ],
        our_rows,
    ),
    Peer(
        "ours, by dagster job execute",
        None,
        lambda _place: [[*DAGSTER, "-j", "catalogue_sync", "--tags", OF_THE_FEED]],
        our_rows,
        slow=True,
        again=True,
    ),
    Peer(
        "bare loop",
        None,
        lambda _place: [[sys.executable, str(HERE / "bare_loop.py")]],
        lambda place: ask(place, *(f"SELECT count(*) FROM {name}" for name in ("products", "skus", "stock"))),
    ),
    Peer("dlt to Postgres", "dlt", lambda _place: [[python("dlt"), str(HERE / "peer_dlt.py"), "postgres"]], dlt_rows),
    Peer(
        "dlt to Postgres, without rest_api",
        "dlt",
        lambda _place: [[python("dlt"), str(HERE / "peer_dlt.py"), "postgres", "--by-hand"]],
        dlt_rows,
        slow=True,
    ),
    Peer(
        "dlt to Postgres, 20 workers",
        "dlt",
        lambda _place: [["env", "EXTRACT__WORKERS=20", python("dlt"), str(HERE / "peer_dlt.py"), "postgres"]],
        dlt_rows,
        slow=True,
        where_calls_wait=True,
    ),
    Peer(
        "dlt to Parquet",
        "dlt",
        lambda _place: [[python("dlt"), str(HERE / "peer_dlt.py"), "parquet"]],
        parquet_rows,
        slow=True,
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
        slow=True,
    ),
    Peer(
        "Airbyte CDK, extraction only",
        "airbyte",
        lambda _place: [[python("airbyte"), str(HERE / "peer_airbyte.py")]],
        airbyte_rows,
        slow=True,
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
    """A new database like the one that the product makes itself, dropped afterwards."""
    name = f"peer_{os.getpid()}_{time.monotonic_ns()}"
    connection = psycopg2.connect(server_url)
    connection.autocommit = True
    try:
        connection.cursor().execute(f"CREATE DATABASE {name} TEMPLATE {embedded.DATABASE}")
        yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
        connection.cursor().execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        connection.close()


def calls_made(sandbox: Running) -> int:
    """How many calls the sandbox has answered so far."""
    return int(sandbox.control("stats")["answered"])


def run(peer: Peer, place: Place, server_home: Path) -> Measured:
    """Run its commands to their end."""
    sandbox, server = cpu_of(place.sandbox.process.pid), cpu_of_server(server_home)
    before, began = calls_made(place.sandbox), time.monotonic()
    processes: list[subprocess.Popen[bytes]] = []
    commands = peer.commands(place)
    with (place.folder / "output").open("wb") as output, (place.folder / "errors").open("wb") as errors:
        for number, line in enumerate(commands):
            last = number == len(commands) - 1
            processes.append(
                subprocess.Popen(
                    line,
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
                raise SystemExit(f"{peer.name} failed:\n{(place.folder / 'errors').read_text()[-3000:]}")
    wall = time.monotonic() - began
    return Measured(
        round(wall, 2),
        round(cpu, 2),
        round(peak),
        calls_made(place.sandbox) - before,
        round(cpu_of(place.sandbox.process.pid) - sandbox, 2),
        round(cpu_of_server(server_home) - server, 2),
        **stage_seconds(place.folder / "stages.json", wall),
    )


def stage_seconds(noted: Path, wall: float) -> dict[str, float]:
    """What the stopwatch noted, where there was one."""
    if not noted.exists():
        return {}
    found = phases(json.loads(noted.read_text()), wall)
    noted.unlink()
    return {"before": found.start, "stages": round(sum(found.stages.values()), 2)}


def turn(peer: Peer, sandbox: Running, server_url: str, server_home: Path) -> tuple[Measured, Rows, Measured | None]:
    """One run of one peer in a new place; ours is run a second time, when nothing has changed."""
    with database(server_url) as url, tempfile.TemporaryDirectory(prefix="peers-") as folder:
        place = Place(sandbox, url, Path(folder))
        first = run(peer, place, server_home)
        loaded = peer.loaded(place)
        again = run(peer, place, server_home) if peer.again else None
        return first, loaded, again


@dataclass(frozen=True)
class Contest:
    """What is asked of all of them."""

    products: int
    rounds: int
    slow_rounds: int
    latency_ms: float

    def result(self, rows: dict[str, Rows], runs: dict[str, list[Measured]]) -> dict[str, Any]:
        """Each figure's median, least and most. Raises SystemExit where they did not load the same."""
        if len(set(rows.values())) > 1:
            raise SystemExit(f"they did not load the same: {rows}")
        return {
            "rows": asdict(next(iter(rows.values()))),
            "latency_ms": self.latency_ms,
            "peers": {name: summary(measured) for name, measured in runs.items()},
            "runs": {name: [asdict(one) for one in measured] for name, measured in runs.items()},
        }


def compare(contest: Contest, names: list[str]) -> Iterator[dict[str, Any]]:
    """All rounds; what is known after each turn."""
    peers = [
        peer for peer in PEERS if (peer.name in names if names else contest.latency_ms or not peer.where_calls_wait)
    ]
    for peer in peers:
        if peer.environment:
            install(peer.environment)
    runs: dict[str, list[Measured]] = {}
    rows: dict[str, Rows] = {}
    in_the_world = round(contest.products / IN_THE_FEED)
    config = SandboxConfig(products=in_the_world, orders=0, drift=0, latency_ms=contest.latency_ms)
    with (
        tempfile.TemporaryDirectory(prefix="peers-server-", ignore_cleanup_errors=True) as home,
        start(config) as sandbox,
    ):
        os.chmod(home, 0o755)  # noqa: PTH101  the embedded server runs as a user of its own where this runs as root
        server = make_url(embedded.start(Path(home))).set(database="postgres")
        server_url = server.render_as_string(hide_password=False)
        for number in range(contest.rounds):
            for peer in peers[number % len(peers) :] + peers[: number % len(peers)]:
                if peer.slow and number >= contest.slow_rounds:
                    continue
                first, rows[peer.name], again = turn(peer, sandbox, server_url, Path(home))
                runs.setdefault(peer.name, []).append(first)
                if again:
                    runs.setdefault(f"{peer.name}, nothing changed", []).append(again)
                print(f"round {number + 1}: {peer.name}: {first} {again or ''}", file=sys.stderr)
                yield contest.result(rows, runs)


def summary(measured: list[Measured]) -> dict[str, Any]:
    """The medians, and between what the wall time lay."""
    walls, cpus = [one.wall for one in measured], [one.cpu for one in measured]
    figures = asdict(measured[0])
    return {
        "runs": len(measured),
        **{
            figure: round(median(getattr(one, figure) for one in measured), 2)
            for figure, value in figures.items()
            if value is not None
        },
        "wall_least": min(walls),
        "wall_most": max(walls),
        "cpu_least": min(cpus),
        "cpu_most": max(cpus),
    }


def main() -> None:
    """Compare and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--slow-rounds", type=int, default=1)
    parser.add_argument("--latency", type=float, default=0.0, help="milliseconds added to every answer")
    parser.add_argument("--only", action="append", default=[], metavar="NAME")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    contest = Contest(options.products, options.rounds, options.slow_rounds, options.latency)
    for known in compare(contest, options.only):
        document = json.dumps(known, indent=2)
        if options.json:
            options.json.write_text(document + "\n")
    print(json.dumps({**known, "runs": None, "busy_cores_after": busy_cores()}, indent=2))


if __name__ == "__main__":
    main()
