"""A person's question to the tables: any SQL, in a transaction that cannot write, its rows streamed."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.database import Database
from dropship_pipeline.storage.failures import in_our_words

_ROWS_AT_A_TIME = 1_000
_STREAMED = frozenset({"select", "with", "table", "values"})  # what a cursor can be declared for


class BadQuestion(Problem):
    """Postgres does not understand the SQL, or will not run it read-only."""


@contextmanager
def ask(database: Database, query: str) -> Iterator[tuple[list[str], Iterator[tuple[object, ...]]]]:
    """The names of the columns, and the rows as they come; memory stays constant however many they are.

    Raises `BadQuestion` with the server's own words; a write is one.
    """
    with in_our_words(database.address), database.sqlalchemy.connect() as connection:
        connection.detach()  # what is set here must not be met by others in the pool
        try:
            # of the session, not of the transaction: "COMMIT; DROP TABLE …" begins another one
            connection.execute(text("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"))
            connection.commit()
            streamed = query.split(maxsplit=1)[:1] and query.split(maxsplit=1)[0].lower() in _STREAMED
            options = {"stream_results": True, "yield_per": _ROWS_AT_A_TIME} if streamed else {}
            # no parameters: a percent sign in the question is a percent sign
            result = connection.execution_options(no_parameters=True, **options).exec_driver_sql(query)
            if not result.returns_rows:
                raise BadQuestion(
                    "That is no question: it gives no rows", "Ask with SELECT, TABLE, VALUES, SHOW or EXPLAIN"
                )
        except DBAPIError as error:
            said = str(error.orig).strip().split("\n", 1)[0]
            raise BadQuestion(f"The question cannot be answered: {said}", "See docs/tables.md for the tables") from None
        yield list(result.keys()), (tuple(row) for row in result)
