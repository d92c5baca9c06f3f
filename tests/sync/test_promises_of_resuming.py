"""What was landed is not asked for again, and a store that breaks in the middle costs a run and nothing else."""

import random
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

from deployment import Deployment, clean_environment
from oracle import expected_feeds, expected_tables, stored_feeds, stored_tables, truth
from sqlalchemy.engine import make_url

from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.storage.server.failures import DatabaseProblem
from dropship_pipeline.sync.request import SyncRequest

Deploy = Callable[..., Deployment]
FREIGHT = "/shipping/freight/calculate"
LISTINGS = (
    "/eco/buyer/product/check",
    "/eco/buyer/local/product/check",
    "/eco/buyer/localregular/product/check",
    "/eco/buyer/crossborder/product/check",
)


def the_tables_are_true(merchant: Deployment) -> None:
    listed = expected_feeds(merchant)
    assert stored_feeds(merchant) == {key: ids for key, ids in listed.items() if ids}
    reachable = set().union(*listed.values())
    reached = {key: told for key, told in truth(merchant).items() if key in reachable}
    assert stored_tables(merchant) == expected_tables(reached)


def forget(merchant: Deployment, *statements: str) -> None:
    """Leave the database as a kill would have, and count calls anew."""
    with merchant.database.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    merchant.sandbox.control("stats/reset", {})


def pages_read(merchant: Deployment) -> int:
    return sum(sum(merchant.calls(path).values()) for path in LISTINGS)


def test_pages_that_a_killed_sweep_landed_are_not_read_again(deploy: Deploy) -> None:
    merchant = deploy(products=900, drift=0, variables={"ALIBABA_DIALECT": "guide"})
    merchant.sync(SyncRequest(limit=0))
    assert pages_read(merchant) > 50
    # killed when all pages were landed and no sweep was merged
    forget(
        merchant,
        "UPDATE ops.sweeps SET state = 'running', ended_at = NULL",
        "TRUNCATE catalog.feed_products, catalog.listing_changes, ops.syncs",
    )
    assert merchant.sync(SyncRequest(limit=0)).problems == []
    assert pages_read(merchant) == 0
    feeds = expected_feeds(merchant)
    assert stored_feeds(merchant) == feeds
    # killed when some pages were not landed yet: those are read, and no other
    files = sorted((merchant.home / "lake" / "raw" / "listing").rglob("*.parquet"))
    files[-1].unlink()
    forget(
        merchant,
        "UPDATE ops.sweeps SET state = 'running', ended_at = NULL",
        "TRUNCATE catalog.feed_products, catalog.listing_changes, ops.syncs",
        "DELETE FROM ops.raw_files WHERE path = (SELECT max(path) FROM ops.raw_files WHERE kind = 'listing')",
    )
    assert merchant.sync(SyncRequest(limit=0)).problems == []
    assert 0 < pages_read(merchant) < 30
    assert stored_feeds(merchant) == feeds


def test_sweeps_that_a_killed_sync_merged_are_not_made_again_and_those_of_one_that_ended_are(deploy: Deploy) -> None:
    merchant = deploy(products=60, variables={"ALIBABA_DIALECT": "guide"})
    merchant.sync(SyncRequest(limit=0))
    forget(merchant, "UPDATE ops.syncs SET ended_at = NULL, outcome = 'running'")
    summary = merchant.sync()
    assert pages_read(merchant) == 0
    assert all(feed.resumed for feed in summary.feeds)
    the_tables_are_true(merchant)
    merchant.sandbox.control("stats/reset", {})
    assert not any(feed.resumed for feed in merchant.sync().feeds)
    assert pages_read(merchant) > 10


def test_quotes_that_a_killed_sync_landed_are_merged_without_a_call(deploy: Deploy) -> None:
    merchant = deploy(products=200, variables={"DROPSHIP_DESTINATIONS": "US:90001,MX"})
    merchant.sync()
    tables = ("catalog.freight_quotes", "catalog.freight_failures", "ops.fetches")

    def rows() -> list[list[str]]:
        return [sorted(map(repr, merchant.rows(f"SELECT * FROM {table}"))) for table in tables]

    before = rows()
    assert all(before), "nothing was quoted, or nothing refused: the test shows nothing"
    forget(
        merchant,
        "DELETE FROM ops.raw_files WHERE kind = 'freight'",
        "DELETE FROM ops.fetches WHERE kind = 'freight'",
        "TRUNCATE catalog.freight_quotes, catalog.freight_failures",
    )
    summary = merchant.sync()
    assert summary.problems == []
    assert merchant.calls(FREIGHT) == {}
    assert rows() == before


def test_a_database_that_breaks_again_and_again_costs_runs_and_no_row(deploy: Deploy, server: Database) -> None:
    merchant = deploy(products=150)
    name = make_url(merchant.database.libpq_url).database
    who_writes = f"FROM pg_stat_activity WHERE datname = '{name}' AND backend_xid IS NOT NULL"
    every_session = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    mended = threading.Event()
    draw = random.Random(7)

    def break_it() -> None:
        with server.autocommit() as connection:
            while not mended.wait(draw.uniform(0.0, 0.3)):
                # in the middle of a write: sessions that end between two of them are only opened again
                while not connection.exec_driver_sql(f"SELECT count(*) {who_writes}").scalar_one():
                    if mended.wait(0.002):
                        return
                connection.exec_driver_sql(every_session)

    breaker = threading.Thread(target=break_it)
    breaker.start()
    problems: list[str] = []
    for _ in range(40):  # as many as it takes until three of them were hit
        if len(problems) >= 3:
            break
        try:
            merchant.sync(SyncRequest(force=True))
        except DatabaseProblem as problem:
            problems.append(str(problem))
    mended.set()
    breaker.join()
    assert all(str(name) in problem for problem in problems)
    assert problems, "the database never broke while it was needed: the test shows nothing"
    assert merchant.sync().problems == []
    the_tables_are_true(merchant)
    counted = "SELECT count(*) FROM catalog."
    assert merchant.value(f"{counted}listing_changes") == merchant.value(f"{counted}feed_products")
    assert merchant.value(f"{counted}price_changes") == merchant.value(f"{counted}inventory_changes") == 0


def test_a_disk_that_fills_up_is_named_in_one_line_and_nothing_that_was_merged_is_lost(deploy: Deploy) -> None:
    merchant = deploy(products=100)

    def with_room_for(kilobytes: int) -> "subprocess.CompletedProcess[Any]":
        return subprocess.run(
            ["bash", "-c", f'ulimit -f {kilobytes}; exec "$0" -m dropship_pipeline.cli sync', sys.executable],
            env={**clean_environment(), **merchant.environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    done = with_room_for(16)
    assert done.returncode == 1
    [line] = [line for line in done.stderr.splitlines() if line.startswith("dropship: ")]
    assert str(merchant.home / "lake") in line
    assert "Raise it (ulimit -f)" in line
    assert "Traceback" not in done.stderr
    listed = expected_feeds(merchant)
    assert stored_feeds(merchant) == {key: ids for key, ids in listed.items() if ids}
    merchant.sandbox.control("stats/reset", {})
    assert merchant.sync().problems == []
    assert pages_read(merchant) > 0
    the_tables_are_true(merchant)
