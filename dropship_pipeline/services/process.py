"""One process of a service: in a process group of its own, its lines read, its end told. Nothing restarts it here."""

import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable
from signal import Signals

from dropship_pipeline.services.output import last_words, tidy
from dropship_pipeline.services.service import Service
from dropship_pipeline.services.watcher import lives, tell

_KEPT_LINES = 200
_LONGEST_LINE = 65_536


class Process:
    """A process, and whatever it starts in its turn: the runs of the code server."""

    def __init__(
        self,
        service: Service,
        said: Callable[[str, str], None],
        ended: Callable[["Process"], None],
    ) -> None:
        """Start it. `said(name, line)` and `ended(process)` are called from threads."""
        self.service = service
        self.started_at = time.time()
        self.lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self.was_ready = False
        self._said = said
        self._muted = False
        self._ended = ended
        self._popen = subprocess.Popen(  # noqa: S603  from the table of services
            list(service.command()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C at the terminal is for us, who then end each in its turn
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        threading.Thread(target=self._wait, daemon=True).start()

    @property
    def pid(self) -> int:
        """Its number, which is its group's too."""
        return self._popen.pid

    @property
    def has_ended(self) -> bool:
        """Whether it is over; what it started may go on."""
        return self._popen.poll() is not None

    @property
    def group_lives(self) -> bool:
        """Whether it, or anything that it started, goes on."""
        return not self.has_ended or lives(self.pid)

    def end(self) -> None:
        """Tell all of it to end."""
        # what is cut short while it starts has no last words but where in its imports it was
        self._muted = not (self.service.heard_to_the_end and self.was_ready)
        self.tell(self.service.end_signal)

    def tell(self, number: Signals) -> None:
        """Send a signal to all of it."""
        tell(self.pid, number)

    def epitaph(self) -> str:
        """How it ended, in a few words: by which signal, or with its last words."""
        self.wait_for_last_lines()
        status = self._popen.returncode
        if status is not None and status < 0:
            return f"killed by {Signals(-status).name}"
        return f"exit status {status}: {last_words(list(self.lines))}"

    def wait_for_last_lines(self) -> None:
        """Have what it wrote last read: soon, for something that it started may hold the pipe open."""
        self._reader.join(0.5)

    def _read(self) -> None:
        assert self._popen.stdout is not None  # noqa: S101  a pipe was asked for
        with self._popen.stdout as pipe:
            while line := pipe.readline(_LONGEST_LINE):
                told = tidy(line.decode(errors="replace"))
                self.lines.append(told)
                routine = self.service.routine
                if told and not self._muted and (routine is None or not routine.match(told)):
                    self._said(self.service.name, told)

    def _wait(self) -> None:
        self._popen.wait()
        self._ended(self)
