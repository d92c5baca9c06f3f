"""For random catalogues, drifts and schedules of faults, the tables after recovery are those of an undisturbed run."""

import os
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from machine import Machine
from rows_of_any import any_schedule
from trials import Trial, play

EXAMPLES = int(os.environ.get("FAULTS_EXAMPLES", "3"))


@pytest.mark.xdist_group("faults")
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(luck=st.randoms(use_true_random=False))
def test_after_any_schedule_the_tables_are_those_of_an_undisturbed_run(machine: Machine, luck: random.Random) -> None:
    trial = Trial(machine, "any.schedule", 0)
    schedule = any_schedule(luck)
    play(trial, schedule)
    assert trial.violations == [], schedule
