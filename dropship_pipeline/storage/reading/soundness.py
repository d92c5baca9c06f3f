"""Which tables were asked everything and found without fault: their rows are not read again while they are the same.

What is asked is in `audits.py`, how it is known that rows are the same in `sameness.py`.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

from sqlalchemy import Connection, text

from dropship_pipeline.storage.lake.writes import Standing
from dropship_pipeline.storage.reading import audits
from dropship_pipeline.storage.reading.sameness import standing, version
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.tables.model import Table

_KNOWN = text("""
    SELECT table_name, fingerprint, rows, asked_at FROM ops.sound_tables
    WHERE table_name = ANY (CAST(:tables AS text[]))
""")
_NOW = text("SELECT now()")
_REMEMBER = text("""
    INSERT INTO ops.sound_tables (table_name, fingerprint, rows, asked_at)
    VALUES (:table_name, :fingerprint, :rows, :asked_at)
    ON CONFLICT (table_name) DO UPDATE
        SET fingerprint = excluded.fingerprint, rows = excluded.rows, asked_at = excluded.asked_at
""")


@dataclass(frozen=True, slots=True)
class Found:
    """A table that was read just now and found sound. `fingerprint`: of its rows, and of what was asked of them."""

    table: str
    fingerprint: str
    sound: audits.Sound


@dataclass(frozen=True, slots=True)
class Asked:
    """What asking came to, and which tables can be remembered for it."""

    answers: list[audits.Answer]
    found: list[Found]


def ask(connection: Connection, tables: Sequence[Table]) -> Asked:
    """Ask everything of these tables, and read the rows of those alone that are not known to be sound still.

    The transaction is `audits.read_only`: what is known, the marks and the rows are of one moment.
    """
    stands = standing(connection)
    fingerprints = {table.full_name: found for table in tables if (found := _fingerprint(table, stands))}
    unchanged = {
        row.table_name: audits.Sound(row.rows, row.asked_at.astimezone(UTC))
        for row in connection.execute(_KNOWN, {"tables": list(fingerprints)})
        if row.fingerprint == fingerprints[row.table_name]
    }
    answers = audits.ask(connection, tables, unchanged)
    now = connection.execute(_NOW).scalar_one()
    return Asked(answers, list(_sound(answers, fingerprints, now)))


def remember(database: Database, found: Sequence[Found]) -> None:
    """Spare the next who asks what was found. Raises `DatabaseProblem`."""
    if not found:
        return
    with database.begin() as connection:
        connection.execute(
            _REMEMBER,
            [
                {
                    "table_name": one.table,
                    "fingerprint": one.fingerprint,
                    "rows": one.sound.rows,
                    "asked_at": one.sound.asked_at,
                }
                for one in sorted(found, key=lambda one: one.table)
            ],
        )


def _fingerprint(table: Table, stands: Standing) -> str | None:
    """Of the rows of the table and of all that they refer to, and of the questions; None: a write may go unnoticed."""
    rows = version(stands, {table.full_name, *(reference.table for reference in table.references)})
    if rows is None:
        return None
    asked = [(question.name, question.fault, question.grave) for question in audits.questions(table)]
    return hashlib.sha256(json.dumps([rows, audits.asked(table), asked]).encode()).hexdigest()


def _sound(answers: Iterable[audits.Answer], fingerprints: Mapping[str, str], now: datetime) -> Iterable[Found]:
    for table, of_table in groupby(answers, lambda answer: answer.table):
        told = list(of_table)
        is_new = all(answer.unchanged_since is None for answer in told)
        if is_new and table in fingerprints and not any(answer.faulty or answer.lost for answer in told):
            yield Found(table, fingerprints[table], audits.Sound(told[0].rows, now))
