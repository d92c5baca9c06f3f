"""How seldom Python looks for garbage, and what it need not look through. Not what becomes garbage."""

import gc

_OBJECTS_UNTIL_COLLECTED = 50_000


def collect_seldom() -> None:
    """From here on look for garbage once in 50,000 new objects, where Python does once in 700.

    Most of what a start makes stays, and looking through it again and again is a fifth of the start; decoded answers
    hold no cycles, and looking through those is a fifth of all CPU of a sync.
    """
    gc.set_threshold(_OBJECTS_UNTIL_COLLECTED)


def leave_what_is_there() -> None:
    """Never look through what there is by now, as what was imported: else each full collection walks all of it.

    Of a sync that was a third of the cost of normalising.
    """
    gc.freeze()
