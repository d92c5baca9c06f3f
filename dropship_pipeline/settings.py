"""Every environment variable, typed, with its default. Nothing else in the package reads the environment.

A `.env` file in the working directory is read too; the environment goes before it. The README's table says the same for
people; `tests/test_settings.py` holds the two together.
"""

import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from dropship_pipeline.problem import Problem

PRODUCTION_URL = "https://openapi-api.alibaba.com/rest"
ALIBABA_SANDBOX_URL = "https://openapi-api-sandbox.alibaba.com/rest"
AUTHORIZE_URL = "https://openapi-auth.alibaba.com/oauth/authorize"


class DialectName(StrEnum):
    """How the gateway names its paging parameters: see ALIBABA_DIALECT."""

    AUTO = "auto"
    GUIDE = "guide"
    LIVE = "live"


class Executor(StrEnum):
    """How Dagster runs the steps of a run."""

    IN_PROCESS = "in_process"
    MULTIPROCESS = "multiprocess"


class SettingsProblem(Problem):
    """A setting cannot be used as it is."""


def _unset_when_empty(value: object) -> object:
    """`NAME=` in a shell or a `.env` file means: not set."""
    return None if isinstance(value, str) and not value.strip() else value


OptionalText = Annotated[str | None, BeforeValidator(_unset_when_empty)]
OptionalSecret = Annotated[SecretStr | None, BeforeValidator(_unset_when_empty)]


class Settings(BaseSettings):
    """What this deployment was told. Immutable; secrets do not show in its repr."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, case_sensitive=True)

    alibaba_app_key: OptionalText = Field(None, alias="ALIBABA_APP_KEY")
    alibaba_app_secret: OptionalSecret = Field(None, alias="ALIBABA_APP_SECRET")
    alibaba_access_token: OptionalSecret = Field(None, alias="ALIBABA_ACCESS_TOKEN")
    alibaba_refresh_token: OptionalSecret = Field(None, alias="ALIBABA_REFRESH_TOKEN")
    alibaba_use_sandbox: bool = Field(False, alias="ALIBABA_USE_SANDBOX")
    alibaba_base_url: OptionalText = Field(None, alias="ALIBABA_BASE_URL")
    alibaba_authorize_url: OptionalText = Field(None, alias="ALIBABA_AUTHORIZE_URL")
    alibaba_dialect: DialectName = Field(DialectName.AUTO, alias="ALIBABA_DIALECT")
    alibaba_calls_per_second: float = Field(50.0, gt=0, alias="ALIBABA_CALLS_PER_SECOND")
    alibaba_concurrency: int = Field(64, ge=1, le=1024, alias="ALIBABA_CONCURRENCY")
    home: Path = Field(Path(".dropship"), alias="DROPSHIP_HOME")
    database_url: OptionalSecret = Field(None, alias="DROPSHIP_DATABASE_URL")
    lake_location: OptionalText = Field(None, alias="DROPSHIP_LAKE_URL")
    secret_key: OptionalSecret = Field(None, alias="DROPSHIP_SECRET_KEY")
    destinations: str = Field("US", alias="DROPSHIP_DESTINATIONS")
    executor: Executor = Field(Executor.IN_PROCESS, alias="DROPSHIP_EXECUTOR")
    dagster_home: Annotated[Path | None, BeforeValidator(_unset_when_empty)] = Field(None, alias="DAGSTER_HOME")
    raw_days: int = Field(30, ge=1, alias="DROPSHIP_RAW_DAYS")
    snapshots_kept: int = Field(7, ge=1, alias="DROPSHIP_SNAPSHOTS_KEPT")

    @property
    def absolute_home(self) -> Path:
        """DROPSHIP_HOME as an absolute path."""
        return self.home.expanduser().absolute()

    @property
    def has_credentials(self) -> bool:
        """Whether an app is named; without one, the simulated Alibaba.com stands in."""
        return self.alibaba_app_key is not None

    @property
    def base_url(self) -> str:
        """The address of the API, `/rest` included (guide: Base URLs)."""
        if self.alibaba_base_url is not None:
            return self.alibaba_base_url.rstrip("/")
        return ALIBABA_SANDBOX_URL if self.alibaba_use_sandbox else PRODUCTION_URL

    @property
    def lake_url(self) -> str:
        """Where the lake is: a path or `s3://…`."""
        return self.lake_location if self.lake_location is not None else str(self.absolute_home / "lake")


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment and `.env`, or from `environment` alone where it is given.

    Raises `SettingsProblem` naming every variable that cannot be used; values are not shown, for they may be secret.
    """
    try:
        settings = Settings() if environment is None else Settings.model_validate(dict(environment))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
        raise SettingsProblem(
            f"Settings that cannot be used: {faults}", "Correct them in the environment or .env"
        ) from None
    if (settings.alibaba_app_key is None) != (settings.alibaba_app_secret is None):
        missing = "ALIBABA_APP_SECRET" if settings.alibaba_app_secret is None else "ALIBABA_APP_KEY"
        raise SettingsProblem(
            f"{missing} is not set although its counterpart is",
            "Set both, from the app's page in the console, or neither to use the simulated Alibaba.com",
        )
    return settings


def set_in_environment(variables: Mapping[str, str]) -> None:
    """Hand variables on to children and to libraries that read nothing else: Dagster reads DAGSTER_HOME."""
    os.environ.update(variables)
