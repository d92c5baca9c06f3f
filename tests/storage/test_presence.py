"""Who is at work is seen by others: as long as it goes, through a restart of Postgres, and no longer."""

import subprocess
import sys
import time
from collections.abc import Callable

from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.storage.server.presence import is_present, present

HOLD = """
import sys, time
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.storage.server.presence import present
with present(Database(sys.argv[1]), "a run"):
    print("here", flush=True)
    time.sleep(600)
"""


def becomes(expected: bool, seen: Callable[[], bool]) -> bool:
    """Whether it is so within ten seconds."""
    give_up = time.monotonic() + 60
    while seen() is not expected and time.monotonic() < give_up:
        time.sleep(0.05)
    return seen() is expected


def cut_off(database: Database) -> int:
    """End every session that holds an advisory lock, as a restart of Postgres does; how many."""
    query = """
        SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_locks
        WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    """
    with database.begin() as connection:
        return int(connection.exec_driver_sql(query).scalar_one())


def test_who_is_inside_is_seen_and_who_left_is_not(database: Database) -> None:
    assert not is_present(database, "a run")
    with present(database, "a run"), present(database, "a run"), present(database, "another"):
        assert is_present(database, "a run")
        assert is_present(database, "another")
        assert not is_present(database, "a third")
    assert becomes(False, lambda: is_present(database, "a run"))
    assert becomes(False, lambda: is_present(database, "another"))


def test_names_are_told_apart_whatever_their_hash(database: Database) -> None:
    names = [f"run {n}" for n in range(20)]  # of which some hash to a negative number
    with database.begin() as connection:
        hashes = [connection.exec_driver_sql(f"SELECT hashtext('{name}')").scalar_one() for name in names]
    assert min(hashes) < 0 < max(hashes)
    for name in names:
        assert not is_present(database, name)
        with present(database, name):
            assert is_present(database, name)


def test_the_same_name_in_another_database_is_another(make_database: Callable[..., Database]) -> None:
    mine, other = make_database(), make_database()
    with present(mine, "a run"):
        assert not is_present(other, "a run")


def test_who_is_killed_is_gone_at_once(database: Database) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, database.libpq_url], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        assert is_present(database, "a run")
        process.kill()
        process.wait()
    assert becomes(False, lambda: is_present(database, "a run"))


def test_whose_connection_is_cut_off_is_seen_again_soon(database: Database) -> None:
    with present(database, "a run"):
        for _ in range(2):
            assert cut_off(database) == 1
            assert becomes(True, lambda: is_present(database, "a run"))
    assert becomes(False, lambda: is_present(database, "a run"))
