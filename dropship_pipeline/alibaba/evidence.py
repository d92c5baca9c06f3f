"""Which throttles show that calls are too fast. Some do not: a gateway may throttle now and then whatever the rate.

Taken at face value, a throttle in twenty calls that has nothing to do with the rate would bring the rate down to next
to nothing, for each one looks like the limit. Two things tell them apart. What went through at a clearly higher rate a
short while ago is not refused for its rate. And a real limit, met at full speed, refuses one call after the other.
"""

from collections import deque

_RECENT = 60  # calls that count as just now
_MANY = 9  # of them: so many throttles are no accident
_AT_ONCE, _AT_ONCE_OF = 5, 20  # what a real limit does to a client that has just begun
_YOUNG = 30.0  # seconds since the beginning
_WINDOW, _WINDOW_CALLS = 4.0, 20  # the least seconds and calls over which a rate is measured
_REMEMBERED = 90.0  # seconds: limits do change, and until this is over a lower one costs throttles
_CLEARLY_BELOW = 0.6  # leaves room for a gateway that saves up unused calls and made a rate look better than it is


class ThrottleEvidence:
    """What one process has seen. Times in seconds of one clock. Not safe for threads: `Pacer` holds its lock."""

    def __init__(self, now: float) -> None:
        self._began = now
        self._calls = 0
        self._throttles = 0
        self._convicted = False
        self._window = now, 0, 0  # when it began; calls and throttles until then
        self._went_through: deque[tuple[float, float]] = deque()  # when, calls per second that were not throttled
        self._recent: deque[int] = deque()  # throttles, by the number of calls until then

    def called(self) -> None:
        """A call is sent."""
        self._calls += 1

    def measure(self, now: float) -> None:
        """Close the window, if it is long enough. To be called several times a second."""
        began, calls, throttles = self._window
        if now - began >= _WINDOW and self._calls - calls >= _WINDOW_CALLS:
            went_through = self._calls - calls - (self._throttles - throttles)
            self._went_through.append((now, went_through / (now - began)))
            self._window = now, self._calls, self._throttles

    def too_fast(self, now: float, rate: float) -> bool:
        """A call was throttled while `rate` calls a second were granted: whether that rate is to blame."""
        self.measure(now)
        self._throttles += 1
        self._recent.append(self._calls)
        while self._recent[0] < self._calls - _RECENT:
            self._recent.popleft()
        if self._is_to_blame(now, rate):
            self._convicted = True
            return True
        return False

    def _is_to_blame(self, now: float, rate: float) -> bool:
        if len(self._recent) > _MANY:
            return True
        if not self._convicted and now < self._began + _YOUNG:
            return sum(number >= self._calls - _AT_ONCE_OF for number in self._recent) >= _AT_ONCE
        while self._went_through and self._went_through[0][0] < now - _REMEMBERED:
            self._went_through.popleft()
        return rate >= _CLEARLY_BELOW * max((speed for _, speed in self._went_through), default=0.0)
