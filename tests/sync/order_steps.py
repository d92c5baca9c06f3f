"""Steps that the tests of orders share: a merchant's desk, time that passes, following until it is quiet."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from deployment import Deployment
from moment import THEN_MS

from dropship_pipeline.sync.orders.following import follow, refresh_orders
from dropship_pipeline.sync.orders.outcomes import FollowOutcome, OrdersOutcome
from dropship_pipeline.sync.progress import Progress, Silent
from dropship_pipeline.sync.session import Desk, open_desk

HOUR, DAY = 3_600, 86_400
THEN = {"clock_start_ms": THEN_MS, "access_token_s": 10_000_000}
"""Options of a simulated Alibaba.com that stands at one moment, and whose tokens outlive the months since."""


class Noting(Silent):
    """Keeps the lines that a person should see."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, line: str) -> None:
        self.notes.append(line)


@contextmanager
def at_desk(merchant: Deployment, progress: Progress | None = None) -> Iterator[Desk]:
    """The merchant's tables, lake and API, as a run has them."""
    with open_desk(merchant.settings, str(uuid.uuid4()), progress or Silent()) as desk:
        yield desk


def time_passes(merchant: Deployment, seconds: int) -> None:
    """Let time pass at the simulated Alibaba.com, and for what the ledger has planned."""
    merchant.sandbox.control("clock", {"advance_s": seconds})
    with merchant.database.begin() as connection:
        connection.exec_driver_sql(
            f"UPDATE ops.order_fetches SET look_again_at = look_again_at - interval '{seconds} seconds', "
            f"requested_at = requested_at - interval '{seconds} seconds'"
        )


def follow_until_quiet(desk: Desk, cursor: str | None) -> tuple[list[FollowOutcome], OrdersOutcome]:
    """Look and read until there is nothing to read: the looks, and what the readings came to."""
    looks: list[FollowOutcome] = []
    total = OrdersOutcome()
    while not looks or looks[-1].changed:
        looks.append(follow(desk, looks[-1].cursor if looks else cursor, seconds=30))
        assert looks[-1].complete, looks[-1].reason
        assert len(looks) < 20, "it does not become quiet"
        total += refresh_orders(desk, looks[-1].changed)
    return looks, total


def status_log(merchant: Deployment) -> list[tuple[str, str, str]]:
    """Every logged change: order, from, to."""
    rows = merchant.rows("SELECT trade_id, old_status, new_status FROM orders.order_status_changes")
    return sorted((row["trade_id"], row["old_status"], row["new_status"]) for row in rows)
