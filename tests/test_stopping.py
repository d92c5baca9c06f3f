"""Signals as exceptions: which came, and that none comes in the middle of what must be whole."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from dropship_pipeline.stopping import SIGNALS, Terminated, exit_status, held_back, noted, sigterm_raises


@pytest.fixture(autouse=True)
def _as_at_a_terminal() -> Iterator[None]:
    before = [(number, signal.getsignal(number)) for number in SIGNALS]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before:
        signal.signal(number, handler)


def test_sigterm_and_ctrl_c_have_statuses_of_their_own() -> None:
    with pytest.raises(Terminated) as terminated, sigterm_raises():
        signal.raise_signal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt) as interrupted:
        signal.raise_signal(signal.SIGINT)
    assert (exit_status(terminated.value), exit_status(interrupted.value)) == (143, 130)


def test_what_must_be_whole_is_done_first() -> None:
    done = []
    with pytest.raises(Terminated), sigterm_raises(), held_back():  # noqa: PT012  what raises is the end of it
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        done.append("all of it")
    assert done == ["all of it"]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_failure_of_it_is_told_where_no_signal_came() -> None:
    with pytest.raises(ValueError, match="no luck"), held_back():
        raise ValueError("no luck")


def test_a_thread_that_cannot_be_interrupted_holds_nothing_back() -> None:
    def work() -> None:
        with held_back():
            done.append(True)

    done: list[bool] = []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]


def test_the_signal_that_came_first_is_known_whatever_handler_it_met() -> None:
    with noted() as first:
        assert first() is None
        for number in SIGNALS:
            signal.signal(number, lambda *_: None)
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        assert isinstance(first(), Terminated)
        assert isinstance(first(), Terminated)
    with noted() as first:
        signal.raise_signal(signal.SIGINT)
        assert type(first()) is KeyboardInterrupt


@pytest.mark.parametrize("number", SIGNALS)
def test_a_command_that_is_stopped_in_its_first_moment_says_one_line(number: signal.Signals) -> None:
    # the moment when the list of commands is imported
    script = f"""
import importlib.abc, signal, sys
class Stop(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "dropship_pipeline.cli.commands":
            signal.raise_signal({number.value})
sys.meta_path.insert(0, Stop())
signal.signal(signal.SIGINT, signal.default_int_handler)
from dropship_pipeline.cli import main
main()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, done.stdout) == (128 + number, "dropship: stopped\n", "")
