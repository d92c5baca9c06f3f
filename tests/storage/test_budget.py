"""One budget for all processes: a row in Postgres that keeps what the pure functions of `alibaba.rate` say."""

import itertools
import multiprocessing
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from dropship_pipeline.alibaba.pacing import Pacer
from dropship_pipeline.alibaba.rate import LEASE_SECONDS, START_RATE, UNLIMITED, Grant
from dropship_pipeline.storage.ops.budget import PostgresCallBudget
from dropship_pipeline.storage.server.database import Database, DatabaseDown

APP = "0123456789abcdef"


def column(database: Database, name: str) -> float:
    with database.begin() as connection:
        return float(connection.exec_driver_sql(f"SELECT {name} FROM ops.call_budget WHERE app = '{APP}'").scalar_one())


def ends_before(one: Grant, other: Grant) -> bool:
    return one.start + one.calls * one.spacing <= other.start + 1e-6


def test_a_new_app_starts_at_the_usual_rate_under_its_ceiling(database: Database) -> None:
    grant = PostgresCallBudget(database, APP, ceiling=1000).lease(1000)
    assert grant.calls == round(START_RATE * LEASE_SECONDS)
    assert grant.spacing == pytest.approx(1 / START_RATE)
    assert PostgresCallBudget(database, "other", ceiling=5).lease(1000).spacing == pytest.approx(1 / 5)


def test_the_clock_is_that_of_postgres(database: Database) -> None:
    grant = PostgresCallBudget(database, APP, ceiling=50).lease(1)
    with database.begin() as connection:
        now = float(connection.exec_driver_sql("SELECT extract(epoch FROM clock_timestamp())").scalar_one())
    assert now - 1 < grant.now <= now
    assert grant.now - 1 < grant.start < grant.now + 1


def test_no_two_leases_of_two_budgets_share_a_slot(database: Database) -> None:
    budgets = [PostgresCallBudget(Database(database.libpq_url), APP, ceiling=500) for _ in range(3)]
    with ThreadPoolExecutor(9) as pool:
        grants = sorted(pool.map(lambda n: budgets[n % 3].lease(20), range(90)), key=lambda grant: grant.start)
    assert all(ends_before(one, other) for one, other in itertools.pairwise(grants))
    assert column(database, "next_free") == pytest.approx(grants[-1].start + grants[-1].calls * grants[-1].spacing)


def _spend(url: str, seconds: float, results: "multiprocessing.Queue[int]") -> None:
    pacer = Pacer(PostgresCallBudget(Database(url), APP, ceiling=200))
    end = time.monotonic() + seconds
    calls = 0
    while time.monotonic() < end:
        pacer.wait_turn()
        calls += 1
    results.put(calls)


def test_processes_together_keep_to_the_ceiling(database: Database) -> None:
    PostgresCallBudget(database, APP, ceiling=200).close()
    with database.begin() as connection:
        connection.exec_driver_sql("UPDATE ops.call_budget SET rate = 200")
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[int] = context.Queue()
    processes = [context.Process(target=_spend, args=(database.libpq_url, 2.0, results)) for _ in range(2)]
    began = time.monotonic()
    for process in processes:
        process.start()
    calls = [results.get(timeout=60) for _ in processes]
    took = time.monotonic() - began
    for process in processes:
        process.join()
    assert sum(calls) <= 200 * (took + 0.5)
    assert min(calls) > 50, "one process starves"


def test_a_throttle_slows_everybody_down(database: Database) -> None:
    one, other = (PostgresCallBudget(database, APP, ceiling=1000) for _ in range(2))
    before = other.lease(1)
    one.throttled(3.0, sent_at=before.now)
    after = other.lease(1)
    assert after.start >= before.now + 2.9
    assert after.spacing > before.spacing
    assert column(database, "limit_seen") == START_RATE


def test_the_ceiling_of_the_settings_holds_from_construction(database: Database) -> None:
    PostgresCallBudget(database, APP, ceiling=40)
    lowered = PostgresCallBudget(database, APP, ceiling=10)
    assert lowered.lease(100).spacing == pytest.approx(0.1)
    PostgresCallBudget(database, APP, ceiling=80)
    assert column(database, "ceiling") == 80


def test_what_was_learnt_about_the_limit_outlives_the_process(database: Database) -> None:
    budget = PostgresCallBudget(database, APP, ceiling=1000)
    budget.throttled(0, sent_at=budget.lease(1).now)
    rate = column(database, "rate")
    assert PostgresCallBudget(database, APP, ceiling=UNLIMITED).lease(1).spacing == pytest.approx(1 / rate, rel=0.05)


def test_without_a_limit_nobody_waits_and_the_database_is_hardly_asked(database: Database) -> None:
    class Counting(PostgresCallBudget):
        leases = 0

        def lease(self, wanted: int) -> Grant:
            self.leases += 1
            return super().lease(wanted)

    PostgresCallBudget(database, APP, ceiling=20)
    budget = Counting(database, APP, ceiling=UNLIMITED)
    pacer = Pacer(budget)
    waited = 0.0
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        waited += pacer.wait_turn()
        time.sleep(0.0001)
    assert waited < 0.05
    assert budget.leases < 30


def test_a_process_that_is_stopped_with_the_row_locked_does_not_stop_the_others(database: Database) -> None:
    stopped, other = (PostgresCallBudget(database, APP, ceiling=50) for _ in range(2))
    stopped._connected().cursor().execute("BEGIN; SELECT FROM ops.call_budget FOR UPDATE")
    began = time.monotonic()
    other.lease(1)
    assert 1 < time.monotonic() - began < 15
    stopped.lease(1)


def test_a_closed_session_is_opened_again(database: Database, server: Database) -> None:
    budget = PostgresCallBudget(database, APP, ceiling=50)
    pid = budget._connected().info.backend_pid
    with server.autocommit() as connection:
        connection.exec_driver_sql(f"SELECT pg_terminate_backend({pid})")
    time.sleep(0.1)
    assert budget.lease(1).calls == 1


def test_a_row_that_somebody_deleted_comes_back(database: Database) -> None:
    budget = PostgresCallBudget(database, APP, ceiling=50)
    with database.begin() as connection:
        connection.exec_driver_sql("DELETE FROM ops.call_budget")
    assert budget.lease(3).calls == 3
    assert column(database, "ceiling") == 50


def test_a_database_that_is_down_is_named() -> None:
    with pytest.raises(DatabaseDown, match="nobody at /nowhere"):
        PostgresCallBudget(Database("postgresql://nobody@/nobody?host=/nowhere"), APP, ceiling=50)
