"""A sample of every row of the table of faults; `make faults` makes hundreds of trials of them."""

import os

import pytest
from fault_rows import ROWS
from machine import Machine
from trials import perform

SEED = int(os.environ.get("FAULTS_SEED", "1"))


@pytest.mark.xdist_group("faults")
@pytest.mark.parametrize("name", ROWS)
def test_after_a_fault_the_tables_are_those_of_an_undisturbed_run(machine: Machine, name: str) -> None:
    trial = perform(machine, ROWS[name], SEED)
    assert trial.violations == [], f"make faults ROW={name} SEED={SEED}\n{trial.plan}"


def test_every_row_says_which_sentence_it_stands_for() -> None:
    assert all(row.sentence and name.count(".") == 1 for name, row in ROWS.items())
    assert {name.partition(".")[0] for name in ROWS} == {
        "process", "api", "payload", "listing", "stores", "pushes", "orders", "any"
    }  # fmt: skip
