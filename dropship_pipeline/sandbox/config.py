"""What can be set on a simulated Alibaba.com. Imports nothing heavy: the command line reads its defaults at start."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """How a sandbox is to be. The defaults are those of `dropship sandbox`, but for the port.

    The same seed and sizes give the same world at the same time of the sandbox clock, at every start.
    """

    host: str = "127.0.0.1"
    port: int = 0  # 0: a free one
    products: int = 500  # the examples of the guide included; at most 1,000,000
    orders: int = 200
    seed: int = 1
    dialect: Literal["guide", "live"] = "guide"
    calls_per_second: float = 0.0  # 0: as many as it can
    ban_s: float = 1.0  # how long an app that calls more often is refused
    latency_ms: float = 0.0  # added to every answer
    faults: tuple[str, ...] = ()  # NAME[:RATE][:OPTION=VALUE]…
    drift: float = 1.0  # pace of the catalogue's life; 0: every product online, nothing changes
    clock_start_ms: int | None = None  # epoch milliseconds; None: the real time
    clock_speed: float = 1.0  # simulated seconds a second
    access_token_s: int = 864_000  # lifetimes of tokens, on the sandbox clock
    refresh_token_s: int = 5_184_000  # 0: tokens cannot be refreshed
    rotate_refresh_token: bool = False  # whether a refresh ends the refresh token and gives another
    refresh_repeats_token: bool = True  # whether a refresh answer tells the refresh token at all
    push_url: str | None = None  # where changes of products and orders are pushed to
    push_drop: float = 0.0  # shares of the messages that get lost, come twice, come late
    push_duplicate: float = 0.0
    push_reorder: float = 0.0
    push_retry_s: float = 5.0  # until the first retry of a message that was not acknowledged; then twice as long
    log_file: str | None = None  # a JSON line for each answered call
