"""What a service is: how it is started, when it is ready, how it is ended. Nothing here starts anything."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from signal import Signals
from typing import Protocol


class Started(Protocol):
    """A process of a service, as far as its readiness can be told from it."""

    @property
    def started_at(self) -> float:
        """When it was started, in seconds since the epoch."""

    @property
    def pid(self) -> int:
        """Its number."""

    @property
    def lines(self) -> Sequence[str]:
        """What it has said, the last lines of it."""


@dataclass(frozen=True, slots=True)
class Service:
    """One row of the table of services."""

    name: str
    """Before each line of its log."""
    title: str
    """In sentences: the code server."""
    command: Callable[[], Sequence[str]]
    """The command line; asked for at each start."""
    is_ready: Callable[[Started], bool]
    """Whether it does what the next one needs. Answers within seconds; False while it is only starting."""
    ready_within: float = 60.0
    """Seconds, on a slow machine."""
    end_signal: Signals = Signals.SIGTERM
    """What tells its process group to end."""
    ends_within: float = 5.0
    """Seconds after which its process group is killed."""
    ends_within_in_a_hurry: float = 0.0
    """The same after a second Ctrl-C."""
    heard_to_the_end: bool = False
    """Whether its lines are shown while it ends, once it was ready: most only complain then that others have gone."""
    routine: re.Pattern[str] | None = None
    """How lines begin that it says all day long, and that nobody needs to read."""
    said_when_started_again: str = ""
    """What a person should know then."""
