"""Rows of the process: killed, told to end, twice at once, woken up late, short of memory, with a clock that jumps."""

import os
import random
import signal
import time
from dataclasses import replace

import invariants
from forked_syncs import is_stopped
from machine import World
from points import PLACES, end_sessions
from trials import Disturbed, Passing, Row, Schedule, Trial, judge, recover, scheduled, undisturbed


def some_world(draw: random.Random) -> World:
    """One of a few small worlds: so that what an undisturbed run comes to is worked out once for many trials."""
    return draw.choice(WORLDS)


WORLDS = (
    World(products=24, seed=11),
    World(products=36, seed=12),
    World(products=52, seed=13, dialect="live"),
)
SENTENCE = "kill -9 at random points of every stage"


def killed_at(name: str) -> Row:
    """Killed once to three times where a sync passes this point."""

    def build(draw: random.Random) -> Schedule:
        times = draw.choice((1, 1, 2, 3))
        return Schedule(
            some_world(draw),
            tuple(Disturbed(point=Passing(name, draw.random(), draw.random() < 0.5)) for _ in range(times)),
            new=draw.random() < 0.5,
            days=draw.choice((0.0, 0.0, 2.0)),
        )

    return Row(f"process.killed_{name}", f"{SENTENCE}: {name}", scheduled(build))


def _killed_anywhere(draw: random.Random) -> Schedule:
    points = [Passing(draw.choice(sorted(PLACES)), draw.random(), draw.random() < 0.5) for _ in range(4)]
    faults = draw.choice(((), ("http_500:0.1",), ("throttle_body:0.05:ban=0",), ("truncated_json:0.05",)))
    return Schedule(some_world(draw), tuple(Disturbed(faults=faults, point=point) for point in points), days=1.0)


def _told_to_end(draw: random.Random) -> Schedule:
    name = draw.choice(sorted(PLACES))
    point = Passing(name, draw.random(), draw.random() < 0.5, action="term")
    return Schedule(some_world(draw), (Disturbed(point=point),), new=draw.random() < 0.5)


def _two_at_once(trial: Trial) -> None:
    """Two runs of the same feeds, begun within a moment of each other; one of them may be killed."""
    draw = trial.draw
    schedule = Schedule(some_world(draw), (), new=draw.random() < 0.5, days=draw.choice((0.0, 2.0)))
    expected = undisturbed(trial.machine, schedule)
    with trial.machine.merchant(schedule.world, new=schedule.new) as merchant:
        trial.machine.reader.watch(merchant.lake)
        merchant.days_pass(schedule.days)
        point = Passing(draw.choice(sorted(PLACES)), draw.random()) if draw.random() < 0.3 else None
        trial.plan = f"{schedule} {point}"
        pids = [
            trial.machine.forks.start(merchant.work()),
            trial.machine.forks.start(merchant.work(point=point and str(point.of(expected.passed)))),
        ]
        for pid in pids:
            trial.keep(trial.machine.forks.wait(pid))
        trial.found(invariants.falsely_delisted(merchant))
        recover(trial, merchant)
        # both may have read everything: that is what two runs cost
        judge(trial, merchant, expected.rows, losses=None)


def _woken_up(trial: Trial) -> None:
    """A run is stopped in its tracks, its sessions end, another one does the work, days pass, and it wakes up."""
    draw = trial.draw
    schedule = Schedule(some_world(draw), (), new=False, days=2.0)
    machine = trial.machine
    expected = undisturbed(machine, schedule)
    name = draw.choice(("listing", "details", "landing", "load", "merge", "commit", "publish", "pointer"))
    point = Passing(name, draw.random(), action="stop").of(expected.passed)
    trial.plan = f"{schedule} {point}"
    with machine.merchant(schedule.world) as merchant:
        machine.reader.watch(merchant.lake)
        old = machine.forks.start(merchant.work(point=str(point)))
        _wait_until_stopped(old)
        end_sessions(merchant.database.libpq_url)
        merchant.days_pass(schedule.days)
        recover(trial, merchant)
        os.kill(old, signal.SIGCONT)
        trial.keep(machine.forks.wait(old))
        # what was true two days ago may have been read, and nothing of it may be in the tables
        found = invariants.compare(expected.rows, invariants.contents(merchant), apart_from=("ops.missed_memberships",))
        trial.found(found)
        trial.found(invariants.falsely_delisted(merchant))
        recover(trial, merchant)
        judge(trial, merchant, expected.rows, losses=None)


def late_waker(trial: Trial, schedule: Schedule) -> None:
    """A run has read feeds and is stopped; a person lets through that a third of them went; then it wakes up."""
    machine = trial.machine
    expected = undisturbed(machine, replace(schedule, new=False))
    with machine.merchant(schedule.world) as merchant:
        merchant.days_pass(schedule.days)
        late = machine.forks.start(merchant.work(point="load:1:before:stop"))
        _wait_until_stopped(late)
        end_sessions(merchant.database.libpq_url)
        merchant.switch_on("missing_third")
        trial.keep(merchant.run("listings", let_through=True))
        listed = "SELECT feed, product_id FROM catalog.feed_products WHERE delisted_at IS NULL ORDER BY 1, 2"
        ended = "SELECT sweep_id, state, ended_at, missing FROM ops.sweeps WHERE ended_at IS NOT NULL"
        before, swept = merchant.rows(listed), merchant.rows(ended)
        os.kill(late, signal.SIGCONT)
        trial.keep(machine.forks.wait(late))
        after = [row for row in merchant.rows(listed) if row not in before]
        trial.require(not after, "I2", "catalog.feed_products", f"{len(after)} memberships were written by a late run")
        over = [row for row in swept if row not in merchant.rows(ended)]
        trial.require(not over, "I2", "ops.sweeps", f"{len(over)} sweeps were written over by a late run")
        merchant.switch_off()
        recover(trial, merchant)
        logs = ("catalog.listing_changes", "ops.missed_memberships")
        machine.reader.watch(merchant.lake)
        judge(trial, merchant, expected.rows, None, logs)


def _woken_late(trial: Trial) -> None:
    late_waker(trial, Schedule(some_world(trial.draw), (), new=False))


def _wait_until_stopped(pid: int) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            if is_stopped(pid):
                return
        except FileNotFoundError:
            return  # it never came to that point
        time.sleep(0.01)
    raise TimeoutError(f"process {pid} was not stopped")


def _short_of_memory(draw: random.Random) -> Schedule:
    limits = tuple(Disturbed(options=(("memory_mb", draw.choice((8, 24, 64, 128))),)) for _ in range(2))
    return Schedule(some_world(draw), limits, new=draw.random() < 0.5)


def _clock_jumps(draw: random.Random) -> Schedule:
    hour = draw.choice((3_600.0, -3_600.0))
    ahead = (("clock_ahead_s", hour),)
    point = Passing(draw.choice(sorted(PLACES)), draw.random()) if draw.random() < 0.5 else None
    return Schedule(some_world(draw), (Disturbed(point=point, options=ahead),), new=draw.random() < 0.5, days=1.0)


ROWS = (
    *(killed_at(name) for name in PLACES),
    Row("process.killed_anywhere", "hundreds of seeded trials", scheduled(_killed_anywhere)),
    Row("process.sigterm", "SIGTERM drains", scheduled(_told_to_end)),
    Row("process.two_at_once", "two runs of one feed at once", _two_at_once),
    Row("process.woken_up", "a worker that lost its lease wakes up", _woken_up),
    Row("process.woken_late", "a worker that lost its lease wakes up: what it saw is of yesterday", _woken_late),
    Row("process.memory_cap", "a memory cap", scheduled(_short_of_memory)),
    Row("process.clock_jumps", "a clock that jumps an hour", scheduled(_clock_jumps)),
)
