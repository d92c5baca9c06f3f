"""Being told to stop: Ctrl-C and SIGTERM as exceptions of the main thread. What is stopped, and how, is not in here."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Terminated(KeyboardInterrupt):
    """SIGTERM came. It ends a command as Ctrl-C does, with another exit status."""


def terminate(_: int, __: FrameType | None) -> None:
    """A handler for SIGTERM."""
    raise Terminated


def exit_status(stop: BaseException) -> int:
    """The exit status of a program that was told to stop, as shells number it: 130 by Ctrl-C, 143 by SIGTERM."""
    return 128 + (signal.SIGTERM if isinstance(stop, Terminated) else signal.SIGINT)


@contextmanager
def sigterm_raises() -> Iterator[None]:
    """Inside, SIGTERM raises `Terminated`. For the main thread."""
    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def held_back() -> Iterator[None]:
    """Inside, nobody is interrupted: signals that come are acted upon at the end. Short work that must be whole."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals interrupt the main thread alone
        return
    came: list[int] = []
    before = {number: signal.signal(number, lambda sent, _: came.append(sent)) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


@contextmanager
def noted() -> Iterator[Callable[[], KeyboardInterrupt | None]]:
    """Gives a function that tells which signal came first since, whatever handler it met. For the main thread.

    Libraries put handlers of their own in place of ours, which do not say what came or whether anything did.
    """
    came: list[int] = []
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)

    def first() -> KeyboardInterrupt | None:
        with suppress(BlockingIOError):  # nothing new
            came.extend(number for number in os.read(reading, 4096) if number in SIGNALS)
        if not came:
            return None
        return Terminated() if came[0] == signal.SIGTERM else KeyboardInterrupt()

    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        yield first
    finally:
        signal.set_wakeup_fd(before)
        os.close(writing)
        os.close(reading)
