"""A catalogue with something in every part of the report; and the page of it."""

import uuid
from collections.abc import Callable, Iterator

import pytest
from deployment import Deployment
from harm import HARM, HOSTILE
from marts.dozen import open_books, write_the_dozen
from sqlalchemy import text
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
    """The dozen, for one test to change."""
    _write_into(database)
    return database


@pytest.fixture(scope="module")
def shared_dozen(server: Database) -> Iterator[Database]:
    """The dozen, for the tests that only read."""
    yield from _new_dozen(server)


@pytest.fixture(scope="module")
def page_of_the_dozen(shared_dozen: Database) -> str:
    """The page, for the tests that only read it: most of what it costs are its pictures."""
    return _page(shared_dozen)


@pytest.fixture(scope="module")
def page_of_the_harmed(server: Database) -> Iterator[str]:
    """The page of a dozen that is simulated, has hostile texts wherever one may come, and a price below nothing."""
    for database in _new_dozen(server):
        with database.begin() as connection:
            for statement in HARM:
                connection.execute(text(statement), {"text": HOSTILE} if ":text" in statement else {})
        yield _page(database)


def _new_dozen(server: Database) -> Iterator[Database]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    with server.autocommit() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE dropship_template STRATEGY FILE_COPY")
    database = Database(make_url(server.libpq_url).set(database=name).render_as_string(hide_password=False))
    _write_into(database)
    yield database
    database.close()
    with server.autocommit() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


def _write_into(database: Database) -> None:
    with database.begin() as connection:
        write_the_dozen(open_books(connection))


def _page(database: Database) -> str:
    return render(gather(database, load_settings({"DROPSHIP_DESTINATIONS": "US:90001,MX"})))


@pytest.fixture
def make_page() -> Callable[[Database], str]:
    """Makes the page of a database."""
    return _page


@pytest.fixture
def merchant(deploy: Callable[..., Deployment]) -> Iterator[Deployment]:
    """One who has synced."""
    installed = deploy(products=30)
    installed.sync()
    return installed
