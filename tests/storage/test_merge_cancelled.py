"""A merge that another thread cancels: whatever it is doing, it ends, and nothing of it stands."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import adbc_driver_manager
import pytest

from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.storage.server.locks import Lock, take
from dropship_pipeline.storage.server.staging import Stage
from dropship_pipeline.storage.server.transactions import Transactions

WITHIN = 10.0  # seconds: of work that takes 60 or does not end


@pytest.fixture
def transactions(database: Database) -> Iterator[Transactions]:
    with database.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE kept (n bigint)")
    with closing(Transactions(database)) as transactions:
        yield transactions


def cancelled(transactions: Transactions, after: float) -> threading.Thread:
    """Somebody who cancels, so many seconds from now, again and again until he is joined."""
    cancelling = threading.Thread(target=cancel_until_over, args=(transactions, after))
    cancelling.start()
    return cancelling


def cancel_until_over(transactions: Transactions, after: float) -> None:
    time.sleep(after)
    for _ in range(10):
        transactions.cancel()
        time.sleep(0.05)


def rows(database: Database) -> list[int]:
    with database.begin() as connection:
        return list(connection.exec_driver_sql("SELECT n FROM kept").scalars())


def test_its_statement_ends_its_rows_and_locks_go_and_the_connection_serves_the_next(
    database: Database, transactions: Transactions
) -> None:
    def write(stage: Stage) -> None:
        stage.run(take(Lock.OFFER))
        stage.run("INSERT INTO kept VALUES (1)")
        stage.run("SELECT pg_sleep(60)::text")

    began = time.monotonic()
    cancelling = cancelled(transactions, 0.2)
    with pytest.raises(adbc_driver_manager.Error, match="cancel"):
        transactions.run(lambda _: None, write)
    cancelling.join()
    assert time.monotonic() - began < WITHIN
    with database.adbc() as other:
        other.run("SET lock_timeout = '3s'")
        other.run(take(Lock.OFFER))
    transactions.run(lambda _: None, lambda stage: stage.run("INSERT INTO kept VALUES (2)"))
    assert rows(database) == [2]


def test_it_is_not_begun_again_however_often_it_lost(database: Database, transactions: Transactions) -> None:
    tries = []

    def lose(stage: Stage) -> None:
        tries.append(time.monotonic())
        stage.run("INSERT INTO kept VALUES (1)")
        stage.run("DO $$ BEGIN RAISE 'deadlock detected' USING ERRCODE = '40P01'; END $$")

    cancelling = cancelled(transactions, 0.2)
    with pytest.raises(adbc_driver_manager.Error, match=r"deadlock|cancel"):
        transactions.run(lambda _: None, lose)
    cancelling.join()
    assert len(tries) < 5
    assert rows(database) == []
