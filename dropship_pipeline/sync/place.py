"""Where the API is: the real one that the settings name, or the simulated one, which is started when they name none."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import SecretStr

from dropship_pipeline.sandbox.launch import SandboxConfig, start
from dropship_pipeline.settings import DialectName, Settings

SIMULATED_PRODUCTS = 300
# The simulated gateway has no limit of its own unless it is told one: pacing then costs nothing and holds nobody back.
UNLIMITED = 1_000_000.0


@dataclass(frozen=True, slots=True)
class Place:
    """An address with the credentials for it. `account` is the name under which its tokens are kept."""

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
            account="default",
            simulated=False,
            calls_per_second=settings.alibaba_calls_per_second,
            dialect=settings.alibaba_dialect,
        )
        return
    asked = "alibaba_calls_per_second" in settings.model_fields_set
    with start(SandboxConfig(products=SIMULATED_PRODUCTS)) as running:
        yield Place(
            base_url=running.base_url,
            app_key=running.env["ALIBABA_APP_KEY"],
            app_secret=SecretStr(running.env["ALIBABA_APP_SECRET"]),
            access_token=SecretStr(running.env["ALIBABA_ACCESS_TOKEN"]),
            refresh_token=SecretStr(running.env["ALIBABA_REFRESH_TOKEN"]),
            account="simulated",
            simulated=True,
            calls_per_second=settings.alibaba_calls_per_second if asked else UNLIMITED,
            dialect=settings.alibaba_dialect,
        )
