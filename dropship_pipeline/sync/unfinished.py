"""Which feeds of a run are left with something undone: what a later run has to do again, and for which of them.

Told from the book-keeping in Postgres, not from the session: where steps are processes of their own, each has another.
"""

from collections.abc import Sequence
from datetime import datetime

from dropship_pipeline.catalog.freshness import MAX_AGES
from dropship_pipeline.storage.catalog.fetches import feeds_left
from dropship_pipeline.storage.catalog.sweeps import sweep_states
from dropship_pipeline.sync.request import SyncRequest
from dropship_pipeline.sync.session import Session

COMPLETE = "complete"


def swept(session: Session, feeds: Sequence[str]) -> set[str]:
    """Those of `feeds` that this run has read to their ends, with no delisting held."""
    states = sweep_states(session.database, feeds, session.started_at)
    return {feed for feed, state in states.items() if state == COMPLETE}


def unswept(session: Session, feeds: Sequence[str]) -> set[str]:
    """Those of `feeds` that this run has read and not completed, or that are held."""
    states = sweep_states(session.database, feeds, session.started_at)
    return {feed for feed, state in states.items() if state != COMPLETE}


def unread(session: Session, kind: str, request: SyncRequest, since: datetime) -> set[str]:
    """Those of the request's feeds of which something of this kind was due at `since` (UTC) and is not read yet.

    All of them where the request had a limit: nobody knows then what it would have come to.
    """
    if request.limit is not None:
        return set(request.feeds)
    age = request.max_age if request.max_age is not None else MAX_AGES[kind]
    read_before = since if request.force else since - age
    destinations = [str(destination) for destination in session.destinations] if kind == "freight" else [""]
    return set().union(
        *(feeds_left(session.database, kind, place, read_before, request.feeds) for place in destinations)
    )
