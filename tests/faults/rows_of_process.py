"""Rows of the process: killed, told to end, twice at once, woken up late, short of memory, with a clock that jumps."""

import os
import random
import signal
import time

import invariants
from machine import World
from points import PLACES, end_sessions
from trials import Disturbed, Passing, Row, Schedule, Trial, judge, recover, scheduled, undisturbed
from forked_syncs import is_stopped


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


ROWS = (
    *(killed_at(name) for name in PLACES),
    Row("process.killed_anywhere", "hundreds of seeded trials", scheduled(_killed_anywhere)),
    Row("process.sigterm", "SIGTERM drains", scheduled(_told_to_end)),
)
