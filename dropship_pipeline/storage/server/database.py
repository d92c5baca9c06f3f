"""Where Postgres is and how to reach it. Connections and their addresses; no statement of ours is in here.

Two drivers: SQLAlchemy over psycopg2 for what is small, ADBC for what comes and goes as Arrow tables. Whatever either
of them raises inside of a `with` of this module leaves it as a `DatabaseProblem` (see `failures.py`).
"""

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from dropship_pipeline.problem import Problem
from dropship_pipeline.stopping import held_back
from dropship_pipeline.storage.server.failures import CommitUnknown, DatabaseDown, DatabaseProblem, in_our_words

if TYPE_CHECKING:
    from dropship_pipeline.storage.server.arrow_connection import ArrowConnection

__all__ = ["CommitUnknown", "Database", "DatabaseDown", "DatabaseProblem"]

_SCHEMES = {"postgresql", "postgres", "postgresql+psycopg2", "postgresql+psycopg"}
_SECRET_PARAMETERS = ("password", "sslpassword")
_CONNECTION_DEFAULTS = {
    "application_name": "dropship",
    "connect_timeout": "10",
    # a server that vanished without a word is noticed within a minute: while we wait for its answer by probes, of which
    # TCP would send the first after two hours, and while we talk to it by what it does not acknowledge
    "keepalives_idle": "30",  # seconds
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",  # milliseconds
}
# and a machine of ours that vanished is noticed by the server, which otherwise keeps its locks for two hours
_SESSION = "".join(
    f"SET {name} = {value}; "
    for name, value in {
        "tcp_keepalives_idle": "30",
        "tcp_keepalives_interval": "10",
        "tcp_keepalives_count": "3",
        "tcp_user_timeout": "60000",
    }.items()
)


class Database:
    """One Postgres database. Cheap to make: connections are opened when they are needed, and pooled."""

    def __init__(self, url: str) -> None:
        """Keep the address: `postgresql://user:password@host:port/name` or `postgresql://user@/name?host=/socket/dir`.

        `postgres://` and `postgresql+psycopg2://` are read as the same. Raises `Problem` if it is none of these.
        """
        self._url = _read(url)
        self._adbc_lock = threading.Lock()
        self._adbc_template: Any = None
        self._adbc_open: weakref.WeakSet[ArrowConnection] = weakref.WeakSet()
        self._adbc_closer: weakref.finalize[[], Database] | None = None

    def __repr__(self) -> str:
        return f"Database({self.safe_url!r})"

    @property
    def safe_url(self) -> str:
        """The address without its password, to be shown."""
        secrets = [name for name in _SECRET_PARAMETERS if name in self._url.query]
        return _text(self._url.difference_update_query(secrets)._replace(password=None))

    @property
    def libpq_url(self) -> str:
        """The address with its password, as libpq and `psql` take it. Secret."""
        return _text(self._url)

    @property
    def address(self) -> str:
        """Which database, in the fewest words: for messages."""
        hosts = self._url.query.get("host")
        host = self._url.host or (hosts if isinstance(hosts, str) else ",".join(hosts or ())) or "localhost"
        port = f":{self._url.port}" if self._url.port else ""
        return f"{self._url.database or self._url.username} at {host}{port}"

    @cached_property
    def sqlalchemy(self) -> Engine:
        """The engine; its pooled connections are looked at before they are used: a restart goes unnoticed."""
        url = self.connection_url.set(drivername="postgresql+psycopg2")
        # what is written is repeated in no error
        engine = create_engine(url, pool_pre_ping=True, pool_size=4, max_overflow=12, hide_parameters=True)
        event.listen(engine, "connect", _begin_session)
        return engine

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A connection in a transaction that is committed at the end, or rolled back by an exception."""
        with in_our_words(self.address), self.sqlalchemy.begin() as connection:
            yield connection

    @contextmanager
    def autocommit(self) -> Iterator[Connection]:
        """A connection whose every statement is a transaction of its own."""
        with (
            in_our_words(self.address),
            self.sqlalchemy.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
        ):
            yield connection

    @contextmanager
    def adbc(self) -> Iterator["ArrowConnection"]:
        """A connection of its own, for Arrow tables in bulk.

        It commits each statement by itself; where a transaction is wanted, say BEGIN and COMMIT. ADBC's own way
        begins the next transaction with each commit, which leaves the session idle in a transaction for ever.
        """
        with in_our_words(self.address):
            connection = self.open_adbc()
            try:
                yield connection
            finally:
                connection.close()

    def open_adbc(self) -> "ArrowConnection":
        """What `adbc` gives, to be closed by the caller, and with the driver's own errors."""
        import adbc_driver_postgresql.dbapi  # noqa: PLC0415  it brings pyarrow, for which nobody who only looks waits

        from dropship_pipeline.storage.server.arrow_connection import ArrowConnection  # noqa: PLC0415  likewise

        connection: ArrowConnection | None = None
        try:
            with held_back(), self._adbc_lock:  # an interrupt in here would leave a connection that nobody knows
                if self._adbc_template is None:
                    # what the others are cloned from: the first reads the server's types, and takes ten times as long
                    template = adbc_driver_postgresql.dbapi.connect(_text(self.connection_url), autocommit=True)
                    self._adbc_template = template
                    self._adbc_closer = weakref.finalize(self, template.close)
                clone = self._adbc_template.adbc_clone()
                clone.adbc_connection.set_autocommit(True)
                connection = ArrowConnection(clone)
                self._adbc_open.add(connection)
        except BaseException:
            if connection is not None:
                connection.close()
            raise
        return connection

    def close(self) -> None:
        """Close the pooled connections; the next use opens new ones."""
        if "sqlalchemy" in self.__dict__:
            self.sqlalchemy.dispose()
        with self._adbc_lock:
            for connection in list(self._adbc_open):  # those that an interrupt left open
                connection.close()
            if self._adbc_closer is not None:
                self._adbc_closer()
            self._adbc_template = self._adbc_closer = None

    @property
    def connection_url(self) -> URL:
        """The address with its password, and with our defaults for what it does not say of connections. Secret."""
        return self._url.update_query_dict({k: v for k, v in _CONNECTION_DEFAULTS.items() if k not in self._url.query})


def _begin_session(connection: Any, _: object) -> None:
    connection.autocommit = True  # else what is set would go with the first transaction that is rolled back
    with connection.cursor() as cursor:
        cursor.execute(_SESSION)
    connection.autocommit = False


def _read(url: str) -> URL:
    remedy = "Set DROPSHIP_DATABASE_URL to postgresql://user:password@host:port/name"
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # the text is not shown: it may hold a password
        raise Problem("The address of the database cannot be read", remedy) from None
    if parsed.drivername not in _SCHEMES:
        raise Problem(f"The address of the database is of the kind {parsed.drivername}, not Postgres", remedy)
    return parsed.set(drivername="postgresql")


def _text(url: URL) -> str:
    """The address as libpq takes it; a socket's directory stays readable."""
    return url.render_as_string(hide_password=False).replace("%2F", "/")
