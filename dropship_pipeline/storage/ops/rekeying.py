"""Rotation of the key: all that is encrypted in the tables, encrypted anew with the newest key.

Which columns these are follows from the definitions: whatever is stored as bytes is encrypted. No key is in here.
"""

from contextlib import AbstractContextManager, closing
from datetime import timedelta
from pathlib import Path

from psycopg2 import sql
from sqlalchemy import Connection

from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.ops.secrets import Cipher, WrongKey, forget_old_keys, put_new_key_first
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.storage.server.locks import Held, hold
from dropship_pipeline.tables.model import Column, Table, Type
from dropship_pipeline.tables.registry import ALL_TABLES

ENCRYPTED: tuple[tuple[Table, Column], ...] = tuple(
    (table, column) for table in ALL_TABLES for column in table.columns if column.type is Type.BYTES
)

_KEPT = 2
_WAIT = timedelta(seconds=10)


def rekey(database: Database, cipher: Cipher) -> int:
    """Encrypt everything with the newest key of the cipher; how much was not before.

    One transaction: after a kill all is as it was, or done. Raises `WrongKey`, and changes nothing, for a value that
    none of the keys reads, and `Problem` where another process is at it.
    """
    with _alone(database), database.begin() as connection:
        return sum(_rekey_column(connection, cipher, table, column) for table, column in ENCRYPTED)


def rekey_with_new(database: Database, home: Path) -> int:
    """As `rekey`, with a key that is generated first, into `home/secret.key`.

    The file keeps the key before it too: processes that are at work have still got that, and may use it once more.
    Wherever this is killed, the file has every key that something is encrypted with. Raises also OSError.
    """
    cipher = Cipher.from_settings(None, home, shared=False)
    with _alone(database):
        put_new_key_first(home)
        with database.begin() as connection:
            done = sum(_rekey_column(connection, cipher, table, column) for table, column in ENCRYPTED)
        forget_old_keys(home, _KEPT)
        return done


def _alone(database: Database) -> AbstractContextManager[Held]:
    busy = Problem("Another process is just replacing the key", "Run this again when it is done")
    return hold(database, "rekey", _WAIT, busy)


def _rekey_column(connection: Connection, cipher: Cipher, table: Table, column: Column) -> int:
    (only_key,) = table.key
    names = {
        "table": sql.Identifier(table.schema, table.name),
        "key": sql.Identifier(only_key),
        "column": sql.Identifier(column.name),
    }
    done = 0
    with closing(connection.connection.cursor()) as cursor:
        find = "SELECT {key}, {column} FROM {table} WHERE {column} IS NOT NULL ORDER BY {key} FOR UPDATE"
        cursor.execute(sql.SQL(find).format(**names))
        for key, value in cursor.fetchall():
            try:
                renewed = cipher.renewed(bytes(value))
            except WrongKey as wrong:
                raise WrongKey(
                    f"{column.name} of {key!r} in {table.full_name} is of a key that is not given", wrong.remedy
                ) from None
            if renewed is not None:
                change = "UPDATE {table} SET {column} = %s WHERE {key} = %s"
                cursor.execute(sql.SQL(change).format(**names), (renewed, key))
                done += 1
    return done
