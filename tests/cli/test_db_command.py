"""`dropship db`: psql on the tables, an address that works, an embedded server that stays as long as it is used."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import psycopg2
import pytest
from deployment import Deployment, clean_environment
from sqlalchemy.engine import make_url
from typed import Type

from dropship_pipeline.storage.server.database import Database

pytestmark = pytest.mark.xdist_group("db-command")  # what is set up once is set up once

DROPSHIP = [sys.executable, "-m", "dropship_pipeline.cli"]


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A home with an embedded Postgres of its own that has its tables and does not run."""
    with tempfile.TemporaryDirectory() as folder:  # below /tmp itself, for the server's user to enter
        done = as_a_process(Path(folder), "db", "upgrade")
        assert done.returncode == 0, done.stderr
        yield Path(folder)
        for process in holders(Path(folder)):
            process.kill()
            process.wait()


def as_a_process(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*DROPSHIP, *arguments],
        env={**clean_environment(), "DROPSHIP_HOME": str(home)},
        capture_output=True, text=True, timeout=60, check=False, cwd=home,
    )  # fmt: skip


def holders(home: Path) -> list[psutil.Process]:
    """The processes that keep the server of this home running."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if "serve" in (process.info["cmdline"] or ()) and process.environ().get("DROPSHIP_HOME") == str(home)
    ]


def runs(home: Path) -> bool:
    return (home / "postgres" / "postmaster.pid").exists()


def ends_within(seconds: float, happens: Callable[[], bool]) -> bool:
    give_up = time.monotonic() + seconds
    while not happens():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.1)
    return True


def test_the_address_works_after_the_command_that_printed_it(home: Path) -> None:
    done = as_a_process(home, "db", "url")
    assert done.returncode == 0, done.stderr
    [address] = done.stdout.splitlines()
    with closing(psycopg2.connect(address)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM catalog.products")
        assert cursor.fetchone() == (0,)
    assert as_a_process(home, "db", "url").stdout == done.stdout
    assert as_a_process(home, "status").returncode == 0
    [holder] = holders(home)
    assert holder.memory_info().rss < 100_000_000
    holder.send_signal(signal.SIGTERM)
    holder.wait(20)
    assert not runs(home)


def test_a_server_that_nobody_uses_stops_by_itself(home: Path) -> None:
    serving = subprocess.Popen(
        [*DROPSHIP, "db", "serve", "--idle", "2s"],
        env={**clean_environment(), "DROPSHIP_HOME": str(home)}, cwd=home,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert serving.stdout is not None
    address = serving.stdout.readline().strip()
    with closing(psycopg2.connect(address)) as connection:
        time.sleep(3.5)
        assert serving.poll() is None
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    assert serving.wait(20) == 0
    serving.stdout.close()
    assert not runs(home)


def test_ctrl_c_is_the_way_to_end_serving(home: Path) -> None:
    program = (
        "import signal; from dropship_pipeline.cli import main; "
        "signal.signal(signal.SIGINT, signal.default_int_handler); main()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, "db", "serve"],
        env={**clean_environment(), "DROPSHIP_HOME": str(home)}, cwd=home,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as serving:  # fmt: skip
        assert serving.stdout is not None
        assert serving.stdout.readline().startswith("postgresql://")
        time.sleep(0.3)
        os.kill(serving.pid, signal.SIGINT)
        _, said = serving.communicate(timeout=20)
        assert serving.returncode == 0
        assert "Traceback" not in said
    assert not runs(home)


def test_a_server_that_is_gone_is_said(home: Path) -> None:
    with subprocess.Popen(
        [*DROPSHIP, "db", "serve", "--idle", "1s"],
        env={**clean_environment(), "DROPSHIP_HOME": str(home)}, cwd=home,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as serving:  # fmt: skip
        assert serving.stdout is not None
        assert serving.stdout.readline().startswith("postgresql://")
        postmaster = psutil.Process(int((home / "postgres" / "postmaster.pid").read_text().split()[0]))
        postmaster.send_signal(signal.SIGINT)
        postmaster.wait(20)
        _, said = serving.communicate(timeout=20)
        assert serving.returncode == 1
        assert "dropship db serve" in said.splitlines()[-1]


def test_psql_comes_along_and_opens_the_tables(synced: Deployment, tmp_path: Path) -> None:
    done = subprocess.run(
        [*DROPSHIP, "db", "psql", "-At", "-c", "SELECT count(*) FROM catalog.products", "-c", r"\conninfo"],
        env={**clean_environment(), **synced.environment},
        capture_output=True, text=True, timeout=60, check=True, cwd=tmp_path,
    )  # fmt: skip
    assert done.stdout.splitlines()[0] == str(synced.value("SELECT count(*) FROM catalog.products"))


def test_psql_s_status_is_the_command_s_and_the_password_is_not_on_its_command_line(
    synced: Deployment, tmp_path: Path
) -> None:
    url = make_url(synced.database.libpq_url).set(password="pass-word").render_as_string(hide_password=False)
    variables = {**clean_environment(), **synced.environment, "DROPSHIP_DATABASE_URL": url}
    shown = subprocess.run(
        [*DROPSHIP, "db", "psql", "-c", r"\! tr '\0' ' ' < /proc/$PPID/cmdline; echo; env | grep PGPASSWORD"],
        env=variables, capture_output=True, text=True, timeout=60, check=True, cwd=tmp_path,
    ).stdout.splitlines()  # fmt: skip
    assert "psql --dbname" in shown[0]
    assert "pass-word" not in shown[0]
    assert shown[1] == "PGPASSWORD=pass-word"
    failed = subprocess.run(
        [*DROPSHIP, "db", "psql", "-v", "ON_ERROR_STOP=1", "-f", "/nowhere.sql"],
        env=variables, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert failed.returncode == 1
    assert "/nowhere.sql" in failed.stderr


def test_the_address_of_a_server_of_ones_own_is_printed_even_while_it_is_down(type_command: Type) -> None:
    typed = type_command(["db", "url"], {"DROPSHIP_DATABASE_URL": "postgres://me:pass-word@127.0.0.1:9/shop"})
    assert typed.status == 0
    assert typed.out == "postgresql://me:pass-word@127.0.0.1:9/shop\n"


def test_a_server_of_ones_own_is_not_served(type_command: Type) -> None:
    typed = type_command(["db", "serve"], {"DROPSHIP_DATABASE_URL": "postgresql://127.0.0.1:9/shop"})
    assert typed.status == 1
    assert "DROPSHIP_DATABASE_URL" in typed.complaint


def test_an_upgrade_says_what_it_did_and_that_there_was_nothing_to_do(
    type_command: Type, make_database: Callable[..., Database]
) -> None:
    variables = {"DROPSHIP_DATABASE_URL": make_database("template0").libpq_url}
    assert "from revision none to" in type_command(["db", "upgrade"], variables).out
    assert "Nothing to do" in type_command(["db", "upgrade"], variables).out


def test_tables_of_an_older_and_of_a_newer_version_are_told_apart(
    type_command: Type, make_database: Callable[..., Database]
) -> None:
    database = make_database()
    variables = {"DROPSHIP_DATABASE_URL": database.libpq_url}
    for revision, remedy in (("0000", "dropship db upgrade"), ("9999", "Update dropship_pipeline")):
        with database.begin() as connection:
            connection.exec_driver_sql(f"UPDATE ops.alembic_version SET version_num = '{revision}'")
        for arguments in (["status"], ["sql", "SELECT 1"], ["publish"]):
            typed = type_command(arguments, variables)
            assert typed.status == 1
            assert remedy in typed.complaint
