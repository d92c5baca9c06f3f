"""Locks by name: one holder at a time, given back however that ends, and never taken for held when they were lost."""

import time
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

import pytest

from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.lake.place import Draft, Lake
from dropship_pipeline.storage.lake.snapshots import latest_snapshot, publish
from dropship_pipeline.storage.server.database import Database, DatabaseDown
from dropship_pipeline.storage.server.locks import Held, hold

BUSY = Problem("It is held", "Wait")
LOST = """
    SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_locks
    WHERE locktype = 'advisory' AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def lock(database: Database, wait: float = 0.0) -> AbstractContextManager[Held]:
    return hold(database, "work", timedelta(seconds=wait), BUSY)


def lose_every_lock(database: Database) -> None:
    """As when a proxy or a network drops connections that nothing is said over."""
    with database.begin() as connection:
        assert connection.exec_driver_sql(LOST).scalar() == 1


def test_one_at_a_time_and_the_next_when_it_is_given_back(database: Database) -> None:
    with lock(database) as held:
        held.confirm()
        began = time.monotonic()
        with pytest.raises(Problem, match="It is held"), lock(database, wait=0.3):
            pass
        assert time.monotonic() - began > 0.3
    with lock(database):
        pass


def test_a_holder_learns_that_the_lock_was_lost(database: Database) -> None:
    with pytest.raises(DatabaseDown), lock(database) as held:  # noqa: PT012  the last of it raises
        lose_every_lock(database)
        with lock(database):
            held.confirm()


class LakeOfALostLock(Lake):
    """Between the beginning of a publish and its end the lock is lost, and somebody else takes it."""

    database: Database

    def new_folder(self, path: str) -> AbstractContextManager[Draft]:
        lose_every_lock(self.database)
        return super().new_folder(path)


def test_a_publisher_that_is_not_alone_any_more_leaves_the_newest_snapshot_alone(
    database: Database, tmp_path: Path
) -> None:
    lake = LakeOfALostLock(str(tmp_path / "lake"))
    lake.database = database
    newest = publish(database, Lake(lake.location), "before", keep=7).path
    with pytest.raises(DatabaseDown):
        publish(database, lake, "run", keep=7)
    assert latest_snapshot(lake) == newest
    assert len(lake.folders("snapshots")) == 1
    assert publish(database, Lake(lake.location), "after", keep=7).path == latest_snapshot(lake)
