"""The sandbox clock: simulated time that can be set, moved on and made to run faster. The only reader of the real time,
together with the checks of the gateway that concern the real time of its clients.
"""

import time


class Clock:
    """Starts at the real time, or at `start_ms`; runs `speed` simulated seconds a real second."""

    def __init__(self, start_ms: int | None = None, speed: float = 1.0) -> None:
        self._speed = speed
        self._anchor = time.monotonic()
        self._anchor_ms = real_now_ms() if start_ms is None else start_ms

    @property
    def speed(self) -> float:
        """Simulated seconds a real second."""
        return self._speed

    def now_ms(self) -> int:
        """Simulated time, epoch milliseconds."""
        return self._anchor_ms + int((time.monotonic() - self._anchor) * self._speed * 1000)

    def set(self, now_ms: int) -> None:
        """Make it `now_ms`, and go on from there."""
        self._anchor, self._anchor_ms = time.monotonic(), now_ms

    def advance(self, seconds: float) -> None:
        """Move on (negative: back) by so many simulated seconds."""
        self.set(self.now_ms() + int(seconds * 1000))

    def run_at(self, speed: float) -> None:
        """Change the speed from now on; 0 stops the clock."""
        self.set(self.now_ms())
        self._speed = speed


def real_now_ms() -> int:
    """The real time, epoch milliseconds: what clients sign with."""
    return int(time.time() * 1000)
