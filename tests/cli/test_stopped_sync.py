"""A sync that is stopped at any moment, by Ctrl-C or SIGTERM: it ends at once, says so, and leaves nothing behind.

At a few moments in each run of the tests, else at as many as STOPPED_SYNCS says.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from deployment import Deployment, clean_environment
from oracle import expected_feeds, expected_tables, stored_feeds, stored_tables, truth

from dropship_pipeline.storage.server.database import Database

# whoever runs the tests in the background ignores Ctrl-C, and so would the sync
AT_A_TERMINAL = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from dropship_pipeline.cli import main
main()
"""
PRODUCTS = 120
MOMENTS = int(os.environ.get("STOPPED_SYNCS", "4"))
SIGNALS = (signal.SIGINT, signal.SIGTERM)
WITHIN = 10.0  # seconds: where nothing else runs, it takes one or two


@contextmanager
def syncing(variables: dict[str, str], folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A sync that has begun; what is left of it at the end is killed."""
    process = start_sync(variables, folder)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def start_sync(variables: dict[str, str], folder: Path) -> subprocess.Popen[str]:
    """Start a sync of everything, as at a terminal; it is under way when our own program has begun."""
    process = subprocess.Popen(
        [sys.executable, "-c", AT_A_TERMINAL, "sync", "--force"],
        env={**clean_environment(), **variables},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None and not _catches(status.read_text(), signal.SIGTERM):
        time.sleep(0.002)
    return process


def _catches(status: str, number: signal.Signals) -> bool:
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


def stop(process: subprocess.Popen[str], number: signal.Signals) -> tuple[float, str, str]:
    """Stop it: how long it took in seconds, what it wrote to stdout, and to stderr. No child of it is left."""
    children = psutil.Process(process.pid).children(recursive=True)
    began = time.monotonic()
    if number is signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does
    else:
        process.send_signal(number)
    out, err = process.communicate(timeout=60)
    took = time.monotonic() - began
    _, left = psutil.wait_procs(children, timeout=2)
    assert left == []
    return took, out, err


def test_a_sync_can_be_stopped_at_any_moment(
    deploy: Callable[..., Deployment],
    dagster_template: str,
    make_database: Callable[..., Database],
    tmp_path: Path,
) -> None:
    merchant = deploy(products=PRODUCTS, drift=0.0)
    merchant.database = make_database(dagster_template)
    began = time.monotonic()
    merchant.dropship("sync", "--force")
    lasts = time.monotonic() - began
    draw = random.Random(2)
    stopped: Counter[signal.Signals] = Counter()
    for moment in range(MOMENTS):
        number = SIGNALS[moment % len(SIGNALS)]
        with syncing(merchant.environment, tmp_path) as process:
            time.sleep((moment + draw.random()) / MOMENTS * 0.8 * lasts)
            if process.poll() is not None:
                continue
            took, out, err = stop(process, number)
        if process.returncode == 0:
            assert "Parquet" in out, err  # its work was done
            continue
        stopped[number] += 1
        assert process.returncode == 128 + number, err
        assert took < WITHIN
        assert "Traceback" not in err
        [said] = [line for line in err.splitlines() if line.startswith("dropship:")]
        assert said.startswith("dropship: stopped")
    assert stopped.total() > MOMENTS / 2
    assert set(stopped) == set(SIGNALS)
    ends = merchant.rows("SELECT status, count(*) AS runs FROM dagster.runs GROUP BY status")
    assert {row["status"] for row in ends} <= {"SUCCESS", "CANCELED"}
    assert merchant.value("SELECT count(*) FROM ops.syncs WHERE outcome IS NULL") == 0
    assert merchant.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()") == 1
    merchant.dropship("sync")
    listed = expected_feeds(merchant)
    assert stored_feeds(merchant) == {key: ids for key, ids in listed.items() if ids}
    assert stored_tables(merchant) == expected_tables(
        {key: value for key, value in truth(merchant).items() if any(key in ids for ids in listed.values())}
    )
