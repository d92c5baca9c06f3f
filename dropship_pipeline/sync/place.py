"""Where the API is: the real one that the settings name, or a simulated one when they name none.

Under `dropship up` there is one simulated Alibaba.com for everything of that DROPSHIP_HOME, with one set of orders: it
is announced there. Otherwise one is started, for as long as it is needed.
"""

import fcntl
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import SecretStr

from dropship_pipeline.alibaba.tokens import DEFAULT_ACCOUNT
from dropship_pipeline.problem import Problem
from dropship_pipeline.sandbox.announcement import Announcement, read_announcement
from dropship_pipeline.sandbox.launch import SandboxConfig, start
from dropship_pipeline.settings import DialectName, Settings

SIMULATED_ACCOUNT = "simulated"
"""The one account there is where no app is named; no other account is called so."""
SIMULATED_PRODUCTS = 300
# The simulated gateway has no limit of its own unless it is told one: pacing then costs nothing and holds nobody back.
UNLIMITED = 1_000_000.0

UP_FOLDER = "up"
"""In DROPSHIP_HOME: what is there only while `dropship up` runs."""
UP_LOCK = "up.lock"
"""In DROPSHIP_HOME: locked by the one `dropship up` of this folder."""
ANNOUNCEMENT = f"{UP_FOLDER}/sandbox.json"
"""In DROPSHIP_HOME: where its simulated Alibaba.com is announced."""
COMES_BACK_WITHIN_S = 15.0

_ACCOUNT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


@dataclass(frozen=True, slots=True)
class Place:
    """An address with the credentials for it. `account` is the name under which its tokens are kept; other: `of`."""

    base_url: str
    app_key: str
    app_secret: SecretStr
    access_token: SecretStr | None
    refresh_token: SecretStr | None
    account: str
    simulated: bool
    calls_per_second: float
    dialect: DialectName

    @property
    def origin(self) -> str:
        """Whose catalogue it is: see `ops.origin`."""
        return "simulated" if self.simulated else "alibaba"

    def of(self, account: str) -> "Place":
        """The same for another account, whose tokens are kept: those of the environment are this one's.

        Raises Problem for a name that no account may have here.
        """
        if account == self.account:
            return self
        if self.simulated:
            raise Problem(
                f"Without an app of your own there is no account but {self.account}",
                "Set ALIBABA_APP_KEY and ALIBABA_APP_SECRET, from the app's page in the console",
            )
        if account == SIMULATED_ACCOUNT:
            raise Problem(f"{account!r} is the name of the simulated Alibaba.com's account", "Choose another name")
        if not _ACCOUNT_NAME.fullmatch(account):
            raise Problem(
                f"{account[:40]!r} is no name for an account",
                "Use letters, digits, dots, dashes and underscores, 40 at most, with a letter or digit first",
            )
        return replace(self, account=account, access_token=None, refresh_token=None)


@contextmanager
def find_place(settings: Settings) -> Iterator[Place]:
    """The API that the settings name; without an app key, a simulated one that lives as long as this context."""
    if settings.alibaba_app_key is not None and settings.alibaba_app_secret is not None:
        yield Place(
            base_url=settings.base_url,
            app_key=settings.alibaba_app_key,
            app_secret=settings.alibaba_app_secret,
            access_token=settings.alibaba_access_token,
            refresh_token=settings.alibaba_refresh_token,
            account=DEFAULT_ACCOUNT,
            simulated=False,
            calls_per_second=settings.alibaba_calls_per_second,
            dialect=settings.alibaba_dialect,
        )
        return
    announced = find_announced(settings.absolute_home)
    if announced is not None:
        yield _simulated(settings, announced.base_url, announced.env)
        return
    with start(SandboxConfig(products=SIMULATED_PRODUCTS)) as running:
        yield _simulated(settings, running.base_url, running.env)


def find_announced(home: Path) -> Announcement | None:
    """The simulated Alibaba.com that `dropship up` runs for this DROPSHIP_HOME; None where it runs none.

    One that was killed is waited for, since it comes back. Raises `Problem` if it does not.
    """
    path = home / ANNOUNCEMENT
    give_up = time.monotonic() + COMES_BACK_WITHIN_S
    while path.exists():
        announced = read_announcement(path)
        if announced is not None and announced.answers:
            return announced
        if not is_up(home):
            return None
        if time.monotonic() > give_up:
            raise Problem(
                f"The simulated Alibaba.com of the `dropship up` of {home} does not answer",
                "See what it logs, or stop it: each command then starts one of its own",
            )
        time.sleep(0.2)
    return None


def is_up(home: Path) -> bool:
    """Whether a `dropship up` runs for this DROPSHIP_HOME: it holds a lock there for as long as it lives."""
    try:
        with (home / UP_LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _simulated(settings: Settings, base_url: str, env: Mapping[str, str]) -> Place:
    asked = "alibaba_calls_per_second" in settings.model_fields_set
    return Place(
        base_url=base_url,
        app_key=env["ALIBABA_APP_KEY"],
        app_secret=SecretStr(env["ALIBABA_APP_SECRET"]),
        access_token=SecretStr(env["ALIBABA_ACCESS_TOKEN"]),
        refresh_token=SecretStr(env["ALIBABA_REFRESH_TOKEN"]),
        account=SIMULATED_ACCOUNT,
        simulated=True,
        calls_per_second=settings.alibaba_calls_per_second if asked else UNLIMITED,
        dialect=settings.alibaba_dialect,
    )
