"""What a table is: columns with a type, a meaning, a unit and a source. Nothing here knows which tables there are.

`postgres.py`, `arrow.py` and `dictionary.py` derive the DDL, the Arrow schema and the docs from these definitions, so
that no fact about a table is written twice.
"""

from dataclasses import dataclass
from enum import Enum


class Type(Enum):
    """The types that a column can have, each the same thing in Postgres and in Arrow."""

    TEXT = "text"
    INTEGER = "integer"
    BIGINT = "bigint"
    DOUBLE = "double precision"
    MONEY = "numeric(18,4)"
    TIMESTAMP = "timestamptz"
    BOOLEAN = "boolean"
    JSON = "jsonb"
    BYTES = "bytea"
    TEXTS = "text[]"


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `source` names the field of the guide (§ and path) that it is read from; "" for our own facts.

    `reads` names the columns that a view's column is made of, `schema.table.column`; none: it is the view's own word.
    """

    name: str
    type: Type
    comment: str
    nullable: bool = True
    unit: str = ""
    source: str = ""
    example: str = ""
    reads: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reference:
    """At every moment each row has one in `table` (`schema.name`) that is equal in `columns`, named alike in both.

    A row with a NULL among them refers to nothing. Not for what may come before, or outlive, what it names: the stock
    of a product that was not described yet, the last price of a SKU that is gone.
    """

    columns: tuple[str, ...]
    table: str


@dataclass(frozen=True, slots=True)
class Table:
    """One table. `key` is its primary key; an append-only log has none and is never updated.

    `parent` names the column whose rows are replaced together: when a product is read afresh, its rows that the fresh
    payload lacks go. `observed` are the columns that say when we looked, not what we saw: a row that differs in nothing
    else is not a changed row. `published` tables are in every Parquet snapshot. `included`, index for index, are what
    stands in it beside its key: a query that needs no other column reads the index alone. `references` are checked
    before each snapshot; they are no constraints of the database, so that a merge may write in any order.
    """

    schema: str
    name: str
    comment: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    parent: str = ""
    observed: tuple[str, ...] = ()
    published: bool = False
    indexes: tuple[tuple[str, ...], ...] = ()
    included: tuple[tuple[str, ...], ...] = ()
    references: tuple[Reference, ...] = ()

    @property
    def full_name(self) -> str:
        """`schema.name`, as SQL has it."""
        return f"{self.schema}.{self.name}"

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def append_only(self) -> bool:
        """Whether rows are only ever added: a change log."""
        return not self.key

    def column(self, name: str) -> Column:
        """The column of that name; KeyError if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.full_name} has no column {name}")


@dataclass(frozen=True, slots=True)
class View:
    """One view, whose query is in `sql/<name>.sql`. `key`: the columns that no two rows share; NULL counts as a value.

    `sources` are the tables and views that the query names, `schema.name`. A view with `arguments` is a function of
    them that gives rows: `SELECT * FROM schema.name(…)`.
    """

    schema: str
    name: str
    comment: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    sources: tuple[str, ...]
    arguments: tuple[Column, ...] = ()

    @property
    def full_name(self) -> str:
        """`schema.name`, as SQL has it."""
        return f"{self.schema}.{self.name}"

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(column.name for column in self.columns)


def columns_of(table: str, *columns: str) -> tuple[str, ...]:
    """`schema.table.column` of each, as `Column.reads` names them; `table` is `schema.name`."""
    return tuple(f"{table}.{column}" for column in columns)
