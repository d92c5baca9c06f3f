"""The whole of Dagster as processes of its own: code server, webserver and daemon, to be killed and started again.

How the pages in a browser ask the webserver is in `dagster_ui.py`.
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError

import yaml
from dagster_runs import ROOT
from dagster_ui import LOCATION, Ui, wait_for
from deployment import Deployment, clean_environment
from posting import free_port

CODE, UI, DAEMON = "code", "ui", "daemon"

# Dagster's daemons look every 5, 30 or 60 s whether there is something to do: as patient as that, a test is not
_IMPATIENT_DAEMON = """
import sys
import dagster._daemon.controller as controller
import dagster._daemon.sensor as sensor
import dagster._scheduler.scheduler as scheduler
from dagster._core.run_coordinator import QueuedRunCoordinator
controller.DEFAULT_DAEMON_INTERVAL_SECONDS = 2
sensor.MIN_INTERVAL_LOOP_TIME = 1
scheduler._get_next_scheduler_iteration_time = lambda start: start + 1
QueuedRunCoordinator.dequeue_interval_seconds = 1
from dagster._daemon.cli import main
main()
"""


def impatient_home(folder: Path) -> Path:
    """A DAGSTER_HOME like the project's own, where the monitoring looks every second and gives up at the third."""
    told = yaml.safe_load((ROOT / "dagster_home" / "dagster.yaml").read_text())
    told["run_monitoring"]["poll_interval_seconds"] = 1
    told["run_launcher"]["config"] = {"missed_looks": 3}
    folder.mkdir()
    (folder / "dagster.yaml").write_text(yaml.safe_dump(told))
    return folder


class Group:
    """Code server, webserver and an impatient daemon, given a merchant's variables and DAGSTER_HOME alone."""

    def __init__(self, merchant: Deployment, folder: Path) -> None:
        self.merchant = merchant
        self._code, ui = free_port(), free_port()
        self.ui = Ui(f"http://127.0.0.1:{ui}")
        self._folder = folder
        self._log = folder / "dagster.log"
        workspace = folder / "workspace.yaml"
        served = {"host": "127.0.0.1", "port": self._code, "location_name": LOCATION}
        workspace.write_text(yaml.safe_dump({"load_from": [{"grpc_server": served}]}))
        module = ("-m", "dropship_pipeline.definitions")
        self._commands: dict[str, tuple[str, ...]] = {
            CODE: ("-m", "dagster", "api", "grpc", *module, "-p", str(self._code), "-h", "127.0.0.1"),
            UI: ("-m", "dagster_webserver", "-w", str(workspace), "-p", str(ui)),
            DAEMON: ("-c", _IMPATIENT_DAEMON, "run", "-w", str(workspace)),
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, *parts: str) -> None:
        """Start these. Returns when the code server and the webserver answer."""
        home = {"DAGSTER_HOME": str(ROOT / "dagster_home")}
        environment = {**clean_environment(), **home, **self.merchant.environment}
        for part in parts:
            with self._log.open("ab") as log:
                self._processes[part] = subprocess.Popen(
                    [sys.executable, *self._commands[part]],
                    cwd=self._folder,
                    env=environment,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            if part == CODE:
                self._wait_for(self._listens, part)
        if UI in parts:
            self._wait_for(self._answers, UI)

    def kill(self, part: str) -> None:
        """End this process, and none that it started, in a way that it cannot notice."""
        process = self._processes.pop(part)
        process.kill()
        process.wait()

    def end(self, *parts: str) -> None:
        """End these, with all that they started, as Ctrl-C does."""
        ending = [self._processes.pop(part) for part in parts or reversed(tuple(self._processes))]
        for process in ending:
            _signal(process, signal.SIGINT)
        for process in ending:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                _signal(process, signal.SIGKILL)
                process.wait()

    def _wait_for(self, look: Callable[[], bool], part: str) -> None:
        wait_for(lambda: look() or self._processes[part].poll() is not None, f"no {part}: {self._log.read_text()}")
        assert self._processes[part].poll() is None, self._log.read_text()

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._code)) == 0

    def _answers(self) -> bool:
        try:
            return bool(self.ui.ask("{ version }"))
        except (URLError, ConnectionError):
            return False


@contextmanager
def dagster_running(merchant: Deployment, folder: Path) -> Iterator[Group]:
    """All of it, and the end of all of it."""
    group = Group(merchant, folder)
    try:
        group.start(CODE, UI, DAEMON)
        yield group
    finally:
        group.end()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send it to the process and to all that it started, some of which may live on without it."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        assert process.poll() is not None
