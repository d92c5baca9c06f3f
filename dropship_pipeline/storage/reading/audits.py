"""Questions that every row of a table must answer well, generated from the table's definition; and asking them.

One pass over a table answers all its questions; only where some row fails is it read again, for a sample. What is
asked about how things were read (shares, ages, sweeps) is in `standing.py`; what an answer means to people, in
`sync/checks/audit.py`.
"""

# ruff: noqa: S608  every name in these texts comes from the table definitions, none from outside

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import Any

import pycountry
from sqlalchemy import Connection, text

from dropship_pipeline.storage.server.staging import comma
from dropship_pipeline.tables.model import Reference, Table, Type
from dropship_pipeline.tables.postgres import literal

SAMPLE = 10

KEYS = "keys_unique"
REFERENCES = "references_whole"
MONEY = "money_positive"
CURRENCIES = "currencies_known"

_NONE: Mapping[str, Any] = MappingProxyType({})

_NO_CURRENCY = {"XTS", "XXX"}  # ISO 4217 has a code for tests, and one for none at all


@dataclass(frozen=True, slots=True)
class Question:
    """What no row of a table may be: `fault` is a condition over `t` and, for what it refers to, `r0`, `r1`, …

    `grave`: those of the faults that must not be published; the others are worth a warning. `shown`: the columns that
    a sample of the faulty rows has.
    """

    name: str
    fault: str
    grave: str
    shown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What asking came to: so many `rows`, of which `faulty`, of these `grave`; `lost`: a constraint that is gone.

    `sample`: up to ten of the faulty rows, what tells them apart and what was asked about. `unchanged_since`: when the
    rows were read (UTC), where that was before and nobody wrote to them meanwhile; else None.
    """

    question: str
    table: str
    rows: int
    faulty: int
    grave: int
    sample: tuple[Mapping[str, Any], ...] = ()
    lost: str = ""
    unchanged_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Sound:
    """A table of which everything was asked at that moment (UTC), of so many rows, and no fault was found."""

    rows: int
    asked_at: datetime


def questions(table: Table) -> tuple[Question, ...]:
    """What is asked of each row of the table. Whether its key is unique is asked apart: see `ask`."""
    return (*_reference(table), *_money(table), *_currency(table))


def asked(table: Table) -> tuple[str, ...]:
    """The names of all that `ask` asks of this table."""
    return (*((KEYS,) if table.key else ()), *(question.name for question in questions(table)))


def read_only(connection: Connection) -> None:
    """Make the transaction that begins one that sees a single moment, writes nothing, and may join in memory."""
    connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    connection.exec_driver_sql("SET LOCAL work_mem = '64MB'")  # 600,000 attributes joined to 300,000 SKUs stay in it


def ask(connection: Connection, tables: Sequence[Table], unchanged: Mapping[str, Sound] = _NONE) -> list[Answer]:
    """Ask everything of these tables, in the order of `asked`. The transaction should be `read_only`.

    `unchanged`: those whose rows, and the rows that these refer to, are the same still. What Postgres holds them to is
    looked at all the same, and the rows are read where that is less than it was.
    """
    held = _held(connection, tables)
    return [
        answer
        for table in tables
        for answer in _ask(connection, table, held.get(table.full_name, _Held()), unchanged.get(table.full_name))
    ]


def _told_apart(table: Table) -> tuple[str, ...]:
    """The columns that say which row it is, and of which product; of a change log, those that are always there."""
    key = table.key or tuple(column.name for column in table.columns if not column.nullable)
    return tuple(dict.fromkeys((*key, *(name for name in table.column_names if name == "product_id"))))


def _reference(table: Table) -> tuple[Question, ...]:
    if not table.references:
        return ()
    lost = " OR ".join(
        "(" + " AND ".join(f"t.{name} IS NOT NULL" for name in reference.columns) + f" AND {alias}.{first} IS NULL)"
        for alias, reference in _aliased(table)
        for first in reference.columns[:1]
    )
    columns = (name for reference in table.references for name in reference.columns)
    return (Question(REFERENCES, lost, lost, tuple(dict.fromkeys((*_told_apart(table), *columns)))),)


def _aliased(table: Table) -> list[tuple[str, Reference]]:
    return [(f"r{number}", reference) for number, reference in enumerate(table.references)]


def _money(table: Table) -> tuple[Question, ...]:
    amounts = [column.name for column in table.columns if column.type is Type.MONEY]
    if not amounts:
        return ()
    # what is offered has a price above nothing; freight, a fee, a gift in an order may cost nothing, and never less
    offers = table.schema == "catalog"
    wrong = " OR ".join(f"t.{name} {'<=' if offers and name.endswith('price') else '<'} 0" for name in amounts)
    return (Question(MONEY, wrong, wrong, (*_told_apart(table), *amounts)),)


def _currency(table: Table) -> tuple[Question, ...]:
    if "currency" not in table.column_names:
        return ()
    amounts = [column.name for column in table.columns if column.type is Type.MONEY]
    unknown = f"t.currency IS NOT NULL AND NOT (t.currency = ANY ({_known_currencies()}))"
    bare = " OR ".join(f"t.{name} IS NOT NULL" for name in amounts)
    # one bad field costs a NULL: an amount without a currency is no reason to keep all the others from people
    fault = f"({unknown}) OR (t.currency IS NULL AND ({bare}))"
    return (Question(CURRENCIES, fault, unknown, (*_told_apart(table), *amounts, "currency")),)


@cache
def _known_currencies() -> str:
    codes = {currency.alpha_3 for currency in pycountry.currencies} - _NO_CURRENCY
    return f"ARRAY[{', '.join(literal(code) for code in sorted(codes))}]"


def _source(table: Table) -> str:
    """The table as `t`, each row with what it refers to as `r0`, `r1`, …"""
    joins = [
        f"LEFT JOIN {reference.table} {alias} ON "
        + " AND ".join(f"{alias}.{name} = t.{name}" for name in reference.columns)
        for alias, reference in _aliased(table)
    ]
    return " ".join([f"{table.full_name} t", *joins])


@dataclass(frozen=True, slots=True)
class _Held:
    """What Postgres holds the rows of a table to: its primary key, and the columns that are never NULL."""

    key: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()

    def lets_through(self, table: Table) -> bool:
        """Whether it lets through what the definition does not: another key, a NULL in a required column."""
        return self.key != set(table.key) or bool(self.fillable(table))

    def fillable(self, table: Table) -> list[str]:
        """The columns that may be NULL although the definition says never."""
        return [column.name for column in table.columns if not column.nullable and column.name not in self.required]


_HELD = text("""
    SELECT n.nspname || '.' || c.relname AS name,
        ARRAY(
            SELECT CAST(a.attname AS text) FROM pg_constraint k
            JOIN pg_index i ON i.indexrelid = k.conindid AND i.indisvalid
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (k.conkey)
            WHERE k.conrelid = c.oid AND k.contype = 'p'
        ) AS key,
        ARRAY(
            SELECT CAST(a.attname AS text) FROM pg_attribute a
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND a.attnotnull AND NOT a.attisdropped
        ) AS required
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname || '.' || c.relname = ANY (CAST(:tables AS text[]))
""")


def _held(connection: Connection, tables: Sequence[Table]) -> dict[str, _Held]:
    rows = connection.execute(_HELD, {"tables": [table.full_name for table in tables]})
    return {row.name: _Held(frozenset(row.key), frozenset(row.required)) for row in rows}


def _ask(connection: Connection, table: Table, held: _Held, sound: Sound | None) -> list[Answer]:
    if sound is not None and not held.lets_through(table):
        return [
            Answer(name, table.full_name, sound.rows, 0, 0, unchanged_since=sound.asked_at) for name in asked(table)
        ]
    put = questions(table)
    if not put and not table.key:
        return []
    counts = [
        f"count(*) FILTER (WHERE {condition})" for question in put for condition in (question.fault, question.grave)
    ]
    rows, *found = connection.execute(text(f"SELECT {comma(['count(*)', *counts])} FROM {_source(table)}")).one()
    answers = [
        Answer(question.name, table.full_name, rows, faulty, grave, _sample(connection, table, question, faulty))
        for question, faulty, grave in zip(put, found[::2], found[1::2], strict=True)
    ]
    return [_ask_keys(connection, table, held, rows), *answers] if table.key else answers


def _sample(connection: Connection, table: Table, question: Question, faulty: int) -> tuple[Mapping[str, Any], ...]:
    if not faulty:
        return ()
    statement = f"""
        SELECT {comma(question.shown, "t.")} FROM {_source(table)} WHERE {question.fault}
        ORDER BY ({question.grave}) DESC, {comma(_told_apart(table), "t.")} LIMIT {SAMPLE}
    """
    return _records(connection, statement)


def _records(connection: Connection, statement: str) -> tuple[Mapping[str, Any], ...]:
    return tuple(dict(row) for row in connection.execute(text(statement)).mappings())


def _ask_keys(connection: Connection, table: Table, held: _Held, rows: int) -> Answer:
    """Whether keys are unique and required columns filled. What Postgres still holds the table to is not searched."""
    lost = "" if held.key == set(table.key) else f"PRIMARY KEY ({comma(table.key)})"
    fillable = held.fillable(table)
    key = comma(table.key)
    faults = []
    if fillable:
        empty = " OR ".join(f"{name} IS NULL" for name in fillable)
        faults.append(f"SELECT {key}, 1 AS rows FROM {table.full_name} WHERE {empty}")
    if lost:
        faults.append(f"SELECT {key}, count(*) AS rows FROM {table.full_name} GROUP BY {key} HAVING count(*) > 1")
    if not faults:
        return Answer(KEYS, table.full_name, rows, 0, 0)
    faulty = connection.execute(text(f"SELECT count(*) FROM ({' UNION ALL '.join(faults)}) f")).scalar_one()
    some = f"SELECT * FROM ({' UNION ALL '.join(faults)}) f ORDER BY {key} LIMIT {SAMPLE}"
    return Answer(KEYS, table.full_name, rows, faulty, faulty, _records(connection, some) if faulty else (), lost)
