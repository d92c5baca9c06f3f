"""What becomes of an order: the statuses that it passes through, and when (guide: Order Status Codes).

An order's whole life is drawn when it is created: a timeline of steps, of which the clock shows those that have come. A
payment or a cancellation cuts the timeline and puts another end to it. Times are epoch milliseconds on whole seconds.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

HOUR, DAY = 3_600, 86_400


class OrderStatus(StrEnum):
    """The twelve statuses of the guide."""

    TO_BE_AUDITED = "to_be_audited"
    UNPAY = "unpay"
    PAYING = "paying"
    PAID = "paid"
    CAPTURED = "captured"
    UNDELIVER = "undeliver"
    DELIVERING = "delivering"
    WAIT_CONFIRM_RECEIPT = "wait_confirm_receipt"
    TRADE_CLOSE = "trade_close"
    TRADE_SUCCESS = "trade_success"
    FROZEN = "frozen"
    CHARGE_BACK = "charge_back"


class Step(NamedTuple):
    """One status and when the order got it."""

    at_ms: int
    status: OrderStatus


Timeline = tuple[Step, ...]


class Stage(NamedTuple):
    """A status and how long the order waits before it: between two numbers of seconds."""

    status: OrderStatus
    shortest_s: int
    longest_s: int


S = OrderStatus
_UNPAY = (Stage(S.UNPAY, 0, 0),)
_AUDITED = (Stage(S.TO_BE_AUDITED, 0, 0), Stage(S.UNPAY, HOUR, 3 * DAY))
_PAYS = (Stage(S.PAYING, 60, 2 * HOUR), Stage(S.PAID, 10, 180))
_PAYS_SLOWLY = (Stage(S.PAYING, 60, 2 * HOUR), Stage(S.PAID, HOUR, 2 * DAY))
_HANDLED = (Stage(S.CAPTURED, 300, 4 * HOUR), Stage(S.UNDELIVER, 900, DAY // 2))
_SHIPPED = (Stage(S.DELIVERING, DAY // 2, 5 * DAY), Stage(S.WAIT_CONFIRM_RECEIPT, 3 * DAY, 16 * DAY))
_CONFIRMED = (Stage(S.TRADE_SUCCESS, DAY, 14 * DAY),)

# Ways through the statuses, and how many orders of a thousand go each way.
PATHS: tuple[tuple[int, tuple[Stage, ...]], ...] = (
    (560, (*_UNPAY, *_PAYS, *_HANDLED, *_SHIPPED, *_CONFIRMED)),
    (90, (*_AUDITED, *_PAYS, *_HANDLED, *_SHIPPED, *_CONFIRMED)),
    (100, (*_UNPAY, *_PAYS, Stage(S.UNDELIVER, 60, HOUR), *_SHIPPED, *_CONFIRMED)),
    (60, (*_UNPAY, *_PAYS_SLOWLY, *_HANDLED, *_SHIPPED, *_CONFIRMED)),
    (90, (*_UNPAY, Stage(S.TRADE_CLOSE, 5 * DAY, 15 * DAY))),
    (10, (Stage(S.TO_BE_AUDITED, 0, 0), Stage(S.TRADE_CLOSE, DAY // 2, 4 * DAY))),
    (30, (*_UNPAY, *_PAYS, *_HANDLED, Stage(S.FROZEN, DAY, 6 * DAY), Stage(S.TRADE_CLOSE, 3 * DAY, 15 * DAY))),
    (25, (*_UNPAY, *_PAYS, *_HANDLED, *_SHIPPED, Stage(S.FROZEN, DAY, 9 * DAY), Stage(S.TRADE_SUCCESS, DAY, 9 * DAY))),
    (15, (*_UNPAY, Stage(S.PAYING, 60, HOUR), Stage(S.UNPAY, HOUR, DAY), Stage(S.TRADE_CLOSE, 5 * DAY, 9 * DAY))),
    (20, (*_UNPAY, *_PAYS, *_HANDLED, *_SHIPPED, *_CONFIRMED, Stage(S.CHARGE_BACK, 2 * DAY, 30 * DAY))),
)
_BY_PERMILLE = tuple(stages for weight, stages in PATHS for _ in range(weight))
_AFTER_PAYMENT = (*_HANDLED, *_SHIPPED, *_CONFIRMED)
UNPAID_FOR = Stage(S.TRADE_CLOSE, 15 * DAY, 15 * DAY)  # a placed order that nobody pays

LONGEST_MS = max(sum(stage.longest_s for stage in stages) for _, stages in PATHS) * 1000
PAYABLE = frozenset({S.UNPAY})
OPEN = frozenset({S.TO_BE_AUDITED, S.UNPAY})  # may be cancelled


def seeded(created_ms: int, entropy: bytes) -> Timeline:
    """The whole life of an order of the history, drawn from 64 bytes."""
    return _timeline(created_ms, _BY_PERMILLE[int.from_bytes(entropy[:2], "little") % 1000], entropy[2:])


def unpaid(created_ms: int) -> Timeline:
    """The life of an order just placed, as long as nobody pays it."""
    return _timeline(created_ms, (Stage(S.UNPAY, 0, 0), UNPAID_FOR), bytes(8))


def paid(timeline: Timeline, now_ms: int, verification_s: int, entropy: bytes) -> Timeline:
    """The life of an order that is paid now; with a verification it is `paying` for that many seconds first."""
    first = (
        (Stage(S.PAYING, 0, 0), Stage(S.PAID, verification_s, verification_s))
        if verification_s
        else (Stage(S.PAID, 0, 0),)
    )
    return (*past(timeline, now_ms), *_timeline(whole_second(now_ms), (*first, *_AFTER_PAYMENT), entropy))


def closed(timeline: Timeline, now_ms: int) -> Timeline:
    """The life of an order that is cancelled now."""
    return (*past(timeline, now_ms), Step(whole_second(now_ms), S.TRADE_CLOSE))


def past(timeline: Timeline, now_ms: int) -> Timeline:
    """The steps that have come."""
    return tuple(step for step in timeline if step.at_ms <= now_ms)


def current(timeline: Timeline, now_ms: int) -> Step:
    """The newest step that has come; the first where none has."""
    return (past(timeline, now_ms) or timeline)[-1 if timeline[0].at_ms <= now_ms else 0]


def reached(timeline: Timeline, now_ms: int, statuses: Iterable[OrderStatus]) -> int | None:
    """When the order first had one of these statuses, if it had by now."""
    return next((step.at_ms for step in timeline if step.at_ms <= now_ms and step.status in statuses), None)


def whole_second(time_ms: int) -> int:
    """The second that a time is in: the platform keeps whole seconds."""
    return time_ms - time_ms % 1000


def _timeline(start_ms: int, stages: Iterable[Stage], entropy: bytes) -> Timeline:
    steps, at_ms = [], start_ms
    for number, (status, shortest_s, longest_s) in enumerate(stages):
        draw = int.from_bytes(entropy[2 * number : 2 * number + 2], "little")
        at_ms += (shortest_s + draw * (longest_s - shortest_s) // 65_536) * 1000
        steps.append(Step(at_ms, status))
    return tuple(steps)
