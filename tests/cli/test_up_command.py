"""`dropship up`: the whole of it as real processes; any of them may be killed, and nothing is left at the end."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import psutil
import pytest
from deployment import clean_environment
from typed import Type

from dropship_pipeline.storage.server import embedded
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.sync.place import find_announced

pytestmark = pytest.mark.xdist_group("up")

DROPSHIP = [sys.executable, "-m", "dropship_pipeline.cli"]
LOCATIONS = """
{ workspaceOrError { ... on Workspace { locationEntries { name locationOrLoadError {
    ... on RepositoryLocation { repositories { name } } ... on PythonError { message } } } } } }"""
LAUNCH = """
mutation ($params: ExecutionParams!) {
  launchRun(executionParams: $params) { ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } }
}"""
STATUS = "query ($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"


class Up:
    """A `dropship up` in a home of its own, without credentials, and what it says."""

    def __init__(self, home: Path, *options: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.home = home
        self.log = home.parent / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*DROPSHIP, "up", "--port", str(self.port), *options],
                stdout=log, stderr=log, cwd=home.parent, start_new_session=True,
                env={**clean_environment(), "DROPSHIP_HOME": str(home), "DROPSHIP_SCHEDULES": "false"},
            )  # fmt: skip

    @property
    def said(self) -> str:
        return self.log.read_text()

    def wait_until(self, happens: Callable[[], object], seconds: float = 120.0) -> None:
        give_up = time.monotonic() + seconds
        while not happens():
            assert time.monotonic() < give_up, self.said
            time.sleep(0.05)

    def ask(self, query: str, **variables: object) -> Any:
        """What the pages in a browser ask."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql",
            json.dumps({"query": query, "variables": variables}).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)["data"]
        except HTTPError as error:
            raise AssertionError(error.read().decode()[:3000]) from None

    def loads_the_code(self) -> bool:
        """Whether the UI answers with the repository."""
        [entry] = self.ask(LOCATIONS)["workspaceOrError"]["locationEntries"]
        return entry["locationOrLoadError"] == {"repositories": [{"name": "__repository__"}]}

    def launch(self, job: str, **tags: str) -> str:
        selector = {
            "repositoryName": "__repository__", "repositoryLocationName": "dropship_pipeline", "jobName": job
        }  # fmt: skip
        metadata = {"tags": [{"key": key, "value": value} for key, value in tags.items()]}
        params = {"selector": selector, "runConfigData": {}, "executionMetadata": metadata}
        return str(self.ask(LAUNCH, params=params)["launchRun"]["run"]["runId"])

    def child(self, words: str) -> psutil.Process:
        """The child whose command line has these words."""
        [found] = self.children(words)
        return found

    def children(self, words: str) -> list[psutil.Process]:
        """The children whose command lines have these words."""
        return [one for one in psutil.Process(self.process.pid).children() if words in " ".join(one.cmdline())]

    def postmaster(self) -> psutil.Process:
        return psutil.Process(int((self.home / "postgres" / "postmaster.pid").read_text().split()[0]))

    def living(self) -> list[psutil.Process]:
        """Every process of this group, the runs and Postgres included: by the home that all of them know."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def listening(self) -> list[tuple[str, int]]:
        """Every address and port at which a process of this group can be reached from a network."""
        inet = [found for process in self.living() for found in process.net_connections("inet")]
        return [(found.laddr.ip, found.laddr.port) for found in inet if found.status == psutil.CONN_LISTEN]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            knows = process.environ().get("DROPSHIP_HOME") == str(self.home) or str(self.home) in process.cmdline()
            return knows and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


@pytest.fixture
def start_up() -> Iterator[Callable[..., Up]]:
    """Starts a `dropship up`; below /tmp itself, for the user of its Postgres to enter."""
    with tempfile.TemporaryDirectory() as folder:
        started: list[Up] = []

        def start(*options: str) -> Up:
            started.append(Up(Path(folder) / "home", *options))
            return started[-1]

        yield start
        for up in started:
            for process in up.living():
                process.kill()
            up.process.wait()


@pytest.mark.slow
@pytest.mark.timeout(600)  # ten processes, four of them Dagster's, each started twice
def test_any_process_may_be_killed_and_after_ctrl_c_nothing_is_left(
    start_up: Callable[..., Up], type_command: Type
) -> None:
    up = start_up()
    up.wait_until(lambda: "Ctrl-C stops everything" in up.said or up.process.poll() is not None)
    assert up.process.poll() is None, up.said
    assert up.loads_the_code()
    announced = find_announced(up.home)
    assert announced is not None
    assert len(set(up.listening())) == 3, "the UI, the simulated Alibaba.com, the receiver; Postgres has a socket"
    assert {address for address, _ in up.listening()} == {"127.0.0.1"}

    again = type_command(["up", "--port", "0"], {"DROPSHIP_HOME": str(up.home)})
    assert again.status == 1
    assert f"runs already for {up.home}, as process {up.process.pid}" in again.complaint

    server = up.postmaster()
    for title, victim in {
        "The watcher": up.child("watcher.py"),
        "The simulated Alibaba.com": up.child("cli sandbox"),
        "The receiver of push messages": up.child("webhooks serve"),
        "The code server": up.child("dagster api grpc"),
        "The Dagster UI": up.child("dagster_webserver"),
        "The Dagster daemon": up.child("dagster._daemon"),
        "The embedded Postgres": server,
    }.items():
        ready = up.said.count(f"{title} is ready")
        victim.kill()
        if title == "The watcher":
            continue
        up.wait_until(lambda title=title, ready=ready: up.said.count(f"{title} is ready") > ready)
        up.wait_until(up.loads_the_code)  # the UI finds a new code server within some seconds
    assert up.child("watcher.py").is_running()
    assert up.postmaster() != server
    came_back = find_announced(up.home)
    assert came_back is not None
    assert came_back.base_url == announced.base_url  # whoever knew it goes on

    slow = f"{came_back.base_url.removesuffix('/rest')}/_sandbox/faults"
    urllib.request.urlopen(urllib.request.Request(slow, b'{"fault": "slow:seconds=1"}'), timeout=5).close()
    run = up.launch("catalogue_sync", **{"dagster/partition": "local_us"})
    up.wait_until(lambda: up.ask(STATUS, id=run)["runOrError"]["status"] == "STARTED")
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(60) == 0
    assert up.living() == []
    assert "is killed" not in up.said
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", up.port)) != 0
    assert {path.name for path in up.home.iterdir()} & {"up", "sandbox.json"} == set()
    assert not (up.home / "postgres" / "postmaster.pid").exists()
    assert not list((up.home / "postgres").glob(".s.PGSQL*"))

    # the run knows that it was ended
    database = Database(embedded.start(up.home))
    with database.begin() as connection:
        told = connection.exec_driver_sql(f"SELECT status FROM dagster.runs WHERE run_id = '{run}'").scalar()
    database.close()
    assert told in {"FAILURE", "CANCELED"}


@pytest.mark.slow
def test_nothing_outlives_an_up_that_is_killed(start_up: Callable[..., Up]) -> None:
    up = start_up()
    up.wait_until(lambda: "The receiver of push messages is ready" in up.said)
    up.wait_until(lambda: up.children("dagster api grpc"))  # it is just starting
    assert find_announced(up.home) is not None
    up.process.kill()
    up.process.wait()
    up.wait_until(lambda: up.living() == [], 20)
    assert not (up.home / "up").exists()
    assert not (up.home / "postgres" / "postmaster.pid").exists()


def test_a_taken_port_is_said_with_who_has_it_and_what_to_type(type_command: Type, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        typed = type_command(["up", "--port", str(port)], {"DROPSHIP_HOME": str(tmp_path / "home")})
    assert typed.status == 1
    assert f"Port {port} is taken by process {os.getpid()} (" in typed.complaint
    assert f"--port {port + 1}" in typed.complaint
    assert not (tmp_path / "home" / "up").exists()


def test_a_host_of_another_machine_is_named(type_command: Type, tmp_path: Path) -> None:
    typed = type_command(["up", "--host", "192.0.2.1"], {"DROPSHIP_HOME": str(tmp_path / "home")})
    assert typed.status == 1
    assert "of 192.0.2.1 cannot be used" in typed.complaint


def test_a_faster_life_is_for_the_simulated_one_only(type_command: Type, tmp_path: Path) -> None:
    real = {"DROPSHIP_HOME": str(tmp_path / "home"), "ALIBABA_APP_KEY": "key", "ALIBABA_APP_SECRET": "secret"}
    typed = type_command(["up", "--simulated-days-per-hour", "6"], real)
    assert typed.status == 2
    assert "ALIBABA_APP_KEY is set" in typed.complaint


def test_up_itself_imports_neither_dagster_nor_anything_as_large() -> None:
    program = (
        "import json, sys; import dropship_pipeline.services.supervisor, dropship_pipeline.services.table; "
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    heavy = {"dagster", "pyarrow", "sqlalchemy", "pandas", "aiohttp", "uvicorn", "psycopg2", "rich"}
    assert heavy & {name.partition(".")[0] for name in json.loads(done.stdout)} == set()
