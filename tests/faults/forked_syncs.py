"""Syncs in processes of their own, to be disturbed: each is forked from one that has imported everything.

A fork costs a hundredth of a new interpreter, so that hundreds of trials fit into minutes. In it a small catalogue is
read in many small batches and pages, and waits take a twentieth: what the pipeline does is what it always does.
"""

import asyncio
import faulthandler
import json
import os
import resource
import selectors
import signal
import subprocess
import sys
import time
import traceback
import uuid
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from deployment import all_stages, clean_environment
from mutations import MUTATIONS
from placing_steps import HASTY, PAYER
from points import Point, Points
from shifted_clock import shift_clock

from dropship_pipeline.alibaba import dialect, gateway, protocol
from dropship_pipeline.orders.placing_input import read_order_asked
from dropship_pipeline.problem import Problem
from dropship_pipeline.settings import Settings, load_settings
from dropship_pipeline.stopping import exit_status, sigterm_raises
from dropship_pipeline.storage.lake.published import snapshots as published_snapshots
from dropship_pipeline.storage.reading import alterations
from dropship_pipeline.storage.server import embedded
from dropship_pipeline.storage.server.opening import open_database
from dropship_pipeline.sync import session as session_module
from dropship_pipeline.sync.checks.audit import Stage, audit
from dropship_pipeline.sync.orders.following import OrdersRequest, reconcile_days, sync_orders
from dropship_pipeline.sync.orders.paying import pay, payment_problem
from dropship_pipeline.sync.orders.placing import place
from dropship_pipeline.sync.progress import Silent
from dropship_pipeline.sync.replay.run import replay
from dropship_pipeline.sync.request import SyncRequest
from dropship_pipeline.sync.session import open_desk, open_session, open_store
from dropship_pipeline.sync.stages import discover, pipeline, quote
from dropship_pipeline.sync.stages.publish import publish
from dropship_pipeline.webhooks.intake import MAX_AGE, Intake
from dropship_pipeline.webhooks.serve import Listening
from dropship_pipeline.webhooks.serve import serve as receive

BATCH = 8
"""Answers a hand-over, in these processes."""

PAGE = 7
"""Products a page, in these processes."""

HASTE = 20
"""How much shorter waits are, in these processes."""

HANGS_S = 120.0
"""A process that is short of memory and has not ended by then waits for what will never come: it ends, and says where.

Time enough on a machine with much else to do, and little enough for whoever waits for the trial."""

CRASHED = 70
"""The exit status of a process that ended by an exception which is no Problem."""


@dataclass(frozen=True)
class Work:
    """What a process is to do, and how it is disturbed from within."""

    environment: dict[str, str] = field(repr=False)
    job: str = "sync"
    feeds: tuple[str, ...] = ()
    product_ids: tuple[str, ...] = ()
    point: str | None = None
    answer_within_s: float = 40.0
    clock_ahead_s: float = 0.0
    memory_mb: int | None = None
    file_kb: int | None = None
    days: tuple[str, ...] = ()
    order: Any = None
    let_through: bool = False
    mutation: str = ""


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit status (negative: the signal), what it printed, and what it said of itself."""

    status: int
    output: str
    said: dict[str, Any]

    @property
    def crashed(self) -> bool:
        return self.status == CRASHED or "Traceback (most recent call last)" in self.output

    @property
    def hung(self) -> bool:
        return self.status == 1 and "Timeout (" in self.output

    @property
    def problems(self) -> list[str]:
        found: list[str] = self.said.get("problems", [])
        return found

    @property
    def is_done(self) -> bool:
        return self.status == 0 and not self.problems


class Forks:
    """Starts such processes and waits for them. One caller's thread at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        here = Path(__file__).parent
        paths = os.pathsep.join(
            filter(None, (str(here), str(here.parent), str(here.parent / "sync"), os.environ.get("PYTHONPATH")))
        )
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**clean_environment(), "PYTHONPATH": paths},
        )
        self._ended: dict[int, int] = {}
        self._outputs: dict[int, Path] = {}

    def close(self) -> None:
        """End the process from which they are forked; those that still run are killed."""
        for pid in set(self._outputs) - set(self._ended):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.communicate()

    def start(self, work: Work) -> int:
        """Start a process; its ID."""
        assert self._process.stdin is not None
        output = self._folder / f"output-{uuid.uuid4().hex}"
        print(json.dumps([asdict(work), str(output)]), file=self._process.stdin, flush=True)
        while True:
            what, number, status = self._hear()
            if what == "started":
                self._outputs[number] = output
                return number
            self._ended[number] = status

    def wait(self, pid: int) -> Ended:
        """Wait for its end."""
        while pid not in self._ended:
            what, number, status = self._hear()
            assert what == "ended"
            self._ended[number] = status
        output = self._outputs.pop(pid)
        text = output.read_text(errors="replace")
        output.unlink()
        *_, last = text.rstrip().rsplit("\n", 1)
        said = json.loads(last) if last.startswith('{"passed"') else {}
        return Ended(self._ended.pop(pid), text, said)

    def run(self, work: Work) -> Ended:
        """Start one, and wait for its end."""
        return self.wait(self.start(work))

    def output_so_far(self, pid: int) -> str:
        """What a process has printed."""
        path = self._outputs[pid]
        return path.read_text(errors="replace") if path.exists() else ""

    def _hear(self) -> tuple[str, int, int]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the process from which syncs are forked has ended")
        what, number, status = line.split()
        return what, int(number), int(status)


def is_stopped(pid: int) -> bool:
    """Whether a process was stopped by SIGSTOP."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


# What the processes do


def _request(work: Work) -> SyncRequest:
    named = {"feeds": work.feeds} if work.feeds else {}
    return SyncRequest(max_age=timedelta(days=1), product_ids=work.product_ids, let_through=work.let_through, **named)


def _sync(settings: Settings, work: Work) -> dict[str, Any]:
    with open_session(settings, str(uuid.uuid4()), Silent()) as session:
        all_stages(session, _request(work))
    summary = session.summary
    return {
        "problems": summary.problems,
        "states": {feed.feed: feed.state.value for feed in summary.feeds},
        "rejected": sum(stage.rejected for stage in summary.stages),
        "refused": sum(stage.refused for stage in summary.stages),
        "throttles": summary.calls.throttles,
        "retries": summary.calls.retries,
        "recovered": sum(stage.recovered for stage in summary.stages),
    }


def _listings(settings: Settings, work: Work) -> dict[str, Any]:
    with open_session(settings, str(uuid.uuid4()), Silent()) as session:
        discover.discover(session, _request(work))
    return {"problems": session.summary.problems}


def _publish(settings: Settings, _work: Work) -> dict[str, Any]:
    with open_store(settings, str(uuid.uuid4()), Silent()) as store:
        return {"problems": [], "snapshot": publish(store).path}


def _replay(settings: Settings, _work: Work) -> dict[str, Any]:
    with open_store(settings, str(uuid.uuid4()), Silent()) as store:
        replay(store)
    return {"problems": []}


def _audit(settings: Settings, _work: Work) -> dict[str, Any]:
    with open_store(settings, str(uuid.uuid4()), Silent()) as store:
        findings = [finding for stage in Stage for finding in audit(store.database, settings, stage)]
    bad = [f"{finding.check.table} {finding.check.name}" for finding in findings if not finding.passed]
    return {"problems": [], "findings": bad}


def _alterations(settings: Settings, _work: Work) -> dict[str, Any]:
    with open_store(settings, str(uuid.uuid4()), Silent()) as store:
        with store.database.begin() as connection:
            found = alterations.in_definition(connection) + alterations.in_log(connection)
        for snapshot in published_snapshots(store.lake)[-1:]:
            found += alterations.since_snapshot(store.database, snapshot)
    return {"problems": [], "findings": [one.said for one in found]}


def _orders(settings: Settings, _work: Work) -> dict[str, Any]:
    with open_desk(settings, str(uuid.uuid4()), Silent()) as desk:
        outcome = sync_orders(desk, OrdersRequest(since=timedelta(days=36_500)))
    return {"problems": outcome.problems}


def _reconcile(settings: Settings, work: Work) -> dict[str, Any]:
    with open_desk(settings, str(uuid.uuid4()), Silent()) as desk:
        outcome = reconcile_days(desk, [date.fromisoformat(day) for day in work.days])
    return {"problems": outcome.problems}


def _place(settings: Settings, work: Work) -> dict[str, Any]:
    asked = read_order_asked(work.order)
    with open_desk(settings, str(uuid.uuid4()), Silent()) as desk:
        print("open", flush=True)
        outcome = place(desk, asked.reference, asked, HASTY)
    return {"problems": [str(outcome.problem)] if outcome.problem else [], "state": outcome.placement.state.value}


def _pay(settings: Settings, work: Work) -> dict[str, Any]:
    with open_desk(settings, str(uuid.uuid4()), Silent()) as desk:
        print("open", flush=True)
        placement = pay(desk, work.order["reference"], PAYER, HASTY).placement
    problem = payment_problem(placement)
    return {"problems": [str(problem)] if problem else [], "state": str(placement.pay_state)}


def _receive(settings: Settings, work: Work) -> dict[str, Any]:
    intake = Intake(work.environment["ALIBABA_APP_KEY"], work.environment["ALIBABA_APP_SECRET"], MAX_AGE)
    with closing(open_database(settings)) as database:
        receive(database, intake, Listening("127.0.0.1", 0), lambda address: print(f"at {address}", flush=True))
    return {"problems": []}


def _serve(_settings: Settings, work: Work) -> dict[str, Any]:
    """Hold an embedded Postgres until killed."""
    embedded.start(Path(work.environment["DROPSHIP_HOME"]))
    print("serving", flush=True)
    while True:
        signal.pause()


JOBS: dict[str, Callable[[Settings, Work], dict[str, Any]]] = {
    "sync": _sync,
    "listings": _listings,
    "publish": _publish,
    "replay": _replay,
    "audit": _audit,
    "alterations": _alterations,
    "orders": _orders,
    "reconcile": _reconcile,
    "place": _place,
    "pay": _pay,
    "receive": _receive,
    "serve": _serve,
}

_AS_THEY_ARE = ("receive", "serve", "place", "pay")
"""Jobs whose waits are not hurried."""


def _be_small_and_hasty(answer_within_s: float) -> None:
    pipeline.HAND_OVER = quote.HAND_OVER = BATCH
    discover.PAGES_A_FILE = 2
    discover.LARGEST_PAGE = dict.fromkeys(dialect.LARGEST_PAGE, PAGE)
    protocol._BACKOFF_BASE = 0.1
    session_module.Gateway = partial(gateway.Gateway, timeouts=gateway.Timeouts(answer=answer_within_s))
    sleep, sleep_async = time.sleep, asyncio.sleep
    time.sleep = lambda seconds: sleep(seconds / HASTE)
    asyncio.sleep = lambda seconds, result=None: sleep_async(seconds / HASTE, result)


def _work(work: Work) -> int:
    points = Points(Point.read(work.point) if work.point else None, work.environment["DROPSHIP_DATABASE_URL"])
    points.install()
    if work.mutation:
        MUTATIONS[work.mutation]()
    if work.job not in _AS_THEY_ARE:
        _be_small_and_hasty(work.answer_within_s)
    if work.clock_ahead_s:
        shift_clock(work.clock_ahead_s)
    if work.memory_mb is not None:
        faulthandler.dump_traceback_later(HANGS_S, exit=True)  # its thread is made while there is memory
        there = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (there + work.memory_mb * 2**20,) * 2)
    if work.file_kb is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (work.file_kb * 1024,) * 2)
    said: dict[str, Any] = {}
    try:
        with sigterm_raises():
            said = JOBS[work.job](load_settings(work.environment), work)
    except Problem as problem:
        said = {"problems": [str(problem)]}
        print(f"dropship: {problem}")
    except KeyboardInterrupt as stop:
        print(f"dropship: {type(stop).__name__}")
        return exit_status(stop)
    except MemoryError:
        print("dropship: out of memory")
        return 137
    print(json.dumps({"passed": points.passed, **said}))
    return 1 if said.get("problems") else 0


def _child(work: Work, output: str) -> None:
    handle = os.open(output, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    status = CRASHED
    try:
        status = _work(work)
    except BaseException:  # noqa: BLE001  whatever it is, it is told, and the trial judges it
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _tell(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def _bury() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        _tell(f"ended {pid} {os.waitstatus_to_exitcode(status)}")


def _fork_for_ever() -> None:
    """Fork a process for each line on standard input; tell when one has ended."""
    died, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    with selectors.DefaultSelector() as waiting:
        waiting.register(died, selectors.EVENT_READ)
        waiting.register(0, selectors.EVENT_READ)
        left = b""
        while True:
            for key, _ in waiting.select():
                if key.fd == died:
                    os.read(died, 4096)
                    _bury()
                    continue
                came = os.read(0, 65_536)
                if not came:
                    return
                *lines, left = (left + came).split(b"\n")
                for line in lines:
                    document, output = json.loads(line)
                    forked = os.fork()
                    if not forked:
                        _child(Work(**document), output)
                    _tell(f"started {forked} 0")


if __name__ == "__main__":
    _fork_for_ever()
