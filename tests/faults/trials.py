"""A trial: a row of the table of faults and a seed. What is drawn from the seed is a schedule; this plays it.

Played means: a merchant is disturbed as scheduled, is let recover (syncs until one is done), and is then held against
one who saw the same answers undisturbed. A row with a course of its own has a function instead of a schedule.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import invariants
from forked_syncs import Ended
from invariants import Rows, Violation
from machine import Machine, Merchant, World
from points import Point

TRIES = 4
"""Syncs that a merchant may need to be done after the last disturbance."""


@dataclass(frozen=True)
class Passing:
    """A point of a sync, `at` a share (0 to 1) of the times that an undisturbed one passes it; what is done there."""

    name: str
    at: float
    after: bool = False
    action: str = "kill"

    def of(self, passed: dict[str, int]) -> Point:
        """The point itself, in a sync that passes it so often."""
        times = passed.get(self.name, 0)
        return Point(self.name, 1 + min(int(self.at * times), max(times - 1, 0)), self.after, self.action)


@dataclass(frozen=True)
class Disturbed:
    """One disturbed sync: faults of the API, a point where something happens, what surrounds it."""

    faults: tuple[str, ...] = ()
    point: Passing | None = None
    around: str = ""
    options: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class Schedule:
    """What a trial does to a merchant.

    `new`: one who never synced. `days` pass before the disturbances. `lasting` faults stand for what Alibaba.com says,
    in the undisturbed run too. `told`: what somebody must have been told in the disturbed runs. `apart_from`: logs of
    what was seen, which legitimately tell of the disturbance.
    """

    world: World
    disturbed: tuple[Disturbed, ...]
    new: bool = True
    days: float = 0.0
    lasting: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    apart_from: tuple[str, ...] = ()
    spoils_world: bool = False
    variables: tuple[tuple[str, str], ...] = ()


@dataclass
class Trial:
    """One trial under way, and what it found."""

    machine: Machine
    row: str
    seed: int
    violations: list[Violation] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    reads: int = 0
    again: int = 0
    seconds: float = 0.0
    plan: str = ""
    bit: bool = False
    """Whether anything came of the disturbance: a trial in which it did not shows nothing."""

    @property
    def draw(self) -> random.Random:
        """Luck that the seed decides: the same at each call."""
        return random.Random(f"{self.row} {self.seed}")

    def found(self, violations: list[Violation]) -> None:
        self.violations += violations

    def require(self, holds: bool, invariant: str, where: str, what: str) -> None:
        """A violation unless it holds."""
        if not holds:
            self.violations.append(Violation(invariant, where, what))

    def keep(self, ended: Ended, *, may_crash: bool = False) -> Ended:
        """Note what a process printed; one that crashed is a violation of its own."""
        self.outputs.append(ended.output)
        if ended.crashed and not may_crash:
            self.violations.append(Violation("I6", "process", f"ended by no Problem: {ended.output[-1500:]}"))
        if ended.hung:
            self.violations.append(Violation("I6", "process", f"waited for ever: {ended.output[-4000:]}"))
        return ended


@dataclass(frozen=True)
class Row:
    """A row of the table: the sentence of ours that it stands for, and how a trial of it goes."""

    name: str
    sentence: str
    play: Callable[[Trial], None]


@dataclass(frozen=True)
class Undisturbed:
    """What a run came to that nothing disturbed: what stands in the tables, and how often it passed each point."""

    rows: Rows
    passed: dict[str, int]


Surrounding = Callable[[Merchant], AbstractContextManager[None]]
AROUND: dict[str, Surrounding] = {"": lambda _: nullcontext()}
"""What may surround a disturbed sync, by name; rows add theirs."""


def around(name: str) -> Callable[[Callable[[Merchant], Iterator[None]]], Surrounding]:
    """Enter a function with one `yield` under this name."""

    def enter(function: Callable[[Merchant], Iterator[None]]) -> Surrounding:
        AROUND[name] = contextmanager(function)
        return AROUND[name]

    return enter


@dataclass(frozen=True)
class Scheduled:
    """A row whose trials are schedules, drawn."""

    build: Callable[[random.Random], Schedule]

    def __call__(self, trial: Trial) -> None:
        play(trial, self.build(trial.draw))


def scheduled(build: Callable[[random.Random], Schedule]) -> Scheduled:
    """A row whose trials are such schedules."""
    return Scheduled(build)


def perform(machine: Machine, row: Row, seed: int) -> Trial:
    """One trial from its beginning to its end."""
    trial = Trial(machine, row.name, seed)
    began = time.monotonic()
    trial.bit = not isinstance(row.play, Scheduled)
    row.play(trial)
    trial.seconds = time.monotonic() - began
    return trial


def undisturbed(machine: Machine, schedule: Schedule) -> Undisturbed:
    """The same answers, read by somebody whom nothing disturbs."""
    key = replace(schedule, disturbed=(), told=(), apart_from=(), spoils_world=False)
    if key not in machine.known:
        with machine.merchant(schedule.world, new=schedule.new, variables=dict(schedule.variables)) as merchant:
            merchant.switch_on(*schedule.lasting)
            merchant.days_pass(schedule.days)
            ended = merchant.run()
            if not ended.is_done:
                raise AssertionError(f"nothing disturbed it, and yet: {ended.output}")
            machine.known[key] = Undisturbed(invariants.contents(merchant), ended.said["passed"])
    found: Undisturbed = machine.known[key]
    return found


def play(trial: Trial, schedule: Schedule) -> None:
    """Disturb, let recover, compare."""
    trial.plan = str(schedule)
    machine = trial.machine
    expected = undisturbed(machine, schedule)
    with machine.merchant(schedule.world, new=schedule.new, variables=dict(schedule.variables)) as merchant:
        machine.reader.watch(merchant.lake)
        merchant.days_pass(schedule.days)
        told, losses = _disturb(trial, merchant, schedule, expected.passed)
        trial.found(invariants.falsely_delisted(merchant))
        merchant.switch_on(*schedule.lasting)
        losses += recover(trial, merchant)
        if schedule.told:
            trial.found(invariants.finding_raised(told, *schedule.told))
        judge(trial, merchant, expected.rows, losses, schedule.apart_from)
    if schedule.spoils_world:
        machine.forget(schedule.world)


def _disturb(trial: Trial, merchant: Merchant, schedule: Schedule, passed: dict[str, int]) -> tuple[list[str], int]:
    """Every disturbed sync of the schedule; what people were told, and how many syncs were not done."""
    told: list[str] = []
    losses = 0
    for disturbed in schedule.disturbed:
        merchant.switch_on(*schedule.lasting, *disturbed.faults)
        point = disturbed.point.of(passed or merchant.passed) if disturbed.point else None
        with AROUND[disturbed.around](merchant):
            options = dict(disturbed.options)
            # without memory nobody can choose words
            ended = trial.keep(merchant.run(point=point and str(point), **options), may_crash="memory_mb" in options)
        trial.bit |= not ended.is_done or bool(disturbed.around or disturbed.options) or merchant.was_hit()
        if point is not None and ended.said:
            trial.bit |= ended.said["passed"].get(point.name, 0) >= point.nth
        merchant.switch_off()
        trial.found(invariants.torn_in_postgres(merchant))
        told += ended.problems
        losses += not ended.is_done
    return told, losses


def play_together(trial: Trial, schedules: Sequence[Schedule]) -> None:
    """What the schedules do, one after the other to one merchant of the first one's world; one judgement at the end.

    Cheaper than one by one, and less is found: nothing is said of refetches, for each begins with everything due.
    """
    machine, world = trial.machine, schedules[0].world
    expected = undisturbed(machine, Schedule(world, (), new=False))
    with machine.merchant(world) as merchant:
        machine.reader.watch(merchant.lake)
        for schedule in schedules:
            trial.plan = str(schedule)
            merchant.days_pass(0)
            told, _ = _disturb(trial, merchant, schedule, {})
            if schedule.told:
                trial.found(invariants.finding_raised(told, *schedule.told))
            trial.found(invariants.falsely_delisted(merchant))
        merchant.days_pass(0)
        recover(trial, merchant)
        judge(trial, merchant, expected.rows, losses=None)
    if any(schedule.spoils_world for schedule in schedules):
        machine.forget(world)


def recover(trial: Trial, merchant: Merchant) -> int:
    """Sync until one is done; how many were not."""
    for tries in range(TRIES):
        ended = trial.keep(merchant.run())
        if ended.is_done:
            return tries
    trial.violations.append(Violation("I1", "recovery", f"{TRIES} syncs were not done: {ended.output[-500:]}"))
    return TRIES


def judge(
    trial: Trial, merchant: Merchant, expected: Rows, losses: int | None, apart_from: tuple[str, ...] = ()
) -> None:
    """Every invariant that needs no more than what was left."""
    looks = trial.machine.reader.stop()
    trial.found(invariants.compare(expected, invariants.contents(merchant), apart_from))
    trial.found(invariants.nothing_torn(merchant, looks))
    trial.found(invariants.falsely_delisted(merchant))
    if losses is not None:
        violations, reads, again = invariants.refetches(merchant, losses)
        trial.found(violations)
        trial.reads += reads
        trial.again += again
    trial.found(invariants.leaks(merchant, trial.outputs))
