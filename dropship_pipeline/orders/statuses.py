"""The statuses of an order: which follows which, which end it, and which must be looked at without being told.

The guide lists twelve (Order Status Codes); the live gateway has more, which are kept and are `unknown` here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType


class Irregularity(StrEnum):
    """What is odd about a change of status, as `orders.order_status_changes` has it."""

    SKIPPED = "skipped"  # others lie between: no reading saw them
    BACKWARDS = "backwards"  # the order was further before, or had ended
    UNKNOWN = "unknown"  # one of the two is none of those below


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a status.

    `rank`: how far an order has come; None for what may happen at any point. `follows`: what may come next, with
    nothing between. `looked_at_every`: how often an order is read although the list shows no change of it; None: never.
    """

    rank: int | None
    follows: frozenset[str]
    looked_at_every: timedelta | None = None


def _standing(rank: int | None, *follows: str, looked_at_every: timedelta | None = None) -> Standing:
    return Standing(rank, frozenset(follows), looked_at_every)


_DISPUTES = ("frozen", "charge_back")
# The parcels travel on without the order being modified: what the list says of it stays the same for weeks.
_IN_TRANSIT = timedelta(hours=6)
# Nobody knows what happens in a status that nobody knows.
_UNKNOWN = timedelta(hours=24)

STATUSES: Mapping[str, Standing] = MappingProxyType(
    {
        "to_be_audited": _standing(0, "unpay", "trade_close"),
        "unpay": _standing(1, "paying", "paid", "trade_close"),
        # a payment that is not verified leaves the order unpaid
        "paying": _standing(2, "paid", "unpay", "trade_close"),
        # the funds may be captured before anybody looks: orders go on to the seller either way
        "paid": _standing(3, "captured", "undeliver", "trade_close", *_DISPUTES),
        "captured": _standing(4, "undeliver", "trade_close", *_DISPUTES),
        "undeliver": _standing(5, "delivering", "trade_close", *_DISPUTES),
        "delivering": _standing(6, "wait_confirm_receipt", *_DISPUTES, looked_at_every=_IN_TRANSIT),
        "wait_confirm_receipt": _standing(7, "trade_success", *_DISPUTES),
        "trade_success": _standing(8, *_DISPUTES),
        "trade_close": _standing(8),
        # a refund that was refused lets the order go on where it was
        "frozen": _standing(
            None, "undeliver", "delivering", "wait_confirm_receipt", "trade_success", "trade_close", "charge_back"
        ),
        "charge_back": _standing(None),
    }
)

_PAID = 3

FINAL = frozenset(status for status, standing in STATUSES.items() if not standing.follows)
"""Nothing comes after these: such an order needs no reading but where the list shows a change all the same."""


def judge(old: str, new: str) -> Irregularity | None:
    """What is odd about a change from `old` to `new`; None where the one follows the other."""
    before, after = STATUSES.get(old), STATUSES.get(new)
    if before is None or after is None:
        return Irregularity.UNKNOWN
    if new in before.follows:
        return None
    if old in FINAL or (before.rank is not None and after.rank is not None and after.rank < before.rank):
        return Irregularity.BACKWARDS
    if before.rank is None and after.rank is not None and after.rank < _PAID:
        return Irregularity.BACKWARDS  # what is disputed was paid for
    return Irregularity.SKIPPED


def looked_at_every(status: str | None) -> timedelta | None:
    """How often an order of this status is read although the list shows no change of it; None: never."""
    standing = STATUSES.get(status or "")
    return _UNKNOWN if standing is None else standing.looked_at_every
