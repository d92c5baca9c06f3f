"""How many there are at a moment: every variant sells down in steps and is filled up again."""

from typing import NamedTuple


class StockPlan(NamedTuple):
    """The course of one variant's stock in one place: `capacity` units, sold in `steps` equal steps a cycle."""

    capacity: int
    steps: int
    cycles_per_day: float
    phase: float  # [0, 1): where in its cycle it was on day 0
    sells_out: bool  # whether the last step of a cycle is an empty shelf


def level(plan: StockPlan, days: float | None) -> int:
    """Units on day `days` of the catalogue's life; None: time stands still, at day 0."""
    progress = (plan.phase + (days or 0.0) * plan.cycles_per_day) % 1
    sold = int(progress * plan.steps)
    if plan.sells_out:
        return plan.capacity - plan.capacity * sold // max(1, plan.steps - 1)
    return plan.capacity - plan.capacity * sold // plan.steps
