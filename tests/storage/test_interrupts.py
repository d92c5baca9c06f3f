"""Ctrl-C while Postgres works: it always arrives, ends the statement there, and leaves no transaction behind."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta

import pyarrow as pa
import pytest

from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.storage.server.locks import Lock, hold, take
from dropship_pipeline.storage.server.staging import Stage
from dropship_pipeline.storage.server.transactions import Transactions

pytestmark = pytest.mark.usefixtures("heeds_ctrl_c")

WITHIN = 3.0  # seconds; the statements take 60
LONG = "SELECT pg_sleep(60)::text"
MANY = "SELECT n, repeat('x', 100) AS words FROM generate_series(1, 3000000) n"


def interrupt(after: float, work: Callable[[], object]) -> None:
    """Do something; a Ctrl-C that comes so many seconds after its beginning must end it, at once."""
    sent: list[float] = []

    def send() -> None:
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(after, send)

    def begin_and_work() -> None:
        timer.start()
        work()

    with pytest.raises(KeyboardInterrupt):
        begin_and_work()
    timer.join()
    assert time.monotonic() - sent[0] < WITHIN


def at_work(database: Database) -> list[str]:
    """What Postgres still does or keeps open for us, other than answering this, when it has noticed who is gone."""
    query = """
        SELECT query FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'
    """
    give_up = time.monotonic() + WITHIN
    while True:
        with database.begin() as connection:
            found = list(connection.exec_driver_sql(query).scalars())
        if not found or time.monotonic() > give_up:
            return found
        time.sleep(0.02)


@pytest.mark.parametrize("after", [0.0, 0.02, 0.5])
def test_a_long_statement_ends_in_postgres_too(database: Database, after: float) -> None:
    def work() -> None:
        with database.adbc() as connection:
            connection.run(LONG)

    interrupt(after, work)
    assert at_work(database) == []
    database.close()


@pytest.mark.parametrize("seed", range(3))
def test_not_one_is_lost_among_statements_that_end_at_once(database: Database, seed: int) -> None:
    draw = random.Random(seed)
    with closing(database.open_adbc()) as connection:

        def work() -> None:
            give_up = time.monotonic() + 2 * WITHIN
            while time.monotonic() < give_up:
                connection.run("SELECT 1")

        for _ in range(20):
            interrupt(draw.uniform(0.001, 0.05), work)
        assert connection.run("SELECT 2") == [(2,)]


@pytest.mark.parametrize("after", [0.05, 0.3, 0.6])
def test_rows_on_their_way_stop(database: Database, after: float) -> None:
    def work() -> None:
        query = f"{MANY} CROSS JOIN generate_series(1, 100)"
        with database.adbc() as connection, closing(connection.batches(query, 1_000_000)) as batches:
            for _ in batches:
                pass

    interrupt(after, work)
    assert at_work(database) == []


def test_rows_that_are_not_read_to_their_end_leave_the_connection_usable(database: Database) -> None:
    with database.adbc() as connection:
        with closing(connection.batches(MANY, 100_000)) as batches:
            assert next(batches).num_rows > 0
        assert connection.run("SELECT 1") == [(1,)]


def loading(stage: Stage) -> None:
    stage.load("rows", pa.table({"n": pa.array(range(5_000_000), pa.int64())}))
    stage.run(LONG)


@pytest.mark.parametrize("work", [lambda stage: stage.run(LONG), loading], ids=["a statement", "a load"])
def test_a_transaction_is_undone_and_its_locks_are_free_before_the_program_goes_on(
    database: Database, work: Callable[[Stage], object]
) -> None:
    with database.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE kept (n bigint)")

    def prepare(stage: Stage) -> None:
        stage.make("rows", "n bigint")

    def write(stage: Stage) -> None:
        stage.run(take(Lock.OFFER))
        stage.run("INSERT INTO kept VALUES (1)")
        work(stage)

    with closing(Transactions(database)) as transactions:
        interrupt(0.5, lambda: transactions.run(prepare, write))
        with database.adbc() as other:
            other.run("SET lock_timeout = '3s'")
            other.run(take(Lock.OFFER))
        transactions.run(prepare, lambda stage: stage.run("INSERT INTO kept VALUES (2)"))
    with database.begin() as connection:
        assert connection.exec_driver_sql("SELECT n FROM kept").scalars().all() == [2]


def test_a_wait_for_somebody_else_s_lock_ends(database: Database) -> None:
    with database.adbc() as holder, closing(Transactions(database)) as transactions:
        holder.run("BEGIN")
        holder.run(take(Lock.OFFER))
        interrupt(0.3, lambda: transactions.run(lambda _: None, lambda stage: stage.run(take(Lock.OFFER))))
        waiting = holder.run("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    assert waiting == [(0,)]


def test_a_wait_for_whoever_publishes_ends(database: Database) -> None:
    held = Problem("It is held", "Wait")

    def wait() -> None:
        with hold(database, "publish", timedelta(minutes=15), held):
            pass

    with hold(database, "publish", timedelta(0), held):
        interrupt(0.3, wait)
