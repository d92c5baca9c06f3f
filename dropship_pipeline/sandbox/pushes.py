"""Delivering push messages to the receiver that is configured: signed, at least once, in no promised order.

As the platform does it (guide: Handle Retries): a message that is not answered with 200 within 500 ms is sent again, up
to 12 times in about six hours, each pause twice the one before. That the platform stops pushing to a receiver that
fails more often than not is not simulated. Some messages can be made to get lost, to come twice or to come late.
"""

import asyncio
import contextlib
import heapq
import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from dropship_pipeline.sandbox.accounts import App
from dropship_pipeline.sandbox.signature import sign_push

if TYPE_CHECKING:
    import aiohttp

PATIENCE_S = 0.5
MOST_RETRIES = 12
_MOST_WAITING = 100_000
_AT_ONCE = 16
_LOOKS_EVERY_S = 1.0
_SHARE_OF_LOOKING = 0.02  # of the time of the one thread that also answers the API
_LATEST_S = 1.0  # how much later than the others comes what is told out of order, or twice


@dataclass(slots=True)
class PushPlan:
    """Where messages are pushed to, None for nowhere; the shares of them that get lost, come twice, come late; and the
    seconds until the first retry.
    """

    url: str | None = None
    drop: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    retry_s: float = 5.0

    def __post_init__(self) -> None:
        if self.url is not None and not self.url.startswith(("http://", "https://")):
            raise ValueError(f"{self.url!r} is no address to push to: it begins with http:// or https://")
        for name in ("drop", "duplicate", "reorder"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"the share of messages to {name} is between 0 and 1")


@dataclass(slots=True)
class PushCounts:
    """What became of the messages: `found` by looking; of these `dropped` for good, sent twice (`duplicated`) or late
    (`reordered`). `failed` deliveries, each followed by a retry but for the `abandoned` messages.
    """

    found: int = 0
    dropped: int = 0
    duplicated: int = 0
    reordered: int = 0
    acknowledged: int = 0
    failed: int = 0
    abandoned: int = 0


@dataclass(order=True, slots=True)
class _Parcel:
    due: float
    number: int
    body: bytes = field(compare=False)
    retries: int = field(compare=False, default=0)


class Pushes:
    """The messages that are under way. One event loop runs and asks it."""

    def __init__(self, look: Callable[[], list[bytes]], app: App, plan: PushPlan, seed: int) -> None:
        self._look = look
        self._app = app
        self._luck = random.Random(f"{seed} pushes")  # noqa: S311 - repeatable, not secret
        self._waiting: list[_Parcel] = []
        self._under_way = 0
        self._numbered = 0
        self._next_look = 0.0
        self._wake = asyncio.Event()
        self.plan = plan
        self.counts = PushCounts()
        if plan.url is not None:
            look()  # what is so already is nothing to tell

    def change(self, plan: PushPlan) -> None:
        """Push to somewhere else, or in another way, from now on; what has changed until now is found at once."""
        if self.plan.url is None and plan.url is not None:
            self._look()
        self.plan = plan
        self.find()
        self._wake.set()

    def told(self) -> dict[str, object]:
        """The plan and the counts, for the control API."""
        return {**asdict(self.plan), **asdict(self.counts), "waiting": len(self._waiting) + self._under_way}

    def find(self) -> None:
        """Look for changes, and put what is to be told of them on its way."""
        if self.plan.url is None:
            return
        began = time.monotonic()
        for body in self._look():
            self._post(body, began)
        took = time.monotonic() - began
        self._next_look = began + max(_LOOKS_EVERY_S, took / _SHARE_OF_LOOKING)
        self._wake.set()

    async def run(self) -> None:
        """Look and deliver, until cancelled."""
        while self.plan.url is None:
            await self._wake.wait()
            self._wake.clear()
        import aiohttp  # noqa: PLC0415  most sandboxes push nothing, and start sooner without it

        timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
        async with aiohttp.ClientSession(timeout=timeout, headers={"Content-Type": "application/json"}) as session:
            while True:
                if time.monotonic() >= self._next_look:
                    self.find()
                parcels = self._due()
                if parcels:
                    await asyncio.gather(*(self._deliver(session, parcel) for parcel in parcels))
                    continue
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), self._pause())
                self._wake.clear()

    def _pause(self) -> float | None:
        if self.plan.url is None:
            return None  # until somebody names a receiver
        next_due = self._waiting[0].due if self._waiting else self._next_look
        return max(0.0, min(next_due, self._next_look) - time.monotonic())

    def _due(self) -> list[_Parcel]:
        now = time.monotonic()
        parcels: list[_Parcel] = []
        while self.plan.url is not None and len(parcels) < _AT_ONCE and self._waiting and self._waiting[0].due <= now:
            parcels.append(heapq.heappop(self._waiting))
        self._under_way = len(parcels)
        return parcels

    def _post(self, body: bytes, now: float) -> None:
        self.counts.found += 1
        lost, twice, late = (self._luck.random() for _ in range(3))
        if lost < self.plan.drop:
            self.counts.dropped += 1
            return
        if twice < self.plan.duplicate:
            self.counts.duplicated += 1
            self._put(body, now + self._luck.uniform(0, _LATEST_S))
        if late < self.plan.reorder:
            self.counts.reordered += 1
            now += self._luck.uniform(0, _LATEST_S)
        self._put(body, now)

    def _put(self, body: bytes, due: float, retries: int = 0) -> None:
        if len(self._waiting) >= _MOST_WAITING:
            self.counts.abandoned += 1
            return
        self._numbered += 1
        heapq.heappush(self._waiting, _Parcel(due, self._numbered, body, retries))

    async def _deliver(self, session: "aiohttp.ClientSession", parcel: _Parcel) -> None:
        import aiohttp  # noqa: PLC0415  by now it is there

        signature = sign_push(self._app.key, self._app.secret, parcel.body)
        acknowledged = False
        with contextlib.suppress(TimeoutError, OSError, aiohttp.ClientError):
            async with session.post(
                self.plan.url or "", data=parcel.body, headers={"Authorization": signature}
            ) as answer:
                acknowledged = answer.status == 200
        self._under_way -= 1
        if acknowledged:
            self.counts.acknowledged += 1
            return
        self.counts.failed += 1
        if parcel.retries >= MOST_RETRIES:
            self.counts.abandoned += 1
            return
        pause = self.plan.retry_s * 2**parcel.retries
        self._put(parcel.body, time.monotonic() + pause, parcel.retries + 1)
