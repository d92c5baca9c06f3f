"""What a failing database means, in words that people can act on. Reads driver errors; opens no connection.

Two drivers reach the same server, ADBC and psycopg2 (through SQLAlchemy). Both say an SQLSTATE for what the server
refused and none for a connection that could not be made or broke; what is known of either is in the two tables below.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg2
from sqlalchemy.exc import DBAPIError

from dropship_pipeline.problem import Problem


class DatabaseProblem(Problem):
    """The database answered, and could not do what was asked of it."""


class DatabaseDown(DatabaseProblem):
    """The database could not be reached, or the connection broke."""


class CommitUnknown(DatabaseDown):
    """The connection broke during COMMIT: the transaction may stand or not. Every merge may be repeated."""


@dataclass(frozen=True, slots=True)
class _Meaning:
    what: str
    remedy: str
    kind: type[DatabaseProblem] = DatabaseProblem


_ADDRESS = "Correct DROPSHIP_DATABASE_URL"
_AGAIN = "Run the command again: what was committed is kept, and nothing is doubled"
_TABLES = "Run `dropship db upgrade`; if it says that nothing is pending, a table was altered by hand: undo that"
_UP = "Start Postgres or correct DROPSHIP_DATABASE_URL, then run the command again: what was committed is kept"

# SQLSTATE, or its class where it ends in "*"
_BY_STATE = {
    "08*": _Meaning("broke the connection", _UP, DatabaseDown),
    "57P01": _Meaning("was shut down", _UP, DatabaseDown),
    "57P02": _Meaning("crashed", _UP, DatabaseDown),
    "57P03": _Meaning("is starting or stopping", _UP, DatabaseDown),
    "57P05": _Meaning("closed an idle session", _AGAIN, DatabaseDown),
    "25P03": _Meaning("closed an idle session", _AGAIN, DatabaseDown),
    "25006": _Meaning("is read-only", "Point DROPSHIP_DATABASE_URL at the primary server"),
    "28*": _Meaning("refuses the login", _ADDRESS),
    "3D000": _Meaning("does not exist", "Create it or correct DROPSHIP_DATABASE_URL"),
    "40*": _Meaning("gave up after several tries because others changed the same rows", _AGAIN),
    "42501": _Meaning(
        "does not let this user do that", "Connect as the owner of the tables, or let this user in: dropship db grant"
    ),
    "42P01": _Meaning("lacks a table", _TABLES),
    "42703": _Meaning("lacks a column", _TABLES),
    "42P10": _Meaning("lacks a primary key", _TABLES),
    "42804": _Meaning("has a column of another type", _TABLES),
    "53100": _Meaning("has no disk space left", f"Free space on its disk. {_AGAIN}"),
    "53200": _Meaning("is out of memory", f"Lower work_mem or give it more. {_AGAIN}"),
    "53300": _Meaning("has no connection left", "Raise max_connections, or stop other clients", DatabaseDown),
    "55P03": _Meaning("is held up by another session's lock", f"See pg_stat_activity. {_AGAIN}"),
    "57014": _Meaning("cancelled a statement", f"See statement_timeout. {_AGAIN}"),
    "58*": _Meaning("cannot read or write its files", "See the server's log", DatabaseDown),
}

_REFUSED = _BY_STATE["28*"]
_BROKEN = _BY_STATE["08*"]
_NOBODY = _Meaning("has a host that nobody knows", _ADDRESS, DatabaseDown)
_SILENT = _Meaning("is not reachable", _UP, DatabaseDown)

# what libpq says when there is no SQLSTATE because there is no connection
_BY_WORDS = (
    ("password authentication failed|no password supplied|pg_hba|role .* does not exist", _REFUSED),
    ("database .* does not exist", _BY_STATE["3D000"]),
    ("Column .* does not exist in target table", _BY_STATE["42703"]),
    ("could not translate host name|Name or service not known", _NOBODY),
    ("too many clients|too many connections|remaining connection slots", _BY_STATE["53300"]),
    ("starting up|shutting down|in recovery mode", _BY_STATE["57P03"]),
    ("server closed the connection|no connection to|connection already closed|terminating connection", _BROKEN),
    ("onnection refused|No such file or directory|timeout expired|timed out|unreachable|could not connect", _SILENT),
)


def driver_error(error: BaseException) -> Any:
    """The driver's own error inside of what SQLAlchemy wraps around it."""
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error


def sqlstate(error: BaseException) -> str | None:
    """The SQLSTATE that the server gave; None where there was no server to give one."""
    inner = driver_error(error)
    return getattr(inner, "sqlstate", None) or getattr(inner, "pgcode", None)


def is_conflict(error: BaseException) -> bool:
    """Whether the transaction lost against another one and may simply be repeated: deadlock, serialisation failure."""
    return (sqlstate(error) or "").startswith("40")


def is_bad_data(error: BaseException) -> bool:
    """Whether a row could not be stored as it is: out of range, too long for an index, NULL where none may be."""
    return (sqlstate(error) or "")[:2] in {"22", "23", "54"}


def is_there_already(error: BaseException) -> bool:
    """Whether there is a row with this key."""
    return sqlstate(error) == "23505"


def is_lost(error: BaseException) -> bool:
    """Whether the connection is gone, so that a transaction under way was rolled back."""
    meaning = _meaning(error)
    return meaning is not None and issubclass(meaning.kind, DatabaseDown)


def as_problem(error: BaseException, address: str) -> DatabaseProblem | None:
    """The error in our words; None for what is no fault of the database but a mistake in ours."""
    meaning = _meaning(error)
    if meaning is None:
        return None
    said = primary_message(driver_error(error))
    return meaning.kind(f"The database {address} {meaning.what}{f' ({said})' if said else ''}", meaning.remedy)


@contextmanager
def without_the_row(address: str) -> Iterator[None]:
    """Raise what refuses a row as a `DatabaseProblem` that does not repeat the row, as the drivers' errors do.

    For rows that name people: what is raised ends in logs.
    """
    try:
        yield
    except Exception as error:
        if not is_bad_data(error):
            raise
        what = f"The database {address} refuses a row ({primary_message(driver_error(error))})"
        raise DatabaseProblem(what, "If a table was altered by hand, undo that; else report it") from None


@contextmanager
def in_our_words(address: str) -> Iterator[None]:
    """Raise what the drivers raise inside as a `DatabaseProblem` that names the database and the remedy."""
    try:
        yield
    except Problem:
        raise
    except Exception as error:
        problem = as_problem(error, address)
        if problem is None:
            raise
        raise problem from error


def _meaning(error: BaseException) -> _Meaning | None:
    inner = driver_error(error)
    state = sqlstate(error)
    if state is not None:
        return _BY_STATE.get(state) or _BY_STATE.get(state[:2] + "*")
    if not _from_a_driver(inner):
        return None
    text = str(inner)
    for words, meaning in _BY_WORDS:
        if re.search(words, text):
            return meaning
    return _BROKEN if type(inner).__name__ in {"OperationalError", "InterfaceError"} else None


def _from_a_driver(error: object) -> bool:
    return isinstance(error, psycopg2.Error) or type(error).__module__.startswith("adbc_driver_manager")


def primary_message(error: object) -> str:
    """The server's first line: no SQL, no parameters, nothing but what went wrong."""
    primary = getattr(getattr(error, "diag", None), "message_primary", None)
    details = dict(getattr(error, "details", None) or ())
    primary = primary or details.get(b"PG_DIAG_MESSAGE_PRIMARY", b"").decode(errors="replace")
    if primary:
        return str(primary)
    first = str(error).strip().split("\n", 1)[0]
    return re.sub(r"^(.*(FATAL|ERROR|failed|[Ff]ailed to connect):|[A-Z_]+:)\s*", "", first)
