"""Any schedule at all: a random catalogue, random drift, random faults and deaths, one after the other.

The property that the other rows are examples of. `test_any_schedule.py` has hypothesis draw them; here a seed does.
"""

import random

from machine import World
from points import PLACES
from trials import Disturbed, Passing, Row, Schedule, scheduled

_PASSING_FAULTS = (
    "http_500:{rate}",
    "http_429:{rate}:retry_after=0",
    "throttle_body:{rate}:ban=0",
    "reset:{rate}",
    "dropped:{rate}",
    "truncated_json:{rate}",
    "bad_gzip:{rate}",
    "html_page:{rate}",
    "wrong_result_code:{rate}",
    "outage:after={after}:first=200",
    "empty_page:page=1:first=2",
    "total_moving",
    "refuse:{rate}:code=ServiceTimeout",
)
_LASTING_FAULTS = ("detail_gone:{rate}", "null_fields:{rate}", "word_price:{rate}", "ids_as_numbers", "nul_text:{rate}")
_SURROUNDINGS = ("", "", "", "deadlocks", "serialisation failures", "sessions that end", "read-only")


def any_schedule(draw: random.Random) -> Schedule:
    """A schedule, all of it drawn."""
    world = World(
        products=draw.randint(8, 60), seed=draw.randint(1, 6), dialect=draw.choice(("guide", "guide", "live"))
    )

    def some(texts: tuple[str, ...], most: int) -> tuple[str, ...]:
        chosen = draw.sample(texts, draw.randint(0, most))
        return tuple(text.format(rate=round(draw.uniform(0.02, 0.4), 2), after=draw.randint(0, 80)) for text in chosen)

    def disturbed() -> Disturbed:
        point = None
        if draw.random() < 0.7:
            action = draw.choice(("kill", "kill", "kill", "cut", "term"))
            point = Passing(draw.choice(sorted(PLACES)), draw.random(), draw.random() < 0.5, action)
        return Disturbed(some(_PASSING_FAULTS, 3), point, draw.choice(_SURROUNDINGS))

    return Schedule(
        world,
        tuple(disturbed() for _ in range(draw.randint(1, 4))),
        new=draw.random() < 0.4,
        days=draw.choice((0.0, 0.5, 2.0, 6.0)),
        lasting=some(_LASTING_FAULTS, 1),
    )


ROWS = (Row("any.schedule", "after any sequence of crashes and faults", scheduled(any_schedule)),)
