"""Rows of the stores: a Postgres that is down, dies, refuses, or cannot say that it committed; a disk that fills."""

import os
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import invariants
from commit_cutter import CommitCutter, SlowLine
from forked_syncs import Ended, Work
from machine import Machine, Merchant
from rows_of_process import some_world
from sqlalchemy.engine import make_url
from trials import (
    Disturbed,
    Passing,
    Row,
    Schedule,
    Trial,
    Undisturbed,
    around,
    judge,
    recover,
    scheduled,
    undisturbed,
)

from dropship_pipeline.storage import migrate
from dropship_pipeline.storage.server.database import Database

# Refusals of the server itself: raised by a trigger for the first so many statements that write the table


def _refusing(state: str, times: int) -> str:
    """A trigger that raises this SQLSTATE the first `times` times; what counts outlives the rollback."""
    return f"""
        CREATE SEQUENCE public.refusals;
        CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF nextval('public.refusals') <= {times} THEN
                RAISE EXCEPTION 'refused by the trial' USING ERRCODE = '{state}';
            END IF;
            RETURN NULL;
        END $$;
    """


_WRITTEN = ("catalog.products", "catalog.inventory_levels", "catalog.freight_quotes", "catalog.feed_products")


def _enter_refusals(name: str, state: str, times: int) -> None:
    @around(name)
    def refuse(merchant: Merchant) -> Iterator[None]:
        with merchant.database.begin() as connection:
            connection.exec_driver_sql(_refusing(state, times))
            for table in _WRITTEN:
                connection.exec_driver_sql(
                    f"CREATE TRIGGER refuse AFTER INSERT OR UPDATE ON {table} EXECUTE FUNCTION public.refuse()"
                )
        try:
            yield
        finally:
            with merchant.database.begin() as connection:
                connection.exec_driver_sql("DROP FUNCTION public.refuse() CASCADE; DROP SEQUENCE public.refusals")


_enter_refusals("deadlocks", "40P01", 3)
_enter_refusals("serialisation failures", "40001", 3)
_enter_refusals("time-outs", "57014", 1)
_enter_refusals("locks not had", "55P03", 1)
_enter_refusals("many deadlocks", "40P01", 12)


@around("read-only")
def _read_only(merchant: Merchant) -> Iterator[None]:
    name = make_url(merchant.database.libpq_url).database
    with merchant.machine.maintenance.autocommit() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    try:
        yield
    finally:
        with merchant.machine.maintenance.autocommit() as connection:
            connection.exec_driver_sql(f"ALTER DATABASE {name} RESET default_transaction_read_only")


@around("nobody let in")
def _nobody_let_in(merchant: Merchant) -> Iterator[None]:
    name = make_url(merchant.database.libpq_url).database
    merchant.database.close()
    with merchant.machine.maintenance.autocommit() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
        connection.exec_driver_sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    try:
        yield
    finally:
        with merchant.machine.maintenance.autocommit() as connection:
            connection.exec_driver_sql(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")


@around("sessions that end")
def _sessions_that_end(merchant: Merchant) -> Iterator[None]:
    """Every session of the sync is ended by the server, now and again."""
    name = make_url(merchant.database.libpq_url).database
    over = threading.Event()
    luck = random.Random(name)

    def end_them() -> None:
        while not over.wait(luck.uniform(0.1, 1.0)):
            with merchant.machine.maintenance.autocommit() as connection:
                connection.exec_driver_sql(
                    f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
                )

    thread = threading.Thread(target=end_them)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _refused(name: str, *told: str) -> "Row":
    def build(draw: random.Random) -> Schedule:
        new = draw.random() < 0.5
        return Schedule(some_world(draw), (Disturbed(around=name),), new=new, days=0.0 if new else 1.0, told=told)

    sentences = {
        "deadlocks": "deadlock",
        "many deadlocks": "deadlock, again and again",
        "serialisation failures": "serialisation failure",
        "time-outs": "time-out",
        "locks not had": "time-out: of a lock",
        "read-only": "read-only",
        "nobody let in": "Postgres down at connect",
        "sessions that end": "Postgres down mid-load",
    }
    return Row(f"stores.{name.replace(' ', '_').replace('-', '_')}", sentences[name], scheduled(build))


# A COMMIT whose outcome nobody is told


def _commit_unknown(trial: Trial) -> None:
    """The connection is cut at one COMMIT: before the server hears it, or after it has committed."""
    draw = trial.draw
    new = draw.random() < 0.5
    schedule = Schedule(some_world(draw), (), new=new, days=0.0 if new else 2.0)
    machine = trial.machine
    expected = undisturbed(machine, schedule)
    with machine.merchant(schedule.world, new=new) as merchant:
        machine.reader.watch(merchant.lake)
        merchant.days_pass(schedule.days)
        nth, after = draw.randint(1, 60), draw.random() < 0.6
        trial.plan = f"{schedule} commit {nth} {'after' if after else 'before'}"
        losses = 0
        with CommitCutter(make_url(merchant.database.libpq_url), nth, after=after) as cutter:
            merchant.variables["DROPSHIP_DATABASE_URL"] = cutter.url
            losses += not trial.keep(merchant.run()).is_done
            del merchant.variables["DROPSHIP_DATABASE_URL"]
        losses += recover(trial, merchant)
        judge(trial, merchant, expected.rows, losses)


def _committed_unheard(draw: random.Random) -> Schedule:
    point = Passing("commit", draw.random(), draw.random() < 0.7, action="cut")
    return Schedule(some_world(draw), (Disturbed(point=point),), new=draw.random() < 0.5, days=1.0)


def _cut_mid_load(draw: random.Random) -> Schedule:
    point = Passing(draw.choice(("load", "merge", "listing", "publish")), draw.random(), action="cut")
    return Schedule(some_world(draw), (Disturbed(point=point),), new=draw.random() < 0.5, days=1.0)


# A server that is slow


def _slowed(trial: Trial) -> None:
    """Every statement takes its time on the way; another run of the same feeds may be under way beside."""
    draw = trial.draw
    new = draw.random() < 0.5
    schedule = Schedule(some_world(draw), (), new=new, days=0.0 if new else 2.0)
    machine = trial.machine
    expected = undisturbed(machine, schedule)
    runs, delay_s, megabyte_s = draw.choice((1, 1, 2)), draw.uniform(0.001, 0.005), draw.uniform(0.0, 1.0)
    trial.plan = f"{schedule} {runs} runs, {delay_s:.4f} s a statement, {megabyte_s:.1f} s a megabyte"
    with machine.merchant(schedule.world, new=new) as merchant:
        machine.reader.watch(merchant.lake)
        merchant.days_pass(schedule.days)
        with SlowLine(make_url(merchant.database.libpq_url), delay_s, megabyte_s) as line:
            merchant.variables["DROPSHIP_DATABASE_URL"] = line.url
            ended = [machine.forks.wait(pid) for pid in [machine.forks.start(merchant.work()) for _ in range(runs)]]
            del merchant.variables["DROPSHIP_DATABASE_URL"]
        _waited_for(trial, merchant, ended, expected)
        trial.require(line.waits > 100, "I6", "the line", f"only {line.waits} statements waited: it shows nothing")


_HELD_UP = ("catalog.feed_products", "catalog.products", "catalog.inventory_levels", "catalog.freight_quotes")


def _tables_locked(trial: Trial) -> None:
    """Somebody holds tables of the catalogue for seconds, again and again: an index is made, a table rewritten."""
    draw = trial.draw
    new = draw.random() < 0.5
    schedule = Schedule(some_world(draw), (), new=new, days=0.0 if new else 2.0)
    machine = trial.machine
    expected = undisturbed(machine, schedule)
    runs, held_s = draw.choice((1, 1, 2)), [draw.uniform(0.5, 2.5) for _ in range(3)]
    trial.plan = f"{schedule} {runs} runs, held for {held_s}"
    with machine.merchant(schedule.world, new=new) as merchant:
        machine.reader.watch(merchant.lake)
        merchant.days_pass(schedule.days)
        waited = 0
        pids = [machine.forks.start(merchant.work()) for _ in range(runs)]
        for seconds in held_s:
            waited += _hold(merchant, draw.choice(_HELD_UP), seconds)
            time.sleep(draw.uniform(0.0, 0.5))
        trial.bit = waited > 0
        _waited_for(trial, merchant, [machine.forks.wait(pid) for pid in pids], expected)


def _hold(merchant: Merchant, table: str, seconds: float) -> int:
    """Hold a table for so long; how many waited for it. It is waited for in line, as whoever alters a table does."""
    with merchant.database.begin() as connection:
        connection.exec_driver_sql("SET LOCAL lock_timeout = '20s'")
        connection.exec_driver_sql(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        time.sleep(seconds)
        return int(connection.exec_driver_sql("SELECT count(*) FROM pg_locks WHERE NOT granted").scalar_one())


def _waited_for(trial: Trial, merchant: Merchant, ended: list[Ended], expected: Undisturbed) -> None:
    """Runs that had to wait end right; a feed is taken from one only by another run. Then: what is in the tables."""
    for one in ended:
        trial.keep(one)
        if len(ended) == 1:
            trial.require(one.is_done, "I1", "a slow server", f"a run that only had to wait: {one.output[-500:]}")
    trial.found(invariants.torn_in_postgres(merchant))
    recover(trial, merchant)
    # a run that reads everything beside another one, and one that reads what is not due, cost calls
    judge(trial, merchant, expected.rows, 0 if len(ended) == 1 else None)


# A server of the trial's own


class OwnServer:
    """An embedded Postgres that may be killed: held by a forked process, which starts it as `dropship` does."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._home = Path(tempfile.gettempdir()) / f"dropship-faults-{uuid.uuid4().hex[:8]}"
        self._home.mkdir(mode=0o755)
        self._holder: int | None = None
        self.start()

    def start(self) -> None:
        """Start it, or start it again: recovered when this returns."""
        environment = {"DROPSHIP_HOME": str(self._home), "DROPSHIP_DATABASE_URL": ""}
        self._holder = self._machine.forks.start(Work(environment, job="serve"))
        until = time.monotonic() + 120
        while "serving" not in self._machine.forks.output_so_far(self._holder):
            if time.monotonic() > until:
                raise TimeoutError(self._machine.forks.output_so_far(self._holder))
            time.sleep(0.02)

    @property
    def postmaster(self) -> int:
        return int((self._home / "postgres" / "postmaster.pid").read_text().split()[0])

    def kill(self) -> None:
        """SIGKILL to the postmaster; its children end by themselves."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """An immediate shutdown, as `pg_ctl stop -m immediate`."""
        self._end(signal.SIGQUIT)

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self._home, ignore_errors=True)

    def url(self) -> str:
        """The address of its own database."""
        lines = (self._home / "postgres" / "postmaster.pid").read_text().splitlines()
        return f"postgresql://postgres@/dropship?host={lines[4]}"

    def _end(self, how: signal.Signals) -> None:
        if self._holder is not None:
            with suppress(ProcessLookupError):
                os.kill(self._holder, signal.SIGKILL)
            self._machine.forks.wait(self._holder)
            self._holder = None
        pid = self.postmaster
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        os.kill(pid, how)
        until = time.monotonic() + 30
        while any(Path(f"/proc/{one}").exists() for one in (pid, *children)) and time.monotonic() < until:
            time.sleep(0.02)


def _server_dies(trial: Trial) -> None:
    """The server itself is killed, or stopped at once, while a sync is at work; then it is started again."""
    draw = trial.draw
    schedule = Schedule(some_world(draw), (), new=True)
    machine = trial.machine
    expected = undisturbed(machine, schedule)
    trial.plan = str(schedule)
    own = machine.known.get("own server")
    if own is None:
        own = machine.known["own server"] = OwnServer(machine)
        machine.at_the_end(own.close)
    own_url = make_url(own.url())
    name = f"trial_{uuid.uuid4().hex[:12]}"
    database = Database(own_url.render_as_string(hide_password=False))
    with database.autocommit() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    database.close()
    database = Database(own_url.set(database=name).render_as_string(hide_password=False))
    migrate.upgrade(database)
    with machine.merchant(schedule.world, new=True) as merchant:
        merchant.database.close()
        merchant.database = database
        machine.reader.watch(merchant.lake)
        point = Passing(draw.choice(("details", "load", "merge", "commit")), draw.random(), action="stop")
        pid = machine.forks.start(merchant.work(point=str(point.of(expected.passed))))
        until = time.monotonic() + 60
        while not _is_halted(pid) and time.monotonic() < until:
            time.sleep(0.01)
        database.close()
        own.kill() if draw.random() < 0.5 else own.stop()
        if draw.random() < 0.5:
            own.start()  # it is back before the sync notices
            os.kill(pid, signal.SIGCONT)
            ended = trial.keep(machine.forks.wait(pid))
        else:
            os.kill(pid, signal.SIGCONT)
            ended = trial.keep(machine.forks.wait(pid))
            trial.found(invariants.finding_raised(ended.problems, "database"))
            own.start()
        losses = int(not ended.is_done) + recover(trial, merchant)
        judge(trial, merchant, expected.rows, losses)
        database.close()


def _is_halted(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in ("T", "Z")
    except FileNotFoundError:
        return True


# Disks


@contextmanager
def _disk(folder: Path, kilobytes: int) -> Iterator[bool]:
    """A disk of that size at `folder`, where this user may mount one; whether it is there."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    mounted = subprocess.run(command, check=False, capture_output=True).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
        shutil.rmtree(folder, ignore_errors=True)


def _disk_full(where: str) -> "Row":
    """The disk fills up while answers are landed, or while a snapshot is written; then there is space again."""

    def play_it(trial: Trial) -> None:
        draw = trial.draw
        schedule = Schedule(some_world(draw), (), new=False, days=1.0)
        machine = trial.machine
        expected = undisturbed(machine, schedule)
        home = Path(tempfile.gettempdir()) / f"dropship-faults-disk-{uuid.uuid4().hex[:8]}"
        base = machine.base(schedule.world)
        there = sum(-(-file.lstat().st_size // 4096) * 4 for file in base.home.rglob("*") if file.is_file())
        slack = draw.randint(8, 120) if where == "raw" else draw.randint(150, 330)
        trial.plan = f"{schedule} {slack} KB left"
        with _disk(home, there + 1_000_000) as mounted, machine.merchant(schedule.world, home=home) as merchant:
            machine.reader.watch(merchant.lake)
            merchant.days_pass(schedule.days)
            options = {}
            if mounted:
                used = shutil.disk_usage(home).used // 1024
                subprocess.run(["mount", "-o", f"remount,size={used + slack}k", str(home)], check=True)
            else:
                options["file_kb"] = 4  # no disk of its own may be had: files may not grow instead
            ended = trial.keep(merchant.run(**options))
            if ended.problems:
                trial.found(invariants.finding_raised(ended.problems, str(home)))
            if mounted:
                subprocess.run(["mount", "-o", "remount,size=1g", str(home)], check=True)
            losses = int(not ended.is_done) + recover(trial, merchant)
            judge(trial, merchant, expected.rows, losses)

    return Row(f"stores.disk_full_{where}", f"disk full in {where}", play_it)


def _torn_file(trial: Trial) -> None:
    """What a killed sync landed and did not merge is torn when the next one finds it: cut off, flipped, emptied."""
    draw = trial.draw
    schedule = Schedule(some_world(draw), (), new=True)
    machine = trial.machine
    expected = undisturbed(machine, schedule)
    with machine.merchant(schedule.world, new=True) as merchant:
        machine.reader.watch(merchant.lake)
        point = Passing("load", draw.random()).of(expected.passed)
        trial.plan = f"{schedule} {point}"
        trial.keep(merchant.run(point=str(point)))
        recorded = {row["path"] for row in merchant.rows("SELECT path FROM ops.raw_files")}
        files = [
            file
            for file in (merchant.lake / "raw").rglob("*.parquet")
            if file.relative_to(merchant.lake).as_posix() not in recorded
        ]
        torn = 0
        for file in files:
            content = bytearray(file.read_bytes())
            match draw.choice(("cut off", "flipped", "emptied")):
                case "cut off":
                    content = content[: draw.randrange(len(content))]
                case "flipped":
                    for _ in range(20):
                        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
                case _:
                    content = bytearray()
            file.write_bytes(bytes(content))
            torn += 1
        losses = 1 + torn + recover(trial, merchant)
        judge(trial, merchant, expected.rows, losses)
        aside = [file.name for file in merchant.lake.rglob("*") if "torn" in file.name or "quarantine" in str(file)]
        trial.require(
            bool(aside) or not torn, "I6", "raw", "a torn file is nowhere set aside under a name that says so"
        )


def _torn_snapshot(trial: Trial) -> None:
    """Files of the newest snapshot are torn when a sync begins, which may be killed while it publishes anew."""
    draw = trial.draw
    schedule = Schedule(some_world(draw), (), new=False, days=draw.choice((0.0, 2.0)))
    machine = trial.machine
    expected = undisturbed(machine, schedule)
    with machine.merchant(schedule.world) as merchant:
        merchant.days_pass(schedule.days)
        files = sorted((merchant.lake / "latest").resolve().rglob("*.parquet"))
        torn = draw.sample(files, draw.choice((1, 2, 3)))
        trial.plan = f"{schedule} {[file.name for file in torn]}"
        for file in torn:
            match draw.choice(("cut off", "emptied", "gone")):
                case "cut off":
                    file.write_bytes(file.read_bytes()[: draw.randrange(file.stat().st_size)])
                case "emptied":
                    file.write_bytes(b"")
                case _:
                    file.unlink()
        losses = 0
        if draw.random() < 0.5:
            point = Passing(draw.choice(("publish", "pointer")), draw.random(), draw.random() < 0.5)
            losses += not trial.keep(merchant.run(point=str(point.of(expected.passed)))).is_done
        losses += recover(trial, merchant)
        machine.reader.watch(merchant.lake)
        judge(trial, merchant, expected.rows, losses)
        aside = [path for path in (merchant.lake / "quarantine").rglob("snapshot*") if path.exists()]
        trial.require(bool(aside), "I6", "snapshots", "a torn snapshot is nowhere set aside")


_BY_HAND = {
    "catalog.price_tiers": (
        "UPDATE catalog.price_tiers SET price = price + 1 WHERE ctid IN (SELECT ctid FROM catalog.price_tiers LIMIT 2)",
        "DELETE FROM catalog.price_tiers WHERE ctid IN (SELECT ctid FROM catalog.price_tiers LIMIT 3)",
    ),
    "catalog.inventory_levels": (
        (
            "UPDATE catalog.inventory_levels SET quantity = quantity + 7 "
            "WHERE ctid IN (SELECT ctid FROM catalog.inventory_levels LIMIT 2)"
        ),
    ),
    "catalog.product_images": (
        "DELETE FROM catalog.product_images WHERE ctid IN (SELECT ctid FROM catalog.product_images LIMIT 2)",
    ),
    "catalog.products": (
        "DELETE FROM catalog.products WHERE ctid IN (SELECT ctid FROM catalog.products LIMIT 1)",
        (
            "UPDATE catalog.products SET title = 'somebody was here' "
            "WHERE ctid IN (SELECT ctid FROM catalog.products LIMIT 1)"
        ),
    ),
}


def _altered_by_hand(trial: Trial) -> None:
    """Somebody changes rows: the table is named, and what the remedy says makes it what was answered."""
    draw = trial.draw
    schedule = Schedule(some_world(draw), (), new=False)
    machine = trial.machine
    expected = undisturbed(machine, schedule)
    table = draw.choice(sorted(_BY_HAND))
    statement = trial.plan = draw.choice(_BY_HAND[table])
    with machine.merchant(schedule.world) as merchant:
        machine.reader.watch(merchant.lake)
        with merchant.database.begin() as connection:
            connection.exec_driver_sql(statement)
        ended = trial.keep(merchant.run("alterations"))
        trial.found(invariants.finding_raised(ended.said.get("findings", ()), table))
        trial.keep(merchant.run("replay"))
        merchant.days_pass(0)
        recover(trial, merchant)
        # the logs of moves tell of the hand as well: what stood there was seen to change
        logs = ("catalog.price_changes", "catalog.inventory_changes", "catalog.listing_changes")
        judge(trial, merchant, expected.rows, None, logs)


ROWS = (
    _refused("nobody let in", "database"),
    _refused("sessions that end"),
    _refused("deadlocks"),
    _refused("many deadlocks"),
    _refused("serialisation failures"),
    _refused("time-outs"),
    _refused("locks not had"),
    _refused("read-only", "read-only"),
    Row("stores.cut_mid_load", "Postgres down mid-load", scheduled(_cut_mid_load)),
    Row("stores.commit_unheard", "Postgres down at commit", scheduled(_committed_unheard)),
    Row("stores.commit_unknown", "at commit with the outcome unknown", _commit_unknown),
    Row("stores.server_dies", "a real Postgres that is stopped and killed", _server_dies),
    Row("stores.slowed", "a real Postgres that is slowed", _slowed),
    Row("stores.tables_locked", "a real Postgres that is slowed: tables locked for seconds", _tables_locked),
    _disk_full("raw"),
    _disk_full("publish"),
    Row("stores.altered_by_hand", "a table altered by hand", _altered_by_hand),
    Row("stores.torn_file", "a torn or corrupt Parquet file found at start", _torn_file),
    Row("stores.torn_snapshot", "a torn Parquet file found at start, in what was published", _torn_snapshot),
)
