"""What the tests of the command line share: a merchant who has synced, and typing commands within this process."""

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from deployment import Deployment, clean_environment, name_of
from moment import THEN_MS
from sqlalchemy.engine import make_url
from typed import Type, Typed

from dropship_pipeline.cli.commands import run
from dropship_pipeline.orchestration.instance import open_instance
from dropship_pipeline.sandbox.launch import Running, SandboxConfig, start
from dropship_pipeline.settings import load_settings
from dropship_pipeline.storage.server.database import Database


@pytest.fixture
def type_command(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Type:
    """Types a command in an empty folder, with nothing set but these variables: `type_command(["sync"], {...})`."""
    folder = tmp_path / "folder"
    folder.mkdir()

    def type_one(arguments: list[str], variables: dict[str, str] | None = None) -> Typed:
        with monkeypatch.context() as patch:
            patch.chdir(folder)
            for name in set(os.environ) - set(clean_environment()):
                patch.delenv(name)
            for name, value in (variables or {}).items():
                patch.setenv(name, value)
            # what a command itself sets is gone after it too
            patch.setenv("DAGSTER_HOME", (variables or {}).get("DAGSTER_HOME", ""))
            capfd.readouterr()
            status = run(arguments)
            out, err = capfd.readouterr()
        return Typed(status, out, err)

    return type_one


@pytest.fixture(scope="module")
def shop() -> Iterator[Running]:
    """A simulated Alibaba.com of twenty products in which nothing moves, for a whole module."""
    with start(SandboxConfig(products=20, orders=0, clock_speed=0.0, drift=0.0, clock_start_ms=THEN_MS)) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def dagster_template(server: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a migrated database in which Dagster has its tables too, to be copied by `make_database`."""
    with _new_database(server) as database, pytest.MonkeyPatch.context() as patch:
        variables = {
            "DROPSHIP_DATABASE_URL": database.libpq_url,
            "DROPSHIP_HOME": str(tmp_path_factory.mktemp("home")),
            "DAGSTER_HOME": "",
        }
        for name, value in variables.items():
            patch.setenv(name, value)
        with open_instance(load_settings()):
            pass
        database.close()
        yield name_of(database)


@pytest.fixture(scope="session")
def original(server: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A merchant with sixty products in the tables and a snapshot in the lake. Only copied from: all tests share it."""
    config = SandboxConfig(products=60, orders=0, clock_speed=0.0, drift=0.0, clock_start_ms=THEN_MS)
    with _new_database(server) as database, start(config) as sandbox:
        merchant = Deployment(tmp_path_factory.mktemp("home"), database, sandbox, {})
        merchant.sync()
        database.close()
        yield merchant


@pytest.fixture(scope="module")
def synced(
    original: Deployment, make_shared_database: Callable[..., Database], tmp_path_factory: pytest.TempPathFactory
) -> Deployment:
    """A copy of that merchant. Only looked at: a module shares it."""
    return original.copied(tmp_path_factory.mktemp("copy") / "home", make_shared_database(name_of(original.database)))


@contextmanager
def _new_database(server: Database) -> Iterator[Database]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    with server.autocommit() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE dropship_template STRATEGY FILE_COPY")
    database = Database(make_url(server.libpq_url).set(database=name).render_as_string(hide_password=False))
    yield database
    database.close()
    with server.autocommit() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
