"""What every test may use: a real Postgres, simulated Alibaba.coms over real HTTP, whole deployments of the pipeline.

One embedded server a test session, whoever runs beside; a fresh database a test, copied from a template that was migrated
once, so that a test pays some 20 ms for its own.
"""

import fcntl
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from deployment import Deployment
from sqlalchemy.engine import make_url

from dropship_pipeline.sandbox.launch import Running, SandboxConfig, start
from dropship_pipeline.storage import embedded, migrate
from dropship_pipeline.storage.database import Database

TEMPLATE = "dropship_template"


@pytest.fixture(scope="session")
def postgres_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that all workers of this session share; the server stops with the last of them."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "postgres-home"


@pytest.fixture(scope="session")
def server(postgres_home: Path) -> Iterator[Database]:
    """The server's maintenance database; the migrated template is there when this returns."""
    url = make_url(embedded.start(postgres_home))
    maintenance = Database(url.set(database="postgres").render_as_string(hide_password=False))
    with (postgres_home / "template.lock").open("w") as lock, maintenance.autocommit() as connection:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = connection.exec_driver_sql(f"SELECT 1 FROM pg_database WHERE datname = '{TEMPLATE}'").scalar()
        if not found:
            connection.exec_driver_sql("DROP DATABASE IF EXISTS being_migrated")
            connection.exec_driver_sql("CREATE DATABASE being_migrated")
            template = Database(url.set(database="being_migrated").render_as_string(hide_password=False))
            migrate.upgrade(template)
            template.close()
            connection.exec_driver_sql(f"ALTER DATABASE being_migrated RENAME TO {TEMPLATE}")
    yield maintenance
    maintenance.close()


@pytest.fixture
def make_database(server: Database) -> Iterator[Callable[..., Database]]:
    """Makes databases that are dropped after the test: migrated ones, or copies of another template."""
    made: list[Database] = []

    def make(template: str = TEMPLATE) -> Database:
        name = f"test_{uuid.uuid4().hex[:12]}"
        with server.autocommit() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        made.append(Database(make_url(server.libpq_url).set(database=name).render_as_string(hide_password=False)))
        return made[-1]

    yield make
    for database in made:
        name = make_url(database.libpq_url).database
        database.close()
        with server.autocommit() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database(make_database: Callable[..., Database]) -> Database:
    """A migrated database of this test's own."""
    return make_database()


@pytest.fixture
def start_sandbox() -> Iterator[Callable[..., Running]]:
    """Starts simulated Alibaba.coms, on ports of their own, with the options of `SandboxConfig`."""
    running: list[Running] = []

    def start_one(**options: Any) -> Running:
        running.append(start(SandboxConfig(**{"orders": 0, "products": 60, **options})))
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
