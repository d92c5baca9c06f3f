"""`make faults`: many trials of every row, or of one, on a machine of its own; a table of what they found, and JSON.

    make faults                                     every row, TRIALS in all
    make faults ROW=stores.commit_unknown SEED=17   one trial, told in full
    make faults ROW=process TRIALS=100              the rows whose names begin so

Exit status: 0 no violation, 1 a violation (with the command that repeats it), 2 a row that there is not.
"""

import argparse
import atexit
import json
import multiprocessing
import os
import queue
import shutil
import sys
import tempfile
import time
import traceback
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(folder) for folder in (TESTS / "faults", TESTS, TESTS / "sync")]

from fault_rows import ROWS  # noqa: E402  found by the line above
from machine import Machine  # noqa: E402
from sqlalchemy.engine import make_url  # noqa: E402
from trials import Row, perform  # noqa: E402

from dropship_pipeline.storage.server import embedded  # noqa: E402
from dropship_pipeline.storage.server.database import Database  # noqa: E402


@dataclass(frozen=True)
class Result:
    """What one trial came to, told by the process that made it."""

    row: str
    seed: int
    seconds: float
    reads: int
    again: int
    violations: tuple[str, ...]
    plan: str
    bit: bool = True


def _scratch() -> Path:
    """Where homes and lakes are: in memory where there is enough of it, for what is tested is not the disk's speed."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 2 * 2**30
    return (memory if roomy else Path(tempfile.gettempdir())) / f"dropship-faults-{os.getpid()}"


def _try(machine: Machine, row: Row, seed: int) -> Result:
    began = time.monotonic()
    try:
        trial = perform(machine, row, seed)
    except Exception:  # noqa: BLE001  a trial that breaks is told as one that failed
        return Result(row.name, seed, time.monotonic() - began, 0, 0, (f"broke: {traceback.format_exc()}",), "")
    told = tuple(map(str, trial.violations))
    return Result(row.name, seed, trial.seconds, trial.reads, trial.again, told, trial.plan, trial.bit)


def _work(server_url: str, tasks: Any, results: Any) -> None:
    maintenance = Database(server_url)
    machine = Machine(maintenance, _scratch())
    try:
        while (task := tasks.get()) is not None:
            name, seed = task
            results.put(_try(machine, ROWS[name], seed))
    finally:
        machine.close()
        maintenance.close()
        results.put(None)


def _chosen(row: str | None, seed: int | None, trials: int, first_seed: int) -> list[tuple[str, int]]:
    names = [name for name in ROWS if row is None or name == row or name.startswith(f"{row}.")]
    if row in ROWS:
        names = [row]
    if not names:
        print(f"There is no row {row!r}; there are: {', '.join(ROWS)}", file=sys.stderr)
        raise SystemExit(2)
    if seed is not None:
        return [(name, seed) for name in names]
    each, rest = divmod(max(trials, len(names)), len(names))
    return [
        (name, first_seed + number)
        for number in range(each + 1)
        for at, name in enumerate(names)
        if number < each or at < rest
    ]


def run(tasks: list[tuple[str, int]], workers: int) -> list[Result]:
    """Make these trials, `workers` at a time, on an embedded Postgres of their own."""
    home = Path(tempfile.gettempdir()) / f"dropship-faults-pg-{os.getpid()}"
    atexit.register(shutil.rmtree, home, ignore_errors=True)  # runs after what stops the server, registered later
    url = make_url(embedded.start(home)).set(database="postgres").render_as_string(hide_password=False)
    maintenance = Database(url)
    with maintenance.autocommit() as connection:
        connection.exec_driver_sql("ALTER SYSTEM SET fsync = off")  # a crash of the machine ends the trials anyway
        connection.exec_driver_sql("SELECT pg_reload_conf()")
    context = multiprocessing.get_context("spawn")
    todo, done = context.Queue(), context.Queue()
    for task in [*tasks, *[None] * workers]:
        todo.put(task)
    at_work = [context.Process(target=_work, args=(url, todo, done)) for _ in range(workers)]
    for process in at_work:
        process.start()
    results: list[Result] = []
    ended = 0
    try:
        while ended < workers:
            try:
                result = done.get(timeout=60)
            except queue.Empty:
                if all(process.is_alive() for process in at_work):
                    continue
                raise RuntimeError("a process that makes trials has died") from None
            if result is None:
                ended += 1
                continue
            results.append(result)
            _tell(result, len(results), len(tasks))
    finally:
        for process in at_work:
            process.join(30)
            if process.is_alive():
                process.terminate()
        maintenance.close()
    return results


def _tell(result: Result, number: int, of: int) -> None:
    if result.violations:
        print(f"\n{result.row} seed {result.seed}: {len(result.violations)} violations", flush=True)
        print(f"  make faults ROW={result.row} SEED={result.seed}\n  {result.plan}", flush=True)
        for violation in result.violations:
            print(f"  {violation}", flush=True)
    elif number % 25 == 0 or number == of:
        print(f"{number} of {of} trials", file=sys.stderr, flush=True)


def table(results: list[Result]) -> str:
    """A line a row: trials, violations, in how many the fault bit, reads made again of a hundred, seconds a trial."""
    by_row: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        by_row[result.row].append(result)
    lines = [f"{'row':28} {'trials':>6} {'violations':>10} {'bit':>6} {'refetched':>9} {'s/trial':>8}  stands for"]
    for name, row in ROWS.items():
        found = by_row.get(name)
        if not found:
            continue
        reads, again = sum(one.reads for one in found), sum(one.again for one in found)
        ratio = f"{100 * again / reads:8.1f}%" if reads else f"{'-':>9}"
        bad = sum(len(one.violations) for one in found)
        seconds = sum(one.seconds for one in found) / len(found)
        lines.append(
            f"{name:28} {len(found):6} {bad:10} {sum(one.bit for one in found):6} {ratio} {seconds:8.1f}  "
            f"{row.sentence}"
        )
    reads, again = sum(one.reads for one in results), sum(one.again for one in results)
    bad = sum(len(one.violations) for one in results)
    lines.append(
        f"{'all':28} {len(results):6} {bad:10} {sum(one.bit for one in results):6} {100 * again / max(reads, 1):8.1f}%"
    )
    return "\n".join(lines)


def main() -> int:
    read = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    read.add_argument("--row", help="one row, or the beginning of some: process, api, …")
    read.add_argument("--seed", type=int, help="this seed alone")
    read.add_argument("--first-seed", type=int, default=1)
    read.add_argument("--trials", type=int, default=540, help="in all; at least one a row")
    read.add_argument("--workers", type=int, default=(os.cpu_count() or 1) + 1)
    read.add_argument("--json", type=Path, default=Path("build/faults.json"), help="where the results go")
    asked = read.parse_args()
    tasks = _chosen(asked.row, asked.seed, asked.trials, asked.first_seed)
    began = time.monotonic()
    results = run(tasks, min(asked.workers, len(tasks)))
    took = time.monotonic() - began
    print(table(results))
    print(f"{len(results)} trials in {took:.0f} s, {min(asked.workers, len(tasks))} at a time; {asked.json} has each")
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    asked.json.write_text(
        json.dumps({"seconds": took, "trials": [result.__dict__ for result in results]}, indent=1) + "\n"
    )
    return int(any(result.violations for result in results) or len(results) < len(tasks))


if __name__ == "__main__":
    sys.exit(main())
