"""No text from outside becomes SQL: values are parameters, or quoted literals where a driver takes no parameters."""

import re
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

import dropship_pipeline
from dropship_pipeline.alibaba.tokens import TokenPair
from dropship_pipeline.storage.ops.accounts import AccountVault
from dropship_pipeline.storage.ops.secrets import Cipher
from dropship_pipeline.storage.orders.placements import find_placement
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.tables.postgres import literal

PACKAGE = Path(str(dropship_pipeline.__file__)).parent

# Each was read: what it puts into a text of SQL. To add one is to have made sure of it.
COMPOSED = {
    "orchestration/previews.py": "names of published tables and their columns, from the definitions",
    "storage/catalog/fetches.py": "kinds and times of ours, and the destination of the settings, as literals",
    "storage/catalog/fresh_sql.py": "texts of ours",
    "storage/catalog/listing_history.py": "feeds, sweeps and times of ours, as literals",
    "storage/catalog/listing_log.py": "feeds and times of ours, as literals",
    "storage/catalog/memberships.py": "feeds and sweeps of ours, and why a sweep ended, as literals; counts",
    "storage/catalog/merge_sql.py": "names from the definitions",
    "storage/catalog/reject_sql.py": "texts of ours",
    "storage/catalog/rejects.py": "texts of ours; what is chosen by is a parameter",
    "storage/catalog/replays.py": "texts of ours; feeds as literals",
    "storage/lake/exports.py": "names from the definitions",
    "storage/lake/table_file.py": "names from the definitions",
    "storage/lake/verification.py": "names from the definitions",
    "storage/lake/writes.py": "names from the definitions, as literals",
    "storage/ops/alerts.py": "names of the fields of a class",
    "storage/ops/inbox.py": "texts of ours",
    "storage/ops/rekeying.py": "names from the definitions, quoted by the driver",
    "storage/ops/upkeep.py": "names and conditions of a table of ours",
    "storage/ops/watched.py": "texts of ours",
    "storage/orders/order_sql.py": "names from the definitions; statuses of ours, as literals",
    "storage/orders/placement_sql.py": "texts of ours",
    "storage/reading/alterations.py": "texts of ours",
    "storage/reading/audits.py": "names from the definitions; codes of ours, as literals",
    "storage/reading/lake_questions.py": "names of the tables of a snapshot, quoted",
    "storage/reading/sameness.py": "names from the definitions, as literals",
    "storage/reading/standing.py": "texts of ours",
    "storage/server/embedded.py": "the name of our database, quoted by the driver",
    "storage/server/roles.py": "a role and a login, quoted by the driver",
    "storage/server/staging.py": "names and types from the definitions",
}
_UNCHECKED = re.compile(r"noqa: S608(?P<reason>.*)")
_FORMATTED = re.compile(r"\.format\(")

HOSTILE = (
    "'",
    "''; DROP TABLE catalog.products; --",
    "\\'; DROP TABLE catalog.products; --",
    "\\",
    "\\\\'",
    "x\0y",
    "$$; $tag$",
    "%s %(x)s {} {feed} :feed ?",
    "\u2019 ʼ \ud7ff 中文",
    "E'\\x27'",
)


def test_only_these_modules_put_anything_into_a_text_of_sql_and_each_says_what() -> None:
    """The linter (S608) finds the others; a text that is filled in by `format`, this does."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        name = str(path.relative_to(PACKAGE))
        if name.startswith(("sandbox/", "storage/migrations/")):
            continue
        source = path.read_text()
        reasons = [match["reason"].strip() for match in _UNCHECKED.finditer(source)]
        assert all(len(reason) >= len("ours") for reason in reasons), f"{name}: what is put in is not said"
        if reasons or (name.startswith("storage/") and _FORMATTED.search(source)):
            found.add(name)
    assert found == set(COMPOSED)


@pytest.mark.parametrize("conforming", ["on", "off"])
def test_a_literal_is_the_text_that_it_stands_for_whatever_the_server_is_set_to(
    database: Database, conforming: str
) -> None:
    with database.begin() as connection, closing(connection.connection.cursor()) as cursor:
        cursor.execute(f"SET LOCAL standard_conforming_strings = {conforming}; SET LOCAL escape_string_warning = off")
        for hostile in HOSTILE:
            cursor.execute(f"SELECT {literal(hostile)}, 1 IN (2,{literal('1')}::int)")
            assert cursor.fetchone() == (hostile.replace("\0", ""), True)
    with database.adbc() as adbc:
        adbc.run(f"SET standard_conforming_strings = {conforming}")
        for hostile in HOSTILE:
            assert adbc.run(f"SELECT {literal(hostile)}") == [(hostile.replace("\0", ""),)]


def test_what_a_person_types_is_a_name_and_nothing_else(database: Database) -> None:
    vault = AccountVault(database, Cipher([Fernet.generate_key().decode()]))
    for hostile in HOSTILE:
        if "\0" in hostile:
            continue  # no command line holds one
        vault.save(hostile, TokenPair("access", None), {"user_id": hostile})
        kept = vault.load(hostile)
        assert kept is not None
        assert kept.access_token == "access"
        assert find_placement(database, hostile) is None
        assert vault.forget(hostile)
        assert not vault.forget(hostile)
    with database.begin() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM catalog.products").scalar_one() == 0
