"""One merchant's installation, as the tests drive it: in this process, or by the command line."""

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import make_url

from dropship_pipeline.sandbox.launch import Running
from dropship_pipeline.settings import Settings, load_settings
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.sync.progress import Silent
from dropship_pipeline.sync.request import SyncRequest
from dropship_pipeline.sync.session import Session, open_session
from dropship_pipeline.sync.stages.describe import describe
from dropship_pipeline.sync.stages.discover import discover
from dropship_pipeline.sync.stages.publish import publish
from dropship_pipeline.sync.stages.quote import quote
from dropship_pipeline.sync.stages.stock import take_stock
from dropship_pipeline.sync.summary import SyncSummary

SECRET_KEY = "c2VjcmV0LWtleS1vZi10aGUtdGVzdHMtMzItYnl0ZXM="


@dataclass
class Deployment:
    """One merchant's installation: a home, a database, an API to read. Driven here, or by the command line."""

    home: Path
    database: Database
    sandbox: Running
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """Every variable that is set for it."""
        return {
            "DROPSHIP_HOME": str(self.home),
            "DROPSHIP_DATABASE_URL": self.database.libpq_url,
            "DROPSHIP_SECRET_KEY": SECRET_KEY,
            "ALIBABA_CALLS_PER_SECOND": "1000000",
            **self.sandbox.env,
            **self.variables,
        }

    @property
    def settings(self) -> Settings:
        """The settings that follow from them."""
        return load_settings(self.environment)

    def sync(
        self, request: SyncRequest | None = None, stages: Callable[[Session, SyncRequest], None] | None = None
    ) -> SyncSummary:
        """One sync in this process, without Dagster: the same stages in the same order."""
        with open_session(self.settings, str(uuid.uuid4()), Silent()) as session:
            (stages or all_stages)(session, request or SyncRequest())
        return session.summary

    def copied(self, home: Path, database: Database) -> "Deployment":
        """The same merchant once more: with a copy of the home, and with this copy of the database."""
        shutil.copytree(self.home, home, symlinks=True)
        return Deployment(home, database, self.sandbox, dict(self.variables))

    def dropship(self, *arguments: str, check: bool = True, timeout: float = 180) -> subprocess.CompletedProcess[str]:
        """The command line, as a person runs it."""
        done = subprocess.run(
            [sys.executable, "-m", "dropship_pipeline.cli", *arguments],
            env={**clean_environment(), **self.environment},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def rows(self, query: str) -> list[dict[str, Any]]:
        """What a query gives."""
        with self.database.begin() as connection:
            return [dict(row) for row in connection.execute(text(query)).mappings()]

    def value(self, query: str) -> Any:
        """What a query gives that gives one value."""
        with self.database.begin() as connection:
            return connection.execute(text(query)).scalar_one()

    def truth(self, path: str) -> Any:
        """What is true at the simulated Alibaba.com."""
        return self.sandbox.control(f"truth/{path}")

    def calls(self, path: str) -> dict[str, int]:
        """How often the simulated Alibaba.com was asked at this path, by product (or page)."""
        counted: dict[str, int] = self.sandbox.control(f"calls?path={path}")["calls"]
        return counted


def all_stages(session: Session, request: SyncRequest) -> None:
    """What the Dagster job does, step by step."""
    if not request.product_ids:
        discover(session, request)
    describe(session, request)
    take_stock(session, request)
    quote(session, request)
    publish(session)


def clean_environment() -> dict[str, str]:
    """This process's environment without anything that the pipeline reads."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("ALIBABA_", "DROPSHIP_", "DAGSTER_"))}


def name_of(database: Database) -> str:
    """The name by which others copy it, when it is closed."""
    return str(make_url(database.libpq_url).database)
