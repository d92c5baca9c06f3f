"""Merging beside: the next hand-over is read meanwhile; whatever ends the stage, a merge is whole or never was."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from deployment import Deployment

from dropship_pipeline.catalog.describe import DescriptionRows
from dropship_pipeline.catalog.ledger import Ledger
from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.catalog.merge import MergeCounts, Merger
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.storage.server.locks import Lock, take
from dropship_pipeline.storage.server.staging import Stage
from dropship_pipeline.sync.request import SyncRequest
from dropship_pipeline.sync.stages.merging import Merge, Merging, Normalised

WITHIN = 15.0  # seconds: of a wait that has no end
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def merger(database: Database) -> Iterator[Merger]:
    with Merger(database) as merger:
        yield merger


@pytest.fixture
def held(database: Database) -> Iterator[Stage]:
    """Somebody else, who holds the lock that a merge needs. COMMIT lets go of it."""
    stage = Stage(database)
    stage.run("BEGIN")
    stage.run(take(Lock.OFFER))
    yield stage
    stage.close()


def refused(product_id: str, into: Merge = Merger.merge_descriptions) -> Normalised:
    """One refusal, to be merged."""
    ledger = Ledger("description", "raw/description/1.parquet")
    ledger.refuse(product_id, NOON, "4015")
    return Normalised(DescriptionRows().tables(), [ledger], into, [])


def known(database: Database) -> list[str]:
    with database.begin() as connection:
        return list(connection.exec_driver_sql("SELECT product_id FROM ops.fetches ORDER BY 1").scalars())


def waiting_for_a_lock(database: Database) -> bool:
    with database.begin() as connection:
        query = """
            SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
        """
        return bool(connection.exec_driver_sql(query).scalar_one())


def until(happened: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < give_up
        time.sleep(0.02)


def test_all_that_was_handed_in_is_merged_and_told_in_order(database: Database, merger: Merger) -> None:
    told: list[Ledger] = []
    batches = [refused(f"P{number}") for number in range(5)]
    with Merging(merger, lambda _, ledgers: told.extend(ledgers)) as merging:
        for batch in batches:
            merging.start(batch)
        assert len(told) >= 2, "three are ahead at most"
    assert told == [batch.ledgers[0] for batch in batches]
    assert known(database) == ["P0", "P1", "P2", "P3", "P4"]


def test_what_waits_is_merged_together(database: Database, merger: Merger, held: Stage) -> None:
    told: list[list[Ledger]] = []
    batches = [refused(f"P{number}") for number in range(3)]
    with Merging(merger, lambda _, ledgers: told.append(list(ledgers))) as merging:
        merging.start(batches[0])
        until(lambda: waiting_for_a_lock(database))
        merging.start(batches[1])
        merging.start(batches[2])
        held.run("COMMIT")
    assert told == [[batches[0].ledgers[0]], [batches[1].ledgers[0], batches[2].ledgers[0]]]
    assert known(database) == ["P0", "P1", "P2"]


def test_what_is_large_is_merged_by_itself(
    monkeypatch: pytest.MonkeyPatch, database: Database, merger: Merger, held: Stage
) -> None:
    monkeypatch.setattr("dropship_pipeline.sync.stages.merging._TOGETHER", -1)
    told: list[int] = []
    with Merging(merger, lambda _, ledgers: told.append(len(ledgers))) as merging:
        merging.start(refused("P0"))
        until(lambda: waiting_for_a_lock(database))
        merging.start(refused("P1"))
        merging.start(refused("P2"))
        held.run("COMMIT")
    assert told == [1, 1, 1]


def test_what_fails_is_raised_and_nothing_is_merged_after_it(database: Database, merger: Merger) -> None:
    go_on = threading.Event()

    def fail(*_: object) -> MergeCounts:
        go_on.wait()
        raise Problem("The disk is full", "Free some of it")

    told: list[Ledger] = []

    def merge_both() -> None:
        with Merging(merger, lambda _, ledgers: told.extend(ledgers)) as merging:
            merging.start(refused("P1", into=fail))
            merging.start(refused("P2"))
            go_on.set()

    with pytest.raises(Problem, match="The disk is full"):
        merge_both()
    assert told == []
    assert known(database) == []


def test_an_error_beside_it_lets_it_come_to_its_end(database: Database, merger: Merger, held: Stage) -> None:
    told: list[Ledger] = []
    batch = refused("P1")

    def fail_meanwhile() -> None:
        with Merging(merger, lambda _, ledgers: told.extend(ledgers)) as merging:
            merging.start(batch)
            until(lambda: waiting_for_a_lock(database))
            threading.Timer(0.3, lambda: held.run("COMMIT")).start()
            raise Problem("The gateway is gone", "Try again")

    with pytest.raises(Problem, match="The gateway is gone"):
        fail_meanwhile()
    assert told == [batch.ledgers[0]]
    assert known(database) == ["P1"]


@pytest.mark.usefixtures("heeds_ctrl_c", "held")
@pytest.mark.parametrize("where", ["beside", "behind", "at the end"])
def test_ctrl_c_ends_it_at_once_and_nothing_of_it_stands(database: Database, merger: Merger, where: str) -> None:
    sent: list[float] = []

    def press() -> None:
        until(lambda: waiting_for_a_lock(database))
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    def merge_and_wait() -> None:
        with Merging(merger, lambda *_: None) as merging:
            merging.start(refused("P1"))
            pressing.start()
            if where == "beside":
                time.sleep(4 * WITHIN)
            elif where == "behind":
                for number in range(2, 5):
                    merging.start(refused(f"P{number}"))

    pressing = threading.Thread(target=press)
    with pytest.raises(KeyboardInterrupt):
        merge_and_wait()
    pressing.join()
    assert time.monotonic() - sent[0] < WITHIN
    assert not waiting_for_a_lock(database)
    assert known(database) == []


def test_while_one_waits_the_next_is_read_and_landed(deploy: Callable[..., Deployment]) -> None:
    merchant = deploy(products=1_500, drift=0)
    merchant.sync(SyncRequest(limit=0))
    landed = merchant.home / "lake" / "raw" / "description"
    holder = Stage(merchant.database)
    holder.run("BEGIN")
    holder.run("LOCK TABLE catalog.skus IN EXCLUSIVE MODE")
    syncing = threading.Thread(target=merchant.sync)
    syncing.start()
    try:
        until(lambda: waiting_for_a_lock(merchant.database) and len(list(landed.rglob("*.parquet"))) >= 3)
        assert merchant.value("SELECT count(*) FROM catalog.products") == 0
    finally:
        holder.run("COMMIT")
        syncing.join()
        holder.close()
    assert merchant.value("SELECT count(*) FROM catalog.products") > 1_000
