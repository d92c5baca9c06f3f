"""A catalogue with something in every part of the report; and the page of it."""

from collections.abc import Callable

import pytest
from harm import HARM, HOSTILE
from marts.dozen import open_books, write_the_dozen
from sqlalchemy import text

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
def shared_dozen(make_shared_database: Callable[[], Database]) -> Database:
    """The dozen, for the tests that only read."""
    database = make_shared_database()
    _write_into(database)
    return database


@pytest.fixture(scope="module")
def page_of_the_dozen(shared_dozen: Database) -> str:
    """The page, for the tests that only read it: most of what it costs are its pictures."""
    return _page(shared_dozen)


@pytest.fixture(scope="module")
def page_of_the_harmed(make_shared_database: Callable[[], Database]) -> str:
    """The page of a dozen that is simulated, has hostile texts wherever one may come, and a price below nothing."""
    database = make_shared_database()
    _write_into(database)
    with database.begin() as connection:
        for statement in HARM:
            connection.execute(text(statement), {"text": HOSTILE} if ":text" in statement else {})
    return _page(database)


def _write_into(database: Database) -> None:
    with database.begin() as connection:
        write_the_dozen(open_books(connection))


def _page(database: Database) -> str:
    return render(gather(database, load_settings({"DROPSHIP_DESTINATIONS": "US:90001,MX"})))


@pytest.fixture
def make_page() -> Callable[[Database], str]:
    """Makes the page of a database."""
    return _page
