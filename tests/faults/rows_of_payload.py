"""Rows of the payload: answers that are well-formed and not what the guide says.

What such an answer says is what Alibaba.com says: somebody who reads it and is killed on the way must end with the
tables of somebody who was not. When it is mended, they are those of somebody who never saw it.
"""

from collections.abc import Callable

import invariants
from invariants import Violation
from rows_of_process import some_world
from trials import Disturbed, Passing, Row, Schedule, Trial, play, undisturbed

_MOVES = ("catalog.price_changes", "catalog.inventory_changes", "catalog.listing_changes")
"""Logs of what was seen to change: a fault that spoils values, and its end, are changes that were seen."""

KINDS = {
    "new_fields": "new fields",
    "missing_fields": "missing fields",
    "null_fields": "null fields",
    "null_text": '"null" fields',
    "numbers_for_strings": "number for string",
    "object_for_list": "object for list",
    "list_for_object": "list for object",
    "minus_one": "-1, negative stock",
    "thousands_price": '"1,234.50"',
    "word_price": "a word for a price",
    "nul_text": "NUL in text",
    "lone_surrogate": "lone surrogates in text",
    "huge_description": "a 4 MB description",
    "sku_twice": "a SKU twice",
    "currency_change": "a currency that changes",
    "ids_as_numbers": "ids as numbers",
}


def _spoilt(kind: str) -> Callable[[Trial], None]:
    def play_it(trial: Trial) -> None:
        draw = trial.draw
        # what is huge is one product's: the others would only take time
        rate = 0.04 if kind == "huge_description" else draw.choice((0.1, 0.3, 1.0))
        lasting = (f"{kind}:{rate}",)
        kill = Passing(
            draw.choice(("details", "landing", "load", "merge", "commit")), draw.random(), draw.random() < 0.5
        )
        schedule = Schedule(some_world(draw), (Disturbed(point=kill),), lasting=lasting)
        play(trial, schedule)
        if draw.random() < 0.5:
            _mended(trial, schedule)

    return play_it


def _mended(trial: Trial, schedule: Schedule) -> None:
    """The fault ends, everything is read again: the tables are what two readings without it make them."""
    clean = undisturbed(trial.machine, Schedule(schedule.world, (), new=False))
    with trial.machine.merchant(schedule.world, new=True) as merchant:
        merchant.switch_on(*schedule.lasting)
        spoilt = trial.keep(merchant.run())
        told = merchant.rows("SELECT record_key FROM ops.rejected_records")
        if spoilt.said.get("rejected"):
            trial.require(bool(told), "I6", "ops.rejected_records", "a rejected record is nowhere to be found")
        merchant.switch_off()
        merchant.days_pass(0)
        ended = trial.keep(merchant.run())
        trial.require(ended.is_done, "I1", "recovery", ended.output[-500:])
        again = invariants.compare(
            clean.rows, invariants.contents(merchant), apart_from=(*_MOVES, "ops.rejected_records")
        )
        # whether a product changed since it was first seen is true of one whose answers did
        trial.found([Violation(v.invariant, v.where, v.what) for v in again if v.where != "catalog.products"])
        trial.found(invariants.nothing_torn(merchant))


ROWS = tuple(Row(f"payload.{kind}", sentence, _spoilt(kind)) for kind, sentence in KINDS.items())
