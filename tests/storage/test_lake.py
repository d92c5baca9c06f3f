"""The lake as a folder: what is written is there whole or not at all, and what fails names the path and the remedy."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.lake.place import Lake, LakeProblem

MEGABYTE = 1_000_000


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def everything(lake: Lake) -> list[str]:
    """Every name under the lake's folder, hidden ones too."""
    return sorted(path.name for path in Path(lake.location).rglob("*"))


def test_a_lake_that_holds_nothing_is_no_error(lake: Lake) -> None:
    assert lake.files("raw") == []
    assert lake.folders("") == []
    assert not lake.exists("raw/x")
    lake.delete("raw/x")
    lake.delete_folder("raw")
    assert lake.unfinished("raw") == []
    assert not Path(lake.location).exists()


def test_what_is_written_is_listed_and_read(lake: Lake) -> None:
    lake.write("raw/b/2.bin", b"two")
    lake.write("raw/a/1.bin", b"one")
    assert lake.files("raw") == ["raw/a/1.bin", "raw/b/2.bin"]
    assert lake.folders("raw") == ["raw/a", "raw/b"]
    assert lake.read("raw/a/1.bin").to_pybytes() == b"one"
    with lake.open_input("raw/b/2.bin") as source:
        assert source.read(2) == b"tw"
    lake.rename("raw/a/1.bin", "raw/a/1.bin.torn")
    lake.delete("raw/b/2.bin")
    assert lake.files("raw") == ["raw/a/1.bin.torn"]


def make_folder(lake: Lake, files: dict[str, Any]) -> None:
    with lake.new_folder("snapshots/one") as draft:
        for path, content in files.items():
            with draft.open_output(path) as sink:
                sink.write(content)


@pytest.mark.parametrize("spelling", ["{0}/lake", "file://{0}/lake", "{0}/lake/"])
def test_every_spelling_of_a_folder_is_the_same_lake(tmp_path: Path, spelling: str) -> None:
    Lake(str(tmp_path / "lake")).write("x", b"1")
    lake = Lake(spelling.format(tmp_path))
    assert lake.is_local
    assert lake.files("") == ["x"]
    assert lake.at("x") == f"{tmp_path}/lake/x"


def test_a_relative_folder_is_of_the_directory_in_which_it_was_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lake = Lake("lake")
    monkeypatch.chdir("/")
    lake.write("x", b"1")
    assert (tmp_path / "lake" / "x").exists()


def test_a_missing_file_is_named(lake: Lake) -> None:
    with pytest.raises(LakeProblem, match=r"lake/raw/gone\.parquet is missing"):
        lake.read("raw/gone.parquet")


def test_a_file_where_a_folder_is_wanted_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("in the way")
    with pytest.raises(LakeProblem, match=r"lake/raw/x .*Move that away, or set DROPSHIP_LAKE_URL"):
        Lake(str(tmp_path / "lake")).write("raw/x", b"1")


def test_a_folder_where_a_file_is_wanted_leaves_nothing_behind(lake: Lake) -> None:
    lake.write("raw/x/y", b"1")
    with pytest.raises(LakeProblem, match="raw/x is a folder"):
        lake.write("raw/x", b"1")
    assert everything(lake) == ["raw", "x", "y"]


def test_a_disk_that_may_only_be_read_is_named() -> None:
    # whoever runs the tests, nobody may make files there
    with pytest.raises(LakeProblem, match=r"/proc/dropship/raw/x .*DROPSHIP_LAKE_URL"):
        Lake("/proc/dropship").write("raw/x", b"1")


def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte, where this user may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=False, capture_output=True
    )
    yield disk
    if mounted.returncode == 0:
        subprocess.run(["umount", str(disk)], check=True)


small_disk = pytest.fixture(full_disk)


@pytest.fixture
def little_room(small_disk: Path) -> Iterator[Path]:
    """A folder that takes no file of two megabytes: a small disk, or else this process's own limit."""
    if os.path.ismount(small_disk):
        yield small_disk
        return
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MEGABYTE, limits[1]))
    yield small_disk
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_is_named_and_nothing_is_left_behind(little_room: Path) -> None:
    lake = Lake(str(little_room / "lake"))
    lake.write("raw/before", b"1")
    with pytest.raises(LakeProblem, match=r"raw/big does not fit: .*then run the command again"):
        lake.write("raw/big", bytes(2 * MEGABYTE))
    assert everything(lake) == ["before", "raw"]
    lake.write("raw/after", b"1")


def test_a_folder_that_does_not_fit_leaves_nothing_behind(little_room: Path) -> None:
    lake = Lake(str(little_room / "lake"))
    with pytest.raises(LakeProblem, match="b/table does not fit"):
        make_folder(lake, {"a/table": b"1", "b/table": bytes(2 * MEGABYTE)})
    assert everything(lake) == ["snapshots"]


def test_a_process_with_a_limit_on_files_is_told_of_it(tmp_path: Path) -> None:
    code = (
        "import resource, sys; from dropship_pipeline.storage.lake.place import Lake;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000));"
        "Lake(sys.argv[1]).write('big', bytes(5000))"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert "big does not fit: the limit on the size of a file is reached" in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_new_folder_is_there_at_the_end_and_not_before(lake: Lake) -> None:
    with lake.new_folder("snapshots/one") as draft:
        with draft.open_output("catalog/products.parquet") as sink:
            sink.write(b"1")
        assert lake.folders("snapshots") == []
    assert lake.files("snapshots") == ["snapshots/one/catalog/products.parquet"]


def test_a_new_folder_is_not_there_when_the_inside_fails(lake: Lake) -> None:
    with pytest.raises(TypeError):
        make_folder(lake, {"a": b"1", "b": None})
    assert everything(lake) == ["snapshots"]


def test_a_folder_that_is_there_already_is_not_replaced(lake: Lake) -> None:
    lake.write("snapshots/one/a", b"old")
    with pytest.raises(LakeProblem, match="snapshots/one"):
        make_folder(lake, {"a": b"new"})
    assert lake.read("snapshots/one/a").to_pybytes() == b"old"
    assert everything(lake) == ["a", "one", "snapshots"]


def test_what_a_killed_process_left_is_not_listed_and_can_be_removed(lake: Lake) -> None:
    code = (
        "import sys, time; from dropship_pipeline.storage.lake.place import Lake; lake = Lake(sys.argv[1])\n"
        "with lake.new_folder('snapshots/one') as draft, draft.open_output('a') as sink:\n"
        "    sink.write(b'1'); print('writing', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, lake.location], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        os.kill(process.pid, signal.SIGKILL)
    assert len(everything(lake)) == 3
    assert lake.files("snapshots") == lake.folders("snapshots") == []
    for path in lake.unfinished("snapshots"):
        lake.discard(path)
    assert everything(lake) == ["snapshots"]


def test_a_reader_keeps_its_file_when_the_folder_is_deleted(lake: Lake) -> None:
    lake.write("snapshots/one/a", b"still here")
    with lake.open_input("snapshots/one/a") as source:
        lake.delete_folder("snapshots/one")
        assert source.read() == b"still here"
    assert everything(lake) == ["snapshots"]


def test_a_pointer_always_points_while_it_is_moved(lake: Lake) -> None:
    lake.write("one/x", b"1")
    lake.write("two/x", b"1")
    lake.point("latest", "one")
    code = (
        "import sys; from dropship_pipeline.storage.lake.place import Lake\n"
        "lake = Lake(sys.argv[1]); print('go', flush=True)\n"
        "for turn in range(2000): lake.point('latest', ('one', 'two')[turn % 2])"
    )
    with subprocess.Popen([sys.executable, "-c", code, lake.location], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        looked = 0
        end = time.monotonic() + 20
        while process.poll() is None and time.monotonic() < end:
            assert (Path(lake.location) / "latest" / "x").exists()
            looked += 1
    assert process.returncode == 0
    assert looked > 100
    assert not [name for name in everything(lake) if name.startswith(".")]


def test_a_folder_in_the_place_of_the_pointer_is_named(lake: Lake) -> None:
    lake.write("latest/mine", b"1")
    lake.write("one/x", b"1")
    with pytest.raises(LakeProblem, match="latest is a folder"):
        lake.point("latest", "one")
    assert everything(lake) == ["latest", "mine", "one", "x"]


@pytest.mark.parametrize("url", ["ftp://host/x", "gs://bucket/x", "s3://", "nonsense://a b"])
def test_an_address_that_is_no_lake_is_refused_with_the_remedy(url: str) -> None:
    with pytest.raises(LakeProblem, match="DROPSHIP_LAKE_URL"):
        Lake(url)


def test_the_keys_in_an_address_are_never_shown() -> None:
    url = "s3://AKIAKEY:s3cr3tkey@bucket/prefix?region=us-east-1&scheme=http&endpoint_override=localhost:1"
    lake = Lake(url)
    assert lake.location == "s3://bucket/prefix"
    with pytest.raises(Problem) as caught:
        Lake(url.replace("scheme=http", "scheme=http&nonsense=1"))
    for shown in (repr(lake), lake.at("x"), str(caught.value)):
        assert "s3cr3tkey" not in shown
        assert "AKIAKEY" not in shown
