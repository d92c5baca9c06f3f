"""Gateways that limit calls, each in its way, and a client that never rests: simulated, with time as a number."""

import heapq
import random
from dataclasses import dataclass
from typing import Protocol

from dropship_pipeline.alibaba.evidence import ThrottleEvidence
from dropship_pipeline.alibaba.rate import RateState, grant, throttled


class Server(Protocol):
    limit: float

    def admit(self, at: float, /) -> float | None:
        """None: let through; else the seconds of ban that it speaks of."""


@dataclass
class TokenBucket:
    """Saves up a second's worth; over that, refuses, or bans."""

    limit: float
    ban: float = 0.0
    saved: float = 0.0
    since: float = 0.0
    banned_until: float = 0.0

    def admit(self, at: float) -> float | None:
        if at < self.banned_until:
            return self.banned_until - at
        self.saved = min(max(self.limit, 1.0), self.saved + (at - self.since) * self.limit)
        self.since = at
        if self.saved >= 1:
            self.saved -= 1
            return None
        self.banned_until = at + self.ban
        return self.ban


@dataclass
class FixedWindow:
    """So many calls in each second of the clock; over that, refuses."""

    limit: float
    second: int = 0
    calls: int = 0

    def admit(self, at: float) -> float | None:
        if int(at) != self.second:
            self.second, self.calls = int(at), 0
        self.calls += 1
        return None if self.calls <= self.limit else 0.0


@dataclass
class Noisy:
    """Lets through whatever comes, but throttles one call in so many, for no reason that a client could know."""

    limit: float
    share: float
    ban: float

    def __post_init__(self) -> None:
        self._random = random.Random(3)

    def admit(self, _at: float) -> float | None:
        return self.ban if self._random.random() < self.share else None


class ChangingServer(TokenBucket):
    """Lets through a hundred calls a second, but twenty from the hundredth second to the three-hundredth."""

    def admit(self, at: float) -> float | None:
        self.limit = 20.0 if 100 < at < 301 else 100.0
        return super().admit(at)


@dataclass
class Run:
    """What a client got: the share of the limit that it used, the share of its calls that were throttled."""

    used: float
    throttled: float
    state: RateState


class SaturatedClient:
    """A process that has always another call to send, as its pacer lets it; refusals arrive after `latency` seconds."""

    def __init__(self, server: Server, ceiling: float, latency: float) -> None:
        self.state = RateState.fresh(ceiling)
        self._server = server
        self._latency = latency
        self._evidence = ThrottleEvidence(0.0)
        self._jitter = random.Random(7)
        self._now = 0.0
        self._refusals: list[tuple[float, float, float]] = []  # when it arrives, when the call was sent, the ban

    def run(self, seconds: float, steady_after: float) -> Run:
        """Run until then; what is measured begins at `steady_after`."""
        good = bad = 0
        while self._now < seconds:
            self._evidence.measure(self._now)
            self.state, window = grant(self.state, self._now, 1_000_000)
            for number in range(window.calls):
                sent = max(window.start + number * window.spacing, self._now)
                if self._hears_of_a_limit(sent, 1 / window.spacing):
                    break
                let_through = self._send(sent)
                if sent > steady_after:
                    good, bad = good + let_through, bad + (not let_through)
        return Run(good / (seconds - steady_after) / self._server.limit, bad / max(good + bad, 1), self.state)

    def _send(self, sent: float) -> bool:
        self._now = sent
        self._evidence.called()
        ban = self._server.admit(sent + self._latency / 2 * self._jitter.uniform(0.8, 1.2))
        if ban is not None:
            heapq.heappush(self._refusals, (sent + self._latency, sent, ban))
        return ban is None

    def _hears_of_a_limit(self, until: float, rate: float) -> bool:
        slowed = False
        while self._refusals and self._refusals[0][0] <= until:
            arrived, sent, ban = heapq.heappop(self._refusals)
            self._now = max(self._now, arrived)
            if self._evidence.too_fast(self._now, rate):
                self.state = throttled(self.state, self._now, ban, sent)
                slowed = True
        return slowed


def run(server: Server, ceiling: float, latency: float, seconds: float, steady_after: float) -> Run:
    """A new client's run against a server."""
    return SaturatedClient(server, ceiling, latency).run(seconds, steady_after)
