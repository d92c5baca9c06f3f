"""Which Alibaba.com is read: the one that `dropship up` announced, or one of its own."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dropship_pipeline.problem import Problem
from dropship_pipeline.sandbox.announcement import Announcement
from dropship_pipeline.sandbox.launch import Running
from dropship_pipeline.settings import load_settings
from dropship_pipeline.sync import place
from dropship_pipeline.sync.place import find_announced, find_place

StartSandbox = Callable[..., Running]


def announce(home: Path, sandbox: Running, pid: int | None = None) -> Announcement:
    path = home / place.ANNOUNCEMENT
    path.parent.mkdir(exist_ok=True)
    announcement = Announcement(pid or sandbox.process.pid, sandbox.base_url, sandbox.env)
    announcement.write(path)
    return announcement


@pytest.fixture
def dead() -> int:
    """The number of a process that is gone."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_an_announced_sandbox_is_read_by_everybody_and_counts_as_simulated(
    start_sandbox: StartSandbox, tmp_path: Path
) -> None:
    sandbox = start_sandbox()
    announce(tmp_path, sandbox)
    with find_place(load_settings({"DROPSHIP_HOME": str(tmp_path)})) as found:
        assert found.base_url == sandbox.base_url
        assert found.origin == "simulated"
        assert found.account == "simulated"
        assert found.access_token is not None
        assert found.access_token.get_secret_value() == sandbox.env["ALIBABA_ACCESS_TOKEN"]
    assert sandbox.control("health")["status"] == "up"


def test_who_has_credentials_reads_the_real_one_whatever_is_announced(
    start_sandbox: StartSandbox, tmp_path: Path
) -> None:
    announce(tmp_path, start_sandbox())
    real = {"DROPSHIP_HOME": str(tmp_path), "ALIBABA_APP_KEY": "key", "ALIBABA_APP_SECRET": "secret"}
    with find_place(load_settings(real)) as found:
        assert found.base_url == "https://openapi-api.alibaba.com/rest"
        assert not found.simulated


def test_an_announcement_is_for_its_owner_only(start_sandbox: StartSandbox, tmp_path: Path) -> None:
    announcement = announce(tmp_path, start_sandbox())
    assert (tmp_path / place.ANNOUNCEMENT).stat().st_mode & 0o777 == 0o600
    assert announcement.env["ALIBABA_APP_SECRET"] not in repr(announcement)


@pytest.mark.parametrize("stale", ["a killed one", "a number that another process has now", "half a file"])
def test_a_stale_announcement_is_passed_over(
    start_sandbox: StartSandbox, tmp_path: Path, dead: int, stale: str
) -> None:
    sandbox = start_sandbox()
    announce(tmp_path, sandbox, {"a killed one": dead}.get(stale, os.getpid()))
    if stale == "half a file":
        (tmp_path / place.ANNOUNCEMENT).write_text('{"pid": 1')
    if stale != "a killed one":
        sandbox.stop()
    assert find_announced(tmp_path) is None
    with find_place(load_settings({"DROPSHIP_HOME": str(tmp_path)})) as found:
        assert found.base_url != sandbox.base_url
        assert found.simulated


def test_one_that_was_killed_is_waited_for_while_up_runs_and_named_if_it_stays_away(
    start_sandbox: StartSandbox, tmp_path: Path, dead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = start_sandbox()
    announce(tmp_path, sandbox, dead)
    with (tmp_path / place.UP_LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        monkeypatch.setattr(place, "COMES_BACK_WITHIN_S", 0.3)
        with pytest.raises(Problem, match=r"`dropship up` of .* does not answer"):
            find_announced(tmp_path)
        monkeypatch.setattr(place.time, "sleep", lambda _: announce(tmp_path, sandbox))
        found = find_announced(tmp_path)
        assert found is not None
        assert found.base_url == sandbox.base_url


def test_a_sandbox_of_the_command_line_announces_itself_until_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.json"
    command = ["sandbox", "--port", "0", "--products", "20", "--orders", "0", "--announce", str(path)]
    with subprocess.Popen(
        [sys.executable, "-m", "dropship_pipeline.cli", *command], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        told = json.loads(path.read_text())
        assert told["pid"] == process.pid
        assert told["base_url"] in said
        assert told["env"]["ALIBABA_APP_SECRET"] not in said
        process.terminate()
        process.wait(60)
    assert not path.exists()
