"""Two runs of one feed, and a run that was suspended: the feed is read by one of them, and nothing old comes back."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from deployment import Deployment, clean_environment
from oracle import expected_feeds, stored_feeds

from dropship_pipeline.storage.catalog.sweeps import open_sweep
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.storage.server.locks import Locks
from dropship_pipeline.sync.request import SyncRequest
from dropship_pipeline.sync.session import Session
from dropship_pipeline.sync.stages import discover as stage
from dropship_pipeline.sync.stages.discover import discover

Deploy = Callable[..., Deployment]
SCRIPT = Path(__file__).with_name("listing_sync.py")
LISTINGS = (
    "/eco/buyer/product/check",
    "/eco/buyer/local/product/check",
    "/eco/buyer/localregular/product/check",
    "/eco/buyer/crossborder/product/check",
)
LOSE_EVERY_CONNECTION = """
    SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
WITHOUT_TIMES = {
    "catalog.feed_products": "feed, product_id, position, first_listed_at, last_listed_at, delisted_at",
    "catalog.listing_changes": "feed, product_id, change, observed_at",
    "ops.missed_memberships": "feed, product_id",
}


def listing(merchant: Deployment, how_many: int = 1) -> "list[subprocess.Popen[str]]":
    """Processes that begin to read the feeds at the same time."""
    environment = {**clean_environment(), "PYTHONPATH": str(SCRIPT.parents[1]), **merchant.environment}
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    processes = [
        subprocess.Popen([sys.executable, str(SCRIPT)], env=environment, text=True, **pipes) for _ in range(how_many)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    return processes


def ends_well(process: "subprocess.Popen[str]") -> str:
    said, complained = process.communicate(timeout=120)
    assert process.returncode == 0, complained
    return said


def read_the_feeds(merchant: Deployment, *, let_through: bool = False) -> None:
    def stages(session: Session, request: SyncRequest) -> None:
        discover(session, request)

    merchant.sync(SyncRequest(let_through=let_through), stages=stages)


def pages_read(merchant: Deployment) -> int:
    return sum(sum(merchant.calls(path).values()) for path in LISTINGS)


def tables(merchant: Deployment) -> dict[str, list[dict[str, Any]]]:
    return {
        name: merchant.rows(f"SELECT {columns} FROM {name} ORDER BY 1, 2") for name, columns in WITHOUT_TIMES.items()
    }


def test_two_runs_at_once_read_each_feed_once(deploy: Deploy) -> None:
    merchant = deploy(products=200, drift=0, latency_ms=30, variables={"ALIBABA_DIALECT": "guide"})
    for process in listing(merchant, 2):
        ends_well(process)
    together = pages_read(merchant)
    merchant.sandbox.control("stats/reset", {})
    read_the_feeds(merchant)
    alone = pages_read(merchant)
    assert together == alone
    assert stored_feeds(merchant) == {key: ids for key, ids in expected_feeds(merchant).items() if ids}
    assert merchant.value("SELECT count(*) FROM ops.sweeps WHERE state <> 'complete'") == 0


def test_a_run_that_was_suspended_and_wakes_up_too_late_changes_nothing(deploy: Deploy) -> None:
    slow = {"ALIBABA_DIALECT": "guide", "ALIBABA_CONCURRENCY": "2"}
    merchant = deploy(products=200, drift=0, latency_ms=30, variables=slow)
    read_the_feeds(merchant)
    merchant.sandbox.control("stats/reset", {})
    [late] = listing(merchant)
    while pages_read(merchant) < 18:
        time.sleep(0.01)
    late.send_signal(signal.SIGSTOP)
    assert os.WIFSTOPPED(os.waitpid(late.pid, os.WUNTRACED)[1])
    mine = merchant.rows("SELECT sweep_id FROM ops.sweeps WHERE state = 'running'")
    assert mine, "it was stopped too late: the test shows nothing"
    with merchant.database.begin() as connection:
        connection.exec_driver_sql(LOSE_EVERY_CONNECTION)

    # what the late one saw is not so any more: a third of each feed is gone, and another run has seen that
    merchant.sandbox.control("faults", {"fault": "missing_third"})
    read_the_feeds(merchant, let_through=True)
    assert merchant.value("SELECT count(*) FROM catalog.listing_changes WHERE change = 'delisted'") > 30
    before = tables(merchant)
    sweeps = "SELECT sweep_id, fence, state, ended_at FROM ops.sweeps ORDER BY 1"
    ended = merchant.rows(sweeps)

    late.send_signal(signal.SIGCONT)
    said = ends_well(late)
    assert said.count("Another run has taken over the reading of feed") == len(mine)
    assert tables(merchant) == before
    assert merchant.rows(sweeps) == ended, "it wrote for a sweep that was not its own any more"
    assert said.count(" complete True") == len(mine), "what the other one found is what it found"
    lake = merchant.home / "lake"
    landed = {str(file.relative_to(lake)) for file in (lake / "raw").rglob("*.parquet")}
    assert landed == {row["path"] for row in merchant.rows("SELECT path FROM ops.raw_files")}


def test_a_run_that_holds_a_feed_and_shows_no_sign_of_life_is_not_waited_for_for_ever(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "HUNG", timedelta(seconds=1))
    merchant = deploy(products=60, drift=0)
    locks = Locks(Database(merchant.database.libpq_url))
    assert locks.take("feed us_standard")
    hung = open_sweep(merchant.database, "us_standard", "hung", 100)
    began = time.monotonic()
    summary = merchant.sync(SyncRequest(limit=0))
    assert time.monotonic() - began > 1
    locks.close()
    assert summary.problems == []
    taken = merchant.rows(f"SELECT fence, state FROM ops.sweeps WHERE sweep_id = '{hung.sweep_id}'")
    assert taken == [{"fence": 2, "state": "complete"}]


@pytest.mark.parametrize("damage", ["cut off", "empty", "a flipped bit"])
def test_landed_pages_that_are_damaged_are_set_aside_and_asked_for_again(merchant: Deployment, damage: str) -> None:
    leave_as_killed(merchant)
    whole = sorted((merchant.home / "lake" / "raw" / "listing").rglob("*.parquet"))
    data = whole[0].read_bytes()
    place = in_the_middle_of_an_answer(whole[0])
    flipped = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
    whole[0].write_bytes({"cut off": data[: len(data) // 2], "empty": b"", "a flipped bit": flipped}[damage])
    merchant.sandbox.control("stats/reset", {})
    read_the_feeds(merchant)
    assert whole[0].with_name(f"{whole[0].name}.torn").exists()
    assert not whole[0].exists()
    assert 0 < pages_read(merchant) < 5, "the pages of that file, and no other"
    assert stored_feeds(merchant) == {key: ids for key, ids in expected_feeds(merchant).items() if ids}


def test_landed_pages_that_are_whole_are_not_asked_for_again(merchant: Deployment) -> None:
    """The twin of the test above: it must be the damage that costs calls."""
    leave_as_killed(merchant)
    merchant.sandbox.control("stats/reset", {})
    read_the_feeds(merchant)
    assert pages_read(merchant) == 0


@pytest.fixture
def merchant(deploy: Deploy) -> Deployment:
    """Whose feeds were read once, of one or two pages each."""
    installed = deploy(products=60, drift=0, variables={"ALIBABA_DIALECT": "guide"})
    read_the_feeds(installed)
    return installed


def in_the_middle_of_an_answer(file: Path) -> int:
    """A place in a raw file that says what the gateway said."""
    group = pq.read_metadata(file).row_group(0)
    [body] = [c for c in map(group.column, range(group.num_columns)) if c.path_in_schema == "body"]
    return int(body.data_page_offset + body.total_compressed_size // 2)


def leave_as_killed(merchant: Deployment) -> None:
    """When all pages were landed and no sweep was merged."""
    with merchant.database.begin() as connection:
        connection.exec_driver_sql("UPDATE ops.sweeps SET state = 'running', ended_at = NULL")
        connection.exec_driver_sql("TRUNCATE catalog.feed_products, catalog.listing_changes, ops.syncs")
