"""`dropship sql`: what is stored is what is written, in every format; and nothing can be changed by asking."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from deployment import Deployment, clean_environment
from sqlalchemy import text
from typed import Type

pytestmark = pytest.mark.xdist_group("sql-command")  # what is set up once is set up once

EVERYTHING = r"""
    SELECT 12.3400::numeric(18,4) AS money, 9007199254740993::bigint AS large, true AS yes, false AS no,
           NULL::text AS nothing, '' AS empty,
           timestamptz '2026-03-01 12:00:00.5+02' AS moment, date '2026-03-01' AS day,
           '{"a": 1.10, "b": [null, "x"]}'::jsonb AS document, ARRAY['CN', 'a,"b', NULL] AS origins,
           ARRAY[1.5000, 2]::numeric[] AS prices, 'NaN'::float8 AS unreal, 0.1::float8 AS tenth,
           E'two\nlines, "quoted"\tand a tab' AS words, '\x00ff'::bytea AS bytes, interval '1 month 2 days' AS span,
           '100%' AS share, ' padded ' AS padded, '\.' AS mark
"""


def test_json_keeps_every_value(synced: Deployment, type_command: Type) -> None:
    typed = type_command(["sql", "--json", EVERYTHING], synced.environment)
    assert typed.status == 0, typed.err
    [row] = json.loads(typed.out, parse_constant=pytest.fail)
    assert row == {
        "money": "12.3400", "large": 9007199254740993, "yes": True, "no": False, "nothing": None, "empty": "",
        "moment": "2026-03-01T10:00:00.5+00:00", "day": "2026-03-01", "document": {"a": 1.1, "b": [None, "x"]},
        "origins": ["CN", 'a,"b', None], "prices": ["1.5000", "2"], "unreal": "NaN", "tenth": 0.1,
        "words": 'two\nlines, "quoted"\tand a tab', "bytes": "\\x00ff", "span": "P1M2D", "share": "100%",
        "padded": " padded ", "mark": "\\.",
    }  # fmt: skip
    assert '"a": 1.10' in typed.out, "numbers of a document stay as they are"


def test_csv_says_what_is_null_and_what_is_empty(synced: Deployment, type_command: Type) -> None:
    typed = type_command(["sql", "--csv", EVERYTHING], synced.environment)
    [row] = csv.DictReader(io.StringIO(typed.out))
    assert row["money"] == "12.3400"
    assert (row["yes"], row["no"]) == ("true", "false")
    assert row["moment"] == "2026-03-01 10:00:00.5+00"
    assert row["words"] == 'two\nlines, "quoted"\tand a tab'
    assert ',,"",' in typed.out


@pytest.mark.parametrize("name", ["catalog.products", "catalog.price_tiers", "ops.fetches", "ops.syncs"])
def test_csv_of_a_table_goes_back_into_postgres_as_it_was(synced: Deployment, type_command: Type, name: str) -> None:
    typed = type_command(["sql", "--csv", f"TABLE {name}"], synced.environment)
    connection = synced.database.sqlalchemy.raw_connection()
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE TEMP TABLE back (LIKE {name})")
            cursor.copy_expert("COPY back FROM STDIN WITH (FORMAT csv, HEADER)", io.StringIO(typed.out))
            assert cursor.rowcount == synced.value(f"SELECT count(*) FROM {name}") > 0
            for one, other in ((name, "back"), ("back", name)):
                cursor.execute(f"SELECT count(*) FROM (TABLE {one} EXCEPT TABLE {other}) AS difference")
                assert cursor.fetchone() == (0,)
    finally:
        connection.rollback()
        connection.close()


def test_every_value_of_csv_goes_back_into_postgres_as_it_was(synced: Deployment, type_command: Type) -> None:
    typed = type_command(["sql", "--csv", EVERYTHING], synced.environment)
    connection = synced.database.sqlalchemy.raw_connection()
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE TEMP TABLE there AS {EVERYTHING}")
            cursor.execute("CREATE TEMP TABLE back (LIKE there)")
            cursor.copy_expert("COPY back FROM STDIN WITH (FORMAT csv, HEADER)", io.StringIO(typed.out))
            cursor.execute("SELECT there::text = back::text, there IS NOT DISTINCT FROM back FROM there, back")
            assert cursor.fetchone() == (True, True)
    finally:
        connection.rollback()
        connection.close()


def test_a_pipe_gets_a_line_a_row_with_tabs(synced: Deployment, type_command: Type) -> None:
    typed = type_command(["sql", r"SELECT 1.50::numeric AS a, E'x\ty\nz' AS b, NULL AS c"], synced.environment)
    assert typed.out == "a\tb\tc\n1.50\tx y z\t\n"


def test_money_of_the_tables_is_written_as_it_is_stored(synced: Deployment, type_command: Type) -> None:
    query = "SELECT sku_id, min_quantity, price FROM catalog.price_tiers ORDER BY 1, 2"
    rows = json.loads(type_command(["sql", "--json", query], synced.environment).out)
    assert [Decimal(row["price"]) for row in rows] == [row["price"] for row in synced.rows(query)]
    assert all(len(row["price"].partition(".")[2]) == 4 for row in rows)


def test_a_large_answer_comes_whole(synced: Deployment, type_command: Type) -> None:
    query = "SELECT n, n::text AS word FROM generate_series(1, 12345) n"
    assert [row["n"] for row in json.loads(type_command(["sql", "--json", query], synced.environment).out)] == list(
        range(1, 12_346)
    )
    assert len(type_command(["sql", query], synced.environment).out.splitlines()) == 12_346


def test_an_answer_of_exactly_one_batch_and_one_of_no_rows(synced: Deployment, type_command: Type) -> None:
    for count in (0, 999, 1_000, 1_001):
        typed = type_command(["sql", "--json", f"SELECT n FROM generate_series(1, {count}) n"], synced.environment)
        assert len(json.loads(typed.out)) == count


@pytest.mark.parametrize(
    "question", ["SHOW server_version", "EXPLAIN SELECT 1", "(VALUES (1))", "SELECT 1; ", "-- why\nSELECT 1"]
)
def test_other_questions_are_answered_too(synced: Deployment, type_command: Type, question: str) -> None:
    typed = type_command(["sql", "--", question], synced.environment)
    assert typed.status == 0, typed.err
    assert len(typed.out.splitlines()) > 1


def test_the_question_may_come_from_standard_input(
    synced: Deployment, type_command: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("SELECT 'from a file'\n"))
    assert "from a file" in type_command(["sql", "-"], synced.environment).out


@pytest.mark.parametrize(
    "attempt",
    [
        "DELETE FROM catalog.products",
        "DELETE FROM catalog.products RETURNING product_id",
        "WITH gone AS (DELETE FROM catalog.products RETURNING 1) SELECT * FROM gone",
        "SELECT 1; DELETE FROM catalog.products",
        "COMMIT; DELETE FROM catalog.products",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE; DELETE FROM catalog.products",
        "SELECT set_config('transaction_read_only', 'off', true)",
        "SET default_transaction_read_only = off",
        "TRUNCATE catalog.products",
        "DROP TABLE catalog.products",
        "EXPLAIN ANALYZE DELETE FROM catalog.products",
        "DO $$ BEGIN DELETE FROM catalog.products; END $$",
        "COPY (SELECT 1) TO PROGRAM 'touch {marker}'",
        "COPY (SELECT 1) TO '{marker}'",
        "SELECT 1 INTO TEMP TABLE other",
        "",
        ";",
    ],
)
def test_nothing_can_be_changed_by_asking(synced: Deployment, type_command: Type, tmp_path: Path, attempt: str) -> None:
    before = synced.value("SELECT count(*) FROM catalog.products")
    typed = type_command(["sql", attempt.format(marker=tmp_path / "written")], synced.environment)
    assert typed.status == 1
    assert typed.complaint.startswith("dropship: ")
    assert before == synced.value("SELECT count(*) FROM catalog.products") > 0
    assert not (tmp_path / "written").exists()


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ("SELECT produkt_id FROM catalog.products", ["produkt_id", "products.product_id"]),
        ("SELECT * FROM catalog.produkts", ["catalog.produkts", "docs/tables.md"]),
        ("SELEKT 1", ["SELEKT"]),
        ("SELECT 1 / (n - 5000) FROM generate_series(1, 9000) n", ["division by zero"]),
    ],
)
def test_a_question_that_cannot_be_answered_gets_the_servers_words(
    synced: Deployment, type_command: Type, question: str, says: list[str]
) -> None:
    typed = type_command(["sql", question], synced.environment)
    assert typed.status == 1
    for word in says:
        assert word in typed.complaint


def test_two_columns_of_one_name_are_refused_in_json_where_one_would_be_lost(
    synced: Deployment, type_command: Type
) -> None:
    typed = type_command(["sql", "--json", "SELECT 1 AS n, 2 AS n"], synced.environment)
    assert typed.status == 1
    assert "Two columns are called n" in typed.complaint
    assert type_command(["sql", "--csv", "SELECT 1 AS n, 2 AS n"], synced.environment).out == "n,n\n1,2\n"


def test_what_a_question_sets_is_not_met_by_others(synced: Deployment, type_command: Type) -> None:
    type_command(["sql", "SELECT 1"], synced.environment)
    with synced.database.begin() as connection:
        assert connection.execute(text("SHOW transaction_read_only")).scalar_one() == "off"


def test_ctrl_c_ends_a_question_that_takes_long(synced: Deployment, tmp_path: Path) -> None:
    program = (
        "import signal, sys; from dropship_pipeline.cli import main; "
        "signal.signal(signal.SIGINT, signal.default_int_handler); main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, "sql", "SELECT pg_sleep(100)"],
        env={**clean_environment(), **synced.environment}, cwd=tmp_path, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    asking = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%FETCH%dropship_answer' AND state = 'active'"
    give_up = time.monotonic() + 30
    while not synced.value(asking):
        assert time.monotonic() < give_up, "the question never came to Postgres"
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "Traceback" not in said
    assert len(said.strip().splitlines()) == 1
    assert not synced.value(asking)


def test_the_first_sync_is_suggested_where_there_is_nothing_to_ask(
    type_command: Type, make_database: Callable[..., object], tmp_path: Path
) -> None:
    typed = type_command(["sql", "SELECT 1"])
    assert typed.status == 1
    assert "dropship sync" in typed.complaint
    assert str(tmp_path) in typed.complaint
    assert not (tmp_path / "folder" / ".dropship").exists()
    empty = make_database("template0")
    typed = type_command(["sql", "SELECT 1"], {"DROPSHIP_DATABASE_URL": empty.libpq_url})  # type: ignore[attr-defined]
    assert "dropship sync" in typed.complaint


def test_the_lake_answers_as_the_tables_do_to_the_last_byte(synced: Deployment, type_command: Type) -> None:
    for name in ("catalog.products", "catalog.price_tiers", "catalog.freight_quotes", "marts.current_offers"):
        key = "product_id" if name == "catalog.products" else "sku_id, 2, 3" if "tiers" in name else "1, 2, 3, 4"
        for form in ("--csv", "--json"):
            question = f"SELECT * FROM {name} ORDER BY {key.replace('sku_id', '1')}"
            of_the_tables = type_command(["sql", form, question], synced.environment)
            of_the_lake = type_command(["sql", "--lake", form, question], synced.environment)
            assert of_the_lake.status == 0, of_the_lake.err
            assert sorted(of_the_lake.out.splitlines()) == sorted(of_the_tables.out.splitlines())
            assert len(of_the_lake.out.splitlines()) > 60


@pytest.mark.parametrize(
    "attempt",
    [
        "SELECT * FROM '{lake}/catalog/products.parquet'",
        "COPY (SELECT 1) TO '{lake}/written.csv'",
        "CREATE TABLE mine (n int)",
        "SELECT 1; SELECT 2",
        "ATTACH '{lake}/mine.db'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "",
    ],
)
def test_a_question_to_the_lake_reads_its_tables_and_nothing_else(
    synced: Deployment, type_command: Type, attempt: str
) -> None:
    lake = synced.home / "lake" / "latest"
    before = sorted(path.name for path in lake.rglob("*"))
    typed = type_command(["sql", "--lake", attempt.format(lake=lake)], synced.environment)
    assert typed.status == 1
    assert typed.complaint.startswith("dropship: ")
    assert sorted(path.name for path in lake.rglob("*")) == before


def test_the_lake_names_what_it_does_not_have(synced: Deployment, type_command: Type) -> None:
    typed = type_command(["sql", "--lake", "SELECT * FROM catalog.produkts"], synced.environment)
    assert 'Did you mean "products". docs/tables.md lists tables' in typed.complaint
    typed = type_command(["sql", "--lake", "--as-of", "2020-01-01", "SELECT 1"], synced.environment)
    assert "There is no snapshot as old as 2020-01-01 00:00:00Z" in typed.complaint
    typed = type_command(["sql", "--as-of", "2020-01-01", "SELECT 1"], synced.environment)
    assert (typed.status, "give --lake too" in typed.complaint) == (2, True)


def test_a_question_to_the_lake_ends_without_a_word_besides_its_answer(synced: Deployment, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dropship_pipeline.cli", "sql", "--lake"]
    asked = subprocess.run(
        [*command, "SELECT count(*) FROM catalog.products"],
        env={**clean_environment(), **synced.environment},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (asked.returncode, asked.stdout.split(), asked.stderr) == (0, ["count_star()", "60"], "")


def test_no_cell_for_a_spreadsheet_is_a_formula(synced: Deployment, type_command: Type) -> None:
    question = r"""
        SELECT '=HYPERLINK("http://x")' AS "=a", ' +1' AS b, '@x' AS c, E'\tx' AS d, '-1' AS e, -1 AS number,
            1.50::numeric AS money, '1600123456789' AS id, '0012' AS code, NULL AS nothing, 'plain, text' AS f"""
    typed = type_command(["sql", "--excel", question], synced.environment)
    assert typed.out.startswith("\ufeff")
    names, cells = csv.reader(io.StringIO(typed.out.removeprefix("\ufeff"), newline=""))
    assert names[0] == "'=a"
    assert cells == [
        "'=HYPERLINK(\"http://x\")", "' +1", "'@x", "'\tx", "'-1", "-1", "1.50",
        '="1600123456789"', '="0012"', "", "plain, text",
    ]  # fmt: skip
    assert type_command(["sql", "--excel", "--csv", "SELECT 1"], synced.environment).status == 2
