"""The embedded server: shared, restarted after any death, and explained when it cannot start."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from dropship_pipeline.storage.server import embedded
from dropship_pipeline.storage.server.database import Database

USER = """
import sys, time
from pathlib import Path
from dropship_pipeline.storage.server import embedded
print(embedded.start(Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


def use(home: Path) -> subprocess.Popen[str]:
    """A process that uses the server of `home` until its stdin is closed."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", USER, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("postgresql://")
    return process


def let_go(process: subprocess.Popen[str]) -> None:
    process.communicate(timeout=30)


def postmaster(home: Path) -> int:
    return int((home / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])


def ask(home: Path, statement: str) -> object:
    database = Database(f"postgresql://postgres@/{embedded.DATABASE}?host={home / 'postgres'}")
    with database.autocommit() as connection:
        result = connection.exec_driver_sql(statement)
        answer = result.scalar() if result.returns_rows else None
    database.close()
    return answer


@pytest.fixture
def home() -> Iterator[Path]:
    """A short path, as a socket needs, and readable by the user that the server runs as."""
    import shutil
    import tempfile

    path = Path(tempfile.mkdtemp(prefix="dp-"))
    yield path / "home"
    shutil.rmtree(path)


def test_the_server_is_shared_and_stops_with_its_last_user_even_if_another_was_killed(home: Path) -> None:
    first, second, third = use(home), use(home), use(home)
    pid = postmaster(home)
    second.send_signal(signal.SIGKILL)
    second.communicate()
    let_go(third)
    assert ask(home, "SELECT 1") == 1
    let_go(first)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_the_data_and_the_settings_survive_a_restart_and_a_crash(home: Path) -> None:
    user = use(home)
    ask(home, "CREATE TABLE kept AS SELECT 42 AS it")
    let_go(user)
    user = use(home)
    assert ask(home, "SELECT it FROM kept") == 42
    assert ask(home, "SHOW jit") == "off"
    assert ask(home, "SHOW log_error_verbosity") == "terse"  # rows that were refused are in no log
    assert ask(home, "SELECT datlocale FROM pg_database WHERE datname = current_database()") == "C.UTF-8"
    os.kill(postmaster(home), signal.SIGKILL)
    user.kill()
    user.communicate()
    user = use(home)
    assert ask(home, "SELECT it FROM kept") == 42
    let_go(user)


def test_a_stale_note_whose_number_belongs_to_another_process_is_no_obstacle(home: Path) -> None:
    """A container that is restarted gives old numbers to new processes."""
    user = use(home)
    pid_file = home / "postgres" / "postmaster.pid"
    noted = pid_file.read_text()
    let_go(user)
    pid_file.write_text(noted.replace(noted.split("\n", 1)[0], str(os.getpid()), 1))
    user = use(home)
    assert ask(home, "SELECT 1") == 1
    let_go(user)


def test_a_data_directory_that_a_killed_process_left_half_made_is_made_again(home: Path) -> None:
    half = home / "postgres.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    user = use(home)
    assert ask(home, "SELECT 1") == 1
    let_go(user)


def test_two_first_users_at_once_get_one_server(home: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", USER, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    urls = {process.stdout.readline() for process in processes if process.stdout}
    assert len(urls) == 1
    for process in processes:
        let_go(process)


def test_starting_again_in_the_same_process_is_quick_and_gives_the_same_address(postgres_home: Path) -> None:
    first = embedded.start(postgres_home)

    def took() -> float:
        began = time.perf_counter()
        assert embedded.start(postgres_home) == first
        return time.perf_counter() - began

    assert min(took() for _ in range(10)) < 0.5


def test_a_server_that_cannot_start_says_why_and_what_to_do(home: Path) -> None:
    user = use(home)
    let_go(user)
    (home / "postgres" / "postgresql.auto.conf").write_text("shared_buffers = 'plenty'\n")
    began = time.monotonic()
    with pytest.raises(embedded.EmbeddedPostgresFailed, match=r"did not start: .*DROPSHIP_DATABASE_URL"):
        embedded.start(home)
    assert time.monotonic() - began < 30


def test_a_home_that_is_a_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(embedded.EmbeddedPostgresFailed, match=r"File exists|Not a directory"):
        embedded.start(tmp_path / "home")
