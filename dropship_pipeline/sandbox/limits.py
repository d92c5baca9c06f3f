"""How many calls an app may make: a token bucket, and the ban that follows when it is empty. Runs on real time."""

import time
from collections.abc import Callable
from math import ceil

from dropship_pipeline.sandbox.api import Refusal


def throttled(ban_s: int) -> Refusal:
    """The gateway's answer to one call too many (live facts: ApiCallLimit)."""
    return Refusal("ApiCallLimit", f"Api access frequency exceeds the limit. this ban will last {ban_s} seconds")


class CallLimit:
    """At most `calls_per_second` in the long run, with a second's worth in reserve; then refused for `ban_s` seconds.

    A ban of 0 refuses just the calls that are too many, saying "0 seconds", as the live gateway does at times.
    """

    def __init__(self, calls_per_second: float, ban_s: float = 1.0, now: Callable[[], float] = time.monotonic) -> None:
        self.calls_per_second = calls_per_second
        self.ban_s = ban_s
        self._now = now
        self._buckets: dict[str, tuple[float, float]] = {}  # app key -> calls in reserve, as of when
        self._banned_until: dict[str, float] = {}

    def take(self, app_key: str) -> None:
        """Let one call of the app through, or raise the refusal that says how long it is banned."""
        if not self.calls_per_second:
            return
        now = self._now()
        banned_for = self._banned_until.get(app_key, 0.0) - now
        if banned_for > 0:
            raise throttled(ceil(banned_for))
        most = max(1.0, self.calls_per_second)
        reserve, since = self._buckets.get(app_key, (most, now))
        reserve = min(most, reserve + (now - since) * self.calls_per_second)
        if reserve < 1:
            self._buckets[app_key] = (reserve, now)
            self._banned_until[app_key] = now + self.ban_s
            raise throttled(ceil(self.ban_s))
        self._buckets[app_key] = (reserve - 1, now)
