"""How seldom Python looks for garbage, in what, and when free memory is given back. Not what becomes garbage."""

import ctypes
import gc
import os
import sys

_OBJECTS_UNTIL_COLLECTED = 250_000


def collect_seldom() -> None:
    """From here on look for garbage once in 250,000 new objects, where Python does once in 700.

    Most of what a start makes stays, and looking through it again and again is a fifth of the start; decoded answers
    hold no cycles, and looking through those is a fifth of all CPU of a sync.
    """
    gc.set_threshold(_OBJECTS_UNTIL_COLLECTED)


def leave_what_is_there() -> None:
    """Never look through what there is by now, as what was imported: else each full collection walks all of it.

    Of a sync that was a third of the cost of normalising.
    """
    gc.freeze()


def allocate_plainly() -> None:
    """Have Arrow take its memory as everybody else does. To be called before Arrow is imported.

    Its own allocator keeps for itself what was freed: 70 MB at the peak of a sync, and nothing is faster.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")


def give_back() -> None:
    """Give the system the memory that is free in this process, where the C library can: some milliseconds.

    What one stage took is not carried through the next: at 100,000 products a twentieth of the peak of a sync.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
