"""A sample of every row of the table of faults, many of them on one merchant; `make faults` makes hundreds."""

import os
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

import pytest
from fault_rows import ROWS
from machine import Machine, World
from rows_of_payload import KINDS
from rows_of_pushes import Pushed, play_ways
from trials import Disturbed, Passing, Schedule, Scheduled, Trial, perform, play, play_together

SEED = int(os.environ.get("FAULTS_SEED", "1"))
WORLD = World(products=24, seed=11)
GROUPS: dict[str, list[str]] = defaultdict(list)
ALONE: list[str] = []
for known, row in ROWS.items():
    kind = known.partition(".")[0]
    if kind in ("payload", "any"):
        continue  # all kinds of payload in one trial; any schedule has a test of its own
    if isinstance(row.play, Pushed):
        GROUPS["pushes"].append(known)
    elif isinstance(row.play, Scheduled) and not row.play.build(random.Random(f"{known} {SEED}")).lasting:
        GROUPS[kind].append(known)
    else:
        ALONE.append(known)

pytestmark = pytest.mark.xdist_group("faults")


def schedule_of(name: str) -> Schedule:
    play_it = ROWS[name].play
    assert isinstance(play_it, Scheduled)
    drawn = play_it.build(random.Random(f"{name} {SEED}"))
    times = 2 if name.startswith("listing.") else 1  # two sweeps delist; else one disturbance will do
    return replace(drawn, world=WORLD, disturbed=drawn.disturbed[:times])


def together() -> Iterator[tuple[str, ...]]:
    """Rows that are tried on one merchant: so many that judging costs little, so few that it stays clear what broke."""
    for kind, names in GROUPS.items():
        if kind != "pushes":
            yield from (tuple(names[at : at + 7]) for at in range(0, len(names), 7))


@pytest.mark.parametrize("names", list(together()), ids=lambda names: names[0])
def test_after_faults_one_after_the_other_the_tables_are_those_of_an_undisturbed_run(
    machine: Machine, names: tuple[str, ...]
) -> None:
    trial = Trial(machine, names[0], SEED)
    play_together(trial, [schedule_of(name) for name in names])
    assert trial.violations == [], trial.plan


@pytest.mark.parametrize("name", ALONE)
def test_after_a_fault_the_tables_are_those_of_an_undisturbed_run(machine: Machine, name: str) -> None:
    trial = perform(machine, ROWS[name], SEED)
    assert trial.violations == [], f"make faults ROW={name} SEED={SEED}\n{trial.plan}"


def test_whatever_becomes_of_messages_the_tables_are_those_of_an_undisturbed_run(machine: Machine) -> None:
    trial = Trial(machine, "pushes", SEED)
    ways = [ROWS[name].play for name in GROUPS["pushes"]]
    play_ways(trial, [way for way in ways if isinstance(way, Pushed)])
    assert trial.violations == []


def test_odd_payloads_of_every_kind_survive_a_kill(machine: Machine) -> None:
    # half a surrogate pair goes last: it makes bytes of an answer which no other fault could read
    kinds = sorted(KINDS, key=lambda kind: kind == "lone_surrogate")
    lasting = tuple(f"{kind}:{0.04 if kind == 'huge_description' else 0.1}" for kind in kinds)
    trial = Trial(machine, "payload", SEED)
    play(trial, Schedule(WORLD, (Disturbed(point=Passing("merge", 0.7)),), lasting=lasting))
    assert trial.violations == []


def test_every_row_is_in_the_sample_and_says_which_sentence_it_stands_for() -> None:
    sampled = {name for names in GROUPS.values() for name in names} | set(ALONE)
    left = {name.partition(".")[0] for name in set(ROWS) - sampled}
    assert left == {"payload", "any"}
    assert all(row.sentence and name.count(".") == 1 for name, row in ROWS.items())
