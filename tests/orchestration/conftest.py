"""What the tests of Dagster share: databases in which it finds its tables, which take it a second to make."""

import fcntl
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from dagster_runs import set_up
from deployment import Deployment
from moment import THEN_MS
from sqlalchemy.engine import make_url

from dropship_pipeline.sandbox.launch import Running, SandboxConfig, start
from dropship_pipeline.storage.server.database import Database

TEMPLATE = "dropship_template_with_dagster"


@pytest.fixture(scope="session")
def dagster_template(server: Database, postgres_home: Path) -> str:
    """The name of a migrated database that Dagster has opened before; one for all workers of this session."""
    made = make_url(server.libpq_url).set(database="being_set_up").render_as_string(hide_password=False)
    with (postgres_home / "dagster-template.lock").open("w") as lock, server.autocommit() as connection:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not connection.exec_driver_sql(f"SELECT 1 FROM pg_database WHERE datname = '{TEMPLATE}'").scalar():
            connection.exec_driver_sql("DROP DATABASE IF EXISTS being_set_up")
            connection.exec_driver_sql("CREATE DATABASE being_set_up TEMPLATE dropship_template")
            set_up(made, postgres_home)
            # Dagster keeps its connections, and nobody may be connected to what is copied
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'being_set_up'"
            )
            connection.exec_driver_sql(f"ALTER DATABASE being_set_up RENAME TO {TEMPLATE}")
    return TEMPLATE


@pytest.fixture
def make_database(make_database: Callable[..., Database], dagster_template: str) -> Callable[..., Database]:
    """Makes databases that Dagster finds set up."""
    return partial(make_database, dagster_template)


@pytest.fixture(scope="session")
def unasked() -> Iterator[Running]:
    """A simulated Alibaba.com for merchants who ask it nothing."""
    with start(SandboxConfig(products=1, orders=0, clock_speed=0.0, clock_start_ms=THEN_MS)) as sandbox:
        yield sandbox


@pytest.fixture
def quiet(deploy: Callable[..., Deployment], unasked: Running) -> Callable[..., Deployment]:
    """Installs the pipeline for merchants who ask Alibaba.com nothing."""
    return partial(deploy, sandbox=unasked)
