"""Which pieces of work may not happen twice at once, whatever the number of processes and machines.

Advisory locks of Postgres, held until the transaction ends; a process that dies lets go of them. Merges of one kind go
one after the other: that makes what two of them do to the same product obvious, and costs little, for a merge takes
some tens of milliseconds and the API grants far fewer answers than that would allow.
"""

from enum import IntEnum

_OURS = 0x64726F70  # "drop": other applications in the same database choose their own

PATIENCE = "5min"
"""How long a merge waits for its turn. A sweep of a million products takes some ten seconds."""


class Lock(IntEnum):
    """One number a piece of work."""

    MIGRATION = 1
    # descriptions and sweeps both decide whether a product is on the market, each from what the other wrote
    OFFER = 2
    INVENTORY = 3
    FREIGHT = 4
    PUBLICATION = 5


def take(lock: Lock) -> str:
    """The statement that waits for the lock and keeps it until the transaction ends."""
    return f"SELECT pg_advisory_xact_lock({_OURS}, {lock.value})::text"
