"""Looking for planted words in everything that a day leaves behind: texts, files, tables, whatever form they took."""

import base64
import html
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, quote_plus

import pyarrow.parquet as pq

from dropship_pipeline.storage.server.database import Database

_TABLES = """
    SELECT schemaname, tablename FROM pg_tables
    WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2
"""


def forms(word: str) -> set[str]:
    """The ways in which a word may be written down by something that does not mean to hide it."""
    raw = word.encode()
    return {
        word,
        quote(word),
        quote_plus(word),
        html.escape(word),
        json.dumps(word)[1:-1],
        base64.b64encode(raw).decode().rstrip("="),
        raw.hex(),
    }


def found_in(text: str, planted: Mapping[str, str]) -> set[str]:
    """What of `planted` (what it is -> the word) stands in a text, by what it is.

    A number is one between other characters: among the digits of times and of IDs any short one is found by chance.
    """
    return {what for what, word in planted.items() if any(_stands_in(text, form) for form in forms(word))}


def _stands_in(text: str, form: str) -> bool:
    return form in text and (not form.isdecimal() or re.search(rf"(?<![\d.]){form}(?!\d)", text) is not None)


def texts_of_files(*folders: Path) -> Iterator[tuple[str, str]]:
    """Every file below, as text; of Parquet what is in it."""
    for folder in folders:
        for path in folder.rglob("*"):
            if path.suffix == ".parquet":
                yield str(path), json.dumps(pq.read_table(path).to_pylist(), default=_readable, ensure_ascii=False)
            elif path.is_file():
                yield str(path), _text(path.read_bytes())


def texts_of_tables(database: Database) -> Iterator[tuple[str, str]]:
    """Every row of every table of every schema, those of Dagster too: by the name of the table."""
    with database.begin() as connection:
        for schema, table in connection.exec_driver_sql(_TABLES).all():
            rows = connection.exec_driver_sql(f'SELECT * FROM "{schema}"."{table}"')
            yield f"{schema}.{table}", "\n".join(" ".join(map(_readable, row)) for row in rows)


def _readable(value: object) -> str:
    return _text(bytes(value)) if isinstance(value, bytes | memoryview) else str(value)


def _text(data: bytes) -> str:
    """As text; unpacked, where it was packed as Dagster packs what it keeps of a run."""
    with suppress(zlib.error):
        data = zlib.decompress(data)
    return data.decode(errors="replace")
