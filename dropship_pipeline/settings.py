"""Every environment variable, typed, with its default. Nothing else in the package reads the environment.

A `.env` file in the working directory is read too; the environment goes before it. A variable that is empty counts as
not set: `ALIBABA_APP_KEY= dropship sync` puts the one in `.env` out of force. The README's table says the same for
people; `tests/test_settings.py` holds the two together.
"""

import os
from collections.abc import Mapping
from datetime import date
from difflib import get_close_matches
from enum import StrEnum
from io import StringIO
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

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


class Settings(BaseModel):
    """What this deployment was told. Immutable; secrets do not show in its repr. Made by `load_settings`."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    alibaba_app_key: str | None = Field(None, alias="ALIBABA_APP_KEY")
    alibaba_app_secret: SecretStr | None = Field(None, alias="ALIBABA_APP_SECRET")
    alibaba_access_token: SecretStr | None = Field(None, alias="ALIBABA_ACCESS_TOKEN")
    alibaba_refresh_token: SecretStr | None = Field(None, alias="ALIBABA_REFRESH_TOKEN")
    alibaba_use_sandbox: bool = Field(False, alias="ALIBABA_USE_SANDBOX")
    alibaba_base_url: str | None = Field(None, alias="ALIBABA_BASE_URL")
    alibaba_authorize_url: str | None = Field(None, alias="ALIBABA_AUTHORIZE_URL")
    alibaba_dialect: DialectName = Field(DialectName.AUTO, alias="ALIBABA_DIALECT")
    alibaba_calls_per_second: float = Field(50.0, gt=0, allow_inf_nan=False, alias="ALIBABA_CALLS_PER_SECOND")
    alibaba_concurrency: int = Field(64, ge=1, le=1024, alias="ALIBABA_CONCURRENCY")
    # 50 IDs make a URL of 2,000 characters, which every proxy takes, and 5 calls a hand-over of 250
    alibaba_batch_size: int = Field(1, ge=1, le=50, alias="ALIBABA_BATCH_SIZE")
    home: Path = Field(Path(".dropship"), alias="DROPSHIP_HOME")
    database_url: SecretStr | None = Field(None, alias="DROPSHIP_DATABASE_URL")
    lake_location: str | None = Field(None, alias="DROPSHIP_LAKE_URL")
    secret_key: SecretStr | None = Field(None, alias="DROPSHIP_SECRET_KEY")
    destinations: str = Field("US", alias="DROPSHIP_DESTINATIONS")
    executor: Executor = Field(Executor.IN_PROCESS, alias="DROPSHIP_EXECUTOR")
    dagster_home: Path | None = Field(None, alias="DAGSTER_HOME")
    alert_url: SecretStr | None = Field(None, alias="DROPSHIP_ALERT_URL")
    ui_url: str = Field("http://127.0.0.1:3000", alias="DROPSHIP_UI_URL")
    schedules: bool = Field(True, alias="DROPSHIP_SCHEDULES")
    sync_cron: str = Field("15 3 * * *", alias="DROPSHIP_SYNC_CRON")
    refresh_cron: str = Field("45 * * * *", alias="DROPSHIP_REFRESH_CRON")
    refresh_max_age: str = Field("6h", alias="DROPSHIP_REFRESH_MAX_AGE")
    orders_cron: str = Field("30 2 * * *", alias="DROPSHIP_ORDERS_CRON")
    orders_since: date = Field(date(2025, 1, 1), alias="DROPSHIP_ORDERS_SINCE")
    audit_cron: str = Field("0 7 * * *", alias="DROPSHIP_AUDIT_CRON")
    tokens_cron: str = Field("10 */6 * * *", alias="DROPSHIP_TOKENS_CRON")
    maintenance_cron: str = Field("0 5 * * 0", alias="DROPSHIP_MAINTENANCE_CRON")
    max_rejected_share: float = Field(0.05, ge=0, le=1, allow_inf_nan=False, alias="DROPSHIP_MAX_REJECTED_SHARE")
    raw_days: int = Field(30, ge=1, alias="DROPSHIP_RAW_DAYS")
    snapshots_kept: int = Field(7, ge=1, alias="DROPSHIP_SNAPSHOTS_KEPT")
    webhook_port: int = Field(8088, ge=0, le=65535, alias="DROPSHIP_WEBHOOK_PORT")

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


VARIABLES = tuple(str(field.alias) for field in Settings.model_fields.values())
"""Every variable, in the order of the README's table."""


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment and `.env`, or from `environment` alone where it is given.

    Raises `SettingsProblem` naming every variable that cannot be used; values are not shown, for they may be secret.
    """
    told = _given() if environment is None else environment
    try:
        settings = Settings.model_validate(
            {name: told[name].strip() for name in VARIABLES if told.get(name, "").strip()}
        )
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
        raise SettingsProblem(
            f"Settings that cannot be used: {faults}", "Correct them in the environment or .env"
        ) from None
    if (settings.alibaba_app_key is None) != (settings.alibaba_app_secret is None):
        pair = ["ALIBABA_APP_KEY", "ALIBABA_APP_SECRET"]
        missing, there = pair if settings.alibaba_app_key is None else reversed(pair)
        raise SettingsProblem(
            f"{missing} is not set, and {there} is",
            "Set both, from the app's page in the console, or neither to use the simulated Alibaba.com",
        )
    return settings


def unknown_variables(environment: Mapping[str, str] | None = None) -> dict[str, str | None]:
    """The variables that look like ours and are none, each with the one that was probably meant: slips of the pen."""
    told = _given() if environment is None else environment
    ours = (name for name, value in told.items() if name.startswith(("ALIBABA_", "DROPSHIP_")) and value.strip())
    return {
        name: next(iter(get_close_matches(name, VARIABLES, 1, cutoff=0.8)), None)
        for name in ours
        if name not in VARIABLES
    }


def find_dagster_home(settings: Settings) -> Path:
    """The folder of `dagster.yaml`: DAGSTER_HOME, or the repository's. Raises `SettingsProblem` where there is none."""
    if settings.dagster_home is not None:
        home = settings.dagster_home.expanduser().absolute()
    else:
        home = Path(__file__).resolve().parents[1] / "dagster_home"
    if not (home / "dagster.yaml").is_file():
        raise SettingsProblem(
            f"There is no dagster.yaml in {home}", "Set DAGSTER_HOME to the dagster_home folder of the repository"
        )
    return home


def set_in_environment(variables: Mapping[str, str]) -> None:
    """Hand variables on to children and to libraries that read nothing else: Dagster reads DAGSTER_HOME."""
    os.environ.update(variables)


def _given() -> dict[str, str]:
    """The environment, and below it what `.env` says."""
    return {**_read_env_file(Path(".env")), **os.environ}


def _read_env_file(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors mark it so
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SettingsProblem(f"{path.absolute()} cannot be read: {why}", "Mend it or move it away") from None
    from dotenv import dotenv_values  # noqa: PLC0415  only where there is such a file
    from dotenv.parser import parse_stream  # noqa: PLC0415

    for binding in parse_stream(StringIO(text)):
        if binding.error or (binding.key is not None and binding.value is None):
            said = binding.original.string
            blank_lines = said[: len(said) - len(said.lstrip())].count("\n")
            # the line itself is not shown: it may hold a secret
            raise SettingsProblem(
                f"Line {binding.original.line + blank_lines} of {path.absolute()} is not NAME=value",
                'Correct it; a value with spaces or # goes into quotes: NAME="a value"',
            )
    return {name: value for name, value in dotenv_values(stream=StringIO(text)).items() if value is not None}
