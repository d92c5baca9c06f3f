"""The supervisor's end of the watcher: tells it which process groups there are, and notices when it is gone."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from dropship_pipeline.services import watcher
from dropship_pipeline.services.process import Process


class Guard:
    """One watcher, which cleans up when this process is gone. `gone` is called from a thread when it is gone itself."""

    def __init__(self, folders: Sequence[Path], lock: int, living: Iterable[Process], gone: Callable[[], None]) -> None:
        self._popen = subprocess.Popen(  # noqa: S603  our own file
            [sys.executable, "-I", "-S", watcher.__file__, *map(str, folders)],
            stdin=subprocess.PIPE,
            start_new_session=True,
            pass_fds=(lock,),  # whoever starts again waits until it has cleaned up
        )
        threading.Thread(target=self._wait, args=(gone,), daemon=True).start()
        for process in living:
            self.add(process)

    def add(self, process: Process) -> None:
        """See to it that this process and what it starts do not outlive us."""
        self._write(f"+{process.pid} {int(process.service.end_signal)} {process.service.ends_within}")

    def remove(self, process: Process) -> None:
        """It is over, and everything that it started."""
        self._write(f"-{process.pid}")

    def close(self) -> None:
        """Have it remove the folders, and end."""
        if self._popen.stdin is not None:
            with suppress(BrokenPipeError):
                self._popen.stdin.close()
        self._popen.wait()

    def _write(self, line: str) -> None:
        if self._popen.stdin is not None:
            with suppress(BrokenPipeError):  # it was killed: the next one is told everything
                self._popen.stdin.write(f"{line}\n".encode())
                self._popen.stdin.flush()

    def _wait(self, gone: Callable[[], None]) -> None:
        self._popen.wait()
        gone()
