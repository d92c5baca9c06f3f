"""A catalogue with something in every part of the report; and the page of it."""

import uuid
from collections.abc import Callable, Iterator

import pytest
from deployment import Deployment
from marts.dozen import open_books, write_the_dozen
from sqlalchemy.engine import make_url

from dropship_pipeline.report.numbers import gather
from dropship_pipeline.report.page import render
from dropship_pipeline.settings import Settings, load_settings
from dropship_pipeline.storage.server.database import Database


@pytest.fixture
def settings() -> Settings:
    return load_settings({"DROPSHIP_DESTINATIONS": "US:90001,MX"})


@pytest.fixture
def dozen(database: Database) -> Database:
    with database.begin() as connection:
        write_the_dozen(open_books(connection))
    return database


@pytest.fixture(scope="module")
def page_of_the_dozen(server: Database) -> Iterator[str]:
    """The page, for the tests that only read it."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with server.autocommit() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE dropship_template")
    database = Database(make_url(server.libpq_url).set(database=name).render_as_string(hide_password=False))
    with database.begin() as connection:
        write_the_dozen(open_books(connection))
    yield render(gather(database, load_settings({"DROPSHIP_DESTINATIONS": "US:90001,MX"})))
    database.close()
    with server.autocommit() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def make_page(settings: Settings) -> Callable[[Database], str]:
    def make(database: Database) -> str:
        return render(gather(database, settings))

    return make


@pytest.fixture
def merchant(deploy: Callable[..., Deployment]) -> Iterator[Deployment]:
    """One who has synced."""
    installed = deploy(products=30)
    installed.sync()
    return installed
