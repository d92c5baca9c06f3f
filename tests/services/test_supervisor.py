"""How a group of services is kept running and ended: with small services, which are real processes all the same."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from deployment import clean_environment

PROGRAM = Path(__file__).parent / "small_group.py"
STAYS = "import time; print('ready'); time.sleep(60)"
# catches the polite signal, and notes when it got it
NOTES = """
import signal, sys, time
def end(*_):
    with open('{folder}/ended', 'a') as file:
        file.write(NAME + ' ')
    print('alas, all others have gone')
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print('ready')
time.sleep(60)
"""
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready'); time.sleep(60)"
PARENT = (
    "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "
    "print('ready'); time.sleep(60)"
)


class Group:
    """A running group, and what it wrote."""

    def __init__(self, folder: Path, services: list[tuple[str, str, float]], **variables: str) -> None:
        self.folder = folder
        self.log = folder.parent / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(PROGRAM), str(folder), json.dumps(services)],
                stdout=log, stderr=log, cwd=folder.parent, start_new_session=True,
                env={**clean_environment(), **variables, "SMALL_GROUP": str(folder)},
            )  # fmt: skip

    @property
    def said(self) -> str:
        return self.log.read_text()

    def wait_until(self, happens: Callable[[], bool], seconds: float = 20.0) -> None:
        give_up = time.monotonic() + seconds
        while not happens():
            assert time.monotonic() < give_up, self.said
            time.sleep(0.02)

    def wait_for(self, pattern: str, seconds: float = 20.0) -> None:
        self.wait_until(lambda: re.search(pattern, self.said) is not None, seconds)

    def children(self) -> list[psutil.Process]:
        """The services, in the order of their start; the watcher is the first child."""
        return psutil.Process(self.process.pid).children()[1:]

    def living(self) -> list[psutil.Process]:
        """Every process of this group, by the mark that all inherit."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            marked = process.environ().get("SMALL_GROUP") == str(self.folder)
            return marked and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Group]]:
    """Runs a group of (name, program, seconds it may take to end)."""
    groups: list[Group] = []

    def run_one(*services: tuple[str, str, float], **variables: str) -> Group:
        groups.append(Group(tmp_path / "home", list(services), **variables))
        return groups[-1]

    yield run_one
    for group in groups:
        for process in group.living():
            process.kill()
        group.process.wait()


Run = Callable[..., Group]


def test_services_start_one_after_the_other_and_end_the_other_way_round(run: Run) -> None:
    late = "import time; time.sleep(0.4); " + STAYS
    notes = [(name, f"NAME = {name!r}\n{NOTES}", 5.0) for name in ("first", "second")]
    group = run(notes[0], ("late", late, 5.0), notes[1])
    group.wait_for("all started")
    order = [group.said.index(f"The {name} is ready") for name in ("first", "late", "second")]
    assert order == sorted(order)
    group.process.send_signal(signal.SIGINT)
    assert group.process.wait(30) == 0
    assert (group.folder / "ended").read_text() == "second first "
    assert "alas" not in group.said
    assert group.living() == []
    assert not (group.folder / "up").exists()


def test_the_last_words_of_one_that_was_ready_are_heard_and_not_those_of_one_cut_short_while_it_starts(
    run: Run,
) -> None:
    starting = NOTES.replace("ready", "starting")
    group = run(("heard", f"NAME = 'one'\n{NOTES}", 5.0), ("heard_too", f"NAME = 'two'\n{starting}", 5.0))
    group.wait_for("starting")
    group.process.send_signal(signal.SIGTERM)
    assert group.process.wait(30) == 0
    assert (group.folder / "ended").read_text() == "two one "
    assert re.findall(r"(\w+) +\| alas", group.said) == ["heard"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_closed_terminal_and_a_polite_kill_end_the_group_like_ctrl_c(run: Run, number: signal.Signals) -> None:
    signal.signal(number, signal.SIG_DFL)  # under nohup the tests themselves ignore a closed terminal, and so does it
    group = run(("one", STAYS, 5.0))
    group.wait_for("all started")
    group.process.send_signal(number)
    assert group.process.wait(30) == 0
    assert group.living() == []


def test_a_service_that_dies_is_started_again_and_the_others_go_on(run: Run) -> None:
    group = run(("one", STAYS, 5.0), ("two", STAYS, 5.0))
    group.wait_for("all started")
    one, two = group.children()
    one.kill()
    group.wait_for(r"The one ended \(killed by SIGKILL\) and is started again(.|\n)*The one is ready")
    assert two in group.children()
    assert len(group.children()) == 2


def test_one_that_dies_again_and_again_ends_the_group_with_a_line_that_names_it_and_its_last_words(run: Run) -> None:
    mortal = "import time; print('ready'); time.sleep(0.2); raise ValueError('no more paper')"
    group = run(("one", STAYS, 5.0), ("printer", mortal, 5.0))
    assert group.process.wait(30) == 1
    [line] = [line for line in group.said.splitlines() if line.startswith("The printer ended 4 times within a minute")]
    assert "ValueError: no more paper" in line
    assert group.living() == []


def test_one_that_does_not_start_is_named_with_the_cause_and_nothing_stays(run: Run) -> None:
    broken = (
        "try:\n    {}['key']\nexcept KeyError as error:\n    raise RuntimeError('a long way from the cause') from error"
    )
    group = run(("one", STAYS, 5.0), ("broken", broken, 5.0))
    assert group.process.wait(30) == 1
    assert "The broken did not start: exit status 1: KeyError: 'key'" in group.said
    assert group.living() == []


def test_one_that_is_never_ready_is_named(run: Run) -> None:
    group = run(("sleeper", "import time; print('soon'); time.sleep(60)", 5.0))
    assert group.process.wait(30) == 1
    assert "The sleeper was not ready within 1.5 seconds: soon" in group.said
    assert group.living() == []


def test_one_that_is_deaf_is_killed_in_time(run: Run) -> None:
    group = run(("deaf", DEAF, 0.5))
    group.wait_for("all started")
    group.process.send_signal(signal.SIGTERM)
    assert group.process.wait(30) == 0
    assert "The deaf has not ended within 0.5 seconds and is killed" in group.said
    assert group.living() == []


def test_a_second_ctrl_c_ends_everything_at_once(run: Run) -> None:
    group = run(("deaf", DEAF, 50.0), ("deaf too", DEAF, 50.0))
    group.wait_for("all started")
    group.process.send_signal(signal.SIGINT)
    group.wait_for("Stopping: Ctrl-C")
    time.sleep(0.3)
    assert group.process.poll() is None
    group.process.send_signal(signal.SIGINT)
    assert group.process.wait(5) == 0
    assert group.living() == []


def test_what_a_killed_service_started_goes_on_until_the_group_ends(run: Run) -> None:
    """A run goes on when its code server is killed: Dagster would not notice that it was gone."""
    group = run(("parent", PARENT, 5.0))
    group.wait_for("all started")
    [parent] = group.children()
    [child] = parent.children()
    parent.kill()
    group.wait_for("The parent is ready(.|\n)*The parent is ready")
    assert child.is_running()
    group.process.send_signal(signal.SIGINT)
    assert group.process.wait(30) == 0
    assert group.living() == []


@pytest.mark.parametrize("when", ["at first", "after its watcher was killed"])
def test_a_group_whose_supervisor_is_killed_ends_by_itself(run: Run, when: str) -> None:
    group = run(("deaf", DEAF, 0.3), ("parent", PARENT, 5.0))
    group.wait_for("all started")
    assert len(group.living()) == 5
    if when != "at first":
        watcher = psutil.Process(group.process.pid).children()[0]
        watcher.kill()
        group.wait_until(lambda: len(group.living()) == 5 and watcher not in group.living())
    group.process.kill()
    group.process.wait()
    group.wait_until(lambda: group.living() == [], 5)
    assert not (group.folder / "up").exists()


def test_one_that_is_started_while_a_killed_one_still_cleans_up_waits_for_it(run: Run) -> None:
    first = run(("deaf", DEAF, 1.0))
    first.wait_for("all started")
    first.process.kill()
    first.process.wait()
    second = run(("one", STAYS, 5.0))
    second.wait_for("all started")
    assert (second.folder / "up" / "workspace.yaml").exists()


def test_there_is_one_group_a_folder(run: Run, tmp_path: Path) -> None:
    first = run(("one", STAYS, 5.0))
    first.wait_for("all started")
    (tmp_path / "log").rename(tmp_path / "first-log")
    second = run(("one", STAYS, 5.0))
    assert second.process.wait(30) == 1
    assert f"runs already for {second.folder}, as process {first.process.pid}. Stop it with Ctrl-C" in second.said
    assert first.process.poll() is None


def test_a_group_whose_log_nobody_reads_any_more_ends(tmp_path: Path) -> None:
    talks = "import time\nprint('ready')\nwhile True:\n    print('still here'); time.sleep(0.05)"
    folder = tmp_path / "home"
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), str(folder), json.dumps([("talks", talks, 5.0)])],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, text=True, env=clean_environment(),
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    while "still here" not in process.stdout.readline():
        pass
    process.stdout.close()
    assert process.wait(30) == 0
    assert process.stderr.read() == ""
    process.stderr.close()


def test_a_terminal_sees_colours_and_the_group_ends_when_it_is_closed(tmp_path: Path) -> None:
    talks = "import time\nprint('ready')\nwhile True:\n    print('still here'); time.sleep(0.05)"
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), str(tmp_path / "home"), json.dumps([("talks", talks, 5.0)])],
        stdin=theirs, stdout=theirs, stderr=theirs, cwd=tmp_path,
        env={**clean_environment(), "TERM": "xterm", "NO_COLOR": ""}, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    seen = b""
    while b"still here" not in seen:
        seen += os.read(ours, 4096)
    os.close(ours)
    assert re.search(rb"\x1b\[36m\d\d:\d\d:\d\dZ talks      \| \x1b\[0mready", seen)
    assert process.wait(30) == 0


def test_secrets_never_reach_the_log_nor_do_colours_that_are_for_a_terminal(run: Run) -> None:
    secret = "hush-hush-secret"
    tells = (
        f"print({f'key {secret} at postgresql://me:pass-word@db/shop'!r}); "
        "print('\\x1b[32m2026-11-23 13:33:34 +0000\\x1b[0m - dagster.daemon - \\x1b[33mWARNING\\x1b[0m - careful'); "
        "print('2026-11-23 13:33:34 +0000 - dagster - DEBUG - chatter'); "
        "print('2026-11-23 13:33:34 +0000 - dagster - INFO - resource:session - ' "
        "'863930ac-0f2f-4ea5-b036-c9c36087d5b6 - describe: 182 to do'); "
    )
    group = run(
        ("teller", tells + STAYS, 5.0),
        DROPSHIP_SECRET_KEY=secret, DROPSHIP_DATABASE_URL="postgresql://me:pass-word@db/shop",
    )  # fmt: skip
    group.wait_for("all started")
    lines = [line for line in group.said.splitlines() if " teller     | " in line]
    assert [re.sub(r"^\d\d:\d\d:\d\dZ ", "", line) for line in lines] == [
        "teller     | key *** at ***",
        "teller     | WARNING careful",
        "teller     | run 863930ac: describe: 182 to do",
        "teller     | ready",
    ]


def test_every_process_is_out_of_reach_of_the_terminal_s_own_signals(run: Run) -> None:
    """Ctrl-C goes to all processes of a terminal; the services are to end in their order."""
    group = run(("one", STAYS, 5.0))
    group.wait_for("all started")
    [one] = group.children()
    assert os.getsid(one.pid) == one.pid != os.getsid(group.process.pid)
