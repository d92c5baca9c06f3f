"""What every test may use: a real Postgres, simulated Alibaba.coms over real HTTP, whole deployments of the pipeline.

One embedded server a test session, whoever runs beside; a fresh database a test, copied from a template that was
migrated once, so that a test pays some 20 ms for its own.
"""

import atexit
import fcntl
import gc
import os
import shutil
import signal
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import chromium
import pytest
from deployment import Deployment, name_of
from moment import THEN_MS
from sqlalchemy.engine import make_url

from dropship_pipeline.sandbox.launch import Running, SandboxConfig, start
from dropship_pipeline.storage import migrate
from dropship_pipeline.storage.server import embedded
from dropship_pipeline.storage.server.database import Database

TEMPLATE = "dropship_template"
MEMORY, ROOM_IN_MEMORY = "/dev/shm", 4 << 30

if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM_IN_MEMORY:
    # databases and lakes by the hundred, each for a second: on a disk they take twice the time and 1.5 times the CPU
    os.environ["TMPDIR"] = tempfile.tempdir = MEMORY

gc.disable()  # what collecting tests imports and makes stays: looked through again and again it took a third of that


def pytest_collection_finish() -> None:
    """Look for garbage from here on, and only among what tests leave behind."""
    gc.freeze()
    gc.enable()
    atexit.register(gc.unfreeze)  # what is not looked through in the end DuckDB takes for leaked, and says so at length


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was left out where there is no browser."""
    if not chromium.is_installed():
        terminalreporter.write_line(chromium.MISSING)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes long begins early; refuse to run where groups, with what they share, are not kept together."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)  # else one worker ends long after the others
    if not hasattr(config, "workerinput") or not config.getoption("loadgroup", default=False):
        return
    loose = [item.nodeid for item in items if item.get_closest_marker("xdist_group") and "@" not in item.nodeid]
    if loose:
        raise pytest.UsageError(f"This pytest-xdist does not keep groups together with this pytest: {loose[0]}")


@pytest.fixture
def heeds_ctrl_c() -> Iterator[None]:
    """Inside, SIGINT raises KeyboardInterrupt: whoever runs the tests in the background has them ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def postgres_home(testrun_uid: str) -> Path:
    """The folder that all workers of this session share; the server stops with the last of them, which removes it.

    Not below pytest's own: run as root, each new session takes away from others the right to enter that one, and with
    it the server's, which runs as a user of its own.
    """
    home = Path(tempfile.gettempdir()) / f"dropship-tests-{testrun_uid[:12]}"
    atexit.register(_remove_when_stopped, home)  # runs after what stops the server, which is registered later
    return home


def _remove_when_stopped(home: Path) -> None:
    if not (home / "postgres" / "postmaster.pid").exists():
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def server(postgres_home: Path) -> Iterator[Database]:
    """The server's maintenance database; the migrated template is there when this returns."""
    url = make_url(embedded.start(postgres_home))
    maintenance = Database(url.set(database="postgres").render_as_string(hide_password=False))
    with (postgres_home / "template.lock").open("w") as lock, maintenance.autocommit() as connection:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = connection.exec_driver_sql(f"SELECT 1 FROM pg_database WHERE datname = '{TEMPLATE}'").scalar()
        if not found:
            connection.exec_driver_sql("ALTER SYSTEM SET fsync = off")  # a crash of the machine ends the tests anyway
            connection.exec_driver_sql("SELECT pg_reload_conf()")
            connection.exec_driver_sql("DROP DATABASE IF EXISTS being_migrated")
            connection.exec_driver_sql("CREATE DATABASE being_migrated")
            template = Database(url.set(database="being_migrated").render_as_string(hide_password=False))
            migrate.upgrade(template)
            template.close()
            connection.exec_driver_sql(f"ALTER DATABASE being_migrated RENAME TO {TEMPLATE}")
    yield maintenance
    maintenance.close()


def _databases(server: Database) -> Iterator[Callable[..., Database]]:
    made: list[Database] = []

    def make(template: str = TEMPLATE) -> Database:
        name = f"test_{uuid.uuid4().hex[:12]}"
        with server.autocommit() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        made.append(Database(make_url(server.libpq_url).set(database=name).render_as_string(hide_password=False)))
        return made[-1]

    yield make
    for database in made:
        database.close()
        with server.autocommit() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name_of(database)} WITH (FORCE)")


@pytest.fixture
def make_database(server: Database) -> Iterator[Callable[..., Database]]:
    """Makes databases that are dropped after the test: migrated ones, or copies of another template."""
    yield from _databases(server)


@pytest.fixture(scope="module")
def make_shared_database(server: Database) -> Iterator[Callable[..., Database]]:
    """Makes databases that are dropped after the module, for what its tests only read or copy."""
    yield from _databases(server)


@pytest.fixture
def database(make_database: Callable[..., Database]) -> Database:
    """A migrated database of this test's own."""
    return make_database()


@pytest.fixture
def start_sandbox() -> Iterator[Callable[..., Running]]:
    """Starts simulated Alibaba.coms, on ports of their own, with the options of `SandboxConfig`; their clocks stand.

    At one moment, whenever the tests run; those with orders, or clocks that go, at that of their clients: orders are
    asked for by the client's time.
    """
    running: list[Running] = []

    def start_one(**options: Any) -> Running:
        given = {"orders": 0, "products": 60, "clock_speed": 0.0, **options}
        if not given["orders"] and not given["clock_speed"]:
            given.setdefault("clock_start_ms", THEN_MS)
        running.append(start(SandboxConfig(**given)))
        return running[-1]

    yield start_one
    for one in running:
        one.stop()


@pytest.fixture
def deploy(
    tmp_path: Path, make_database: Callable[..., Database], start_sandbox: Callable[..., Running]
) -> Callable[..., Deployment]:
    """Installs the pipeline against a simulated Alibaba.com with these options."""

    def install(variables: dict[str, str] | None = None, sandbox: Running | None = None, **options: Any) -> Deployment:
        home = tmp_path / f"home-{uuid.uuid4().hex[:6]}"
        return Deployment(home, make_database(), sandbox or start_sandbox(**options), variables or {})

    return install
