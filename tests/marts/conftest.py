"""The dozen, written and asked about in one transaction."""

from collections.abc import Iterator

import pytest
from dozen import Books, open_books, write_the_dozen

from dropship_pipeline.storage.server.database import Database


@pytest.fixture
def empty_books(database: Database) -> Iterator[Books]:
    with database.begin() as connection:
        yield open_books(connection)


@pytest.fixture
def books(empty_books: Books) -> Books:
    write_the_dozen(empty_books)
    return empty_books
