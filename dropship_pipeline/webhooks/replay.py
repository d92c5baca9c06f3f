"""Messages that begin anew: read again from their bodies by this version, whatever an older one made of them."""

from collections.abc import Sequence
from datetime import datetime

from dropship_pipeline.storage.ops.inbox import put_back, replayable
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.webhooks.intake import read_again

_TOGETHER = 1_000


def replay_messages(database: Database, keys: Sequence[str], *, all_dead: bool, now: datetime) -> int:
    """Let the settled messages whose keys begin with these, or all dead ones, wait again; how many. `now`: UTC.

    One that still names nothing stays dead.
    """
    total, after = 0, ""
    while bodies := replayable(database, keys, all_dead=all_dead, after=after, most=_TOGETHER):
        after = max(bodies)
        total += put_back(database, [read_again(key, body, now) for key, body in bodies.items()])
    return total
