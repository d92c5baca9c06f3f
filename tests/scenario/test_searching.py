"""The twin of the day: whatever is planted where a day leaves something is found, or the day would show nothing."""

import json
import zlib
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dagster_runs import installed
from deployment import Deployment
from searching import found_in, texts_of_files, texts_of_tables

from dropship_pipeline.sandbox.launch import Running
from dropship_pipeline.storage.server.database import Database

STREET = "Rue de l'Été 7"
PLANTED = {"street": STREET}


@pytest.mark.parametrize(
    "text",
    [
        f"INFO {STREET}",
        json.dumps({"address": STREET}),
        "GET /?a=Rue%20de%20l%27%C3%89t%C3%A9%207",
        "a=Rue+de+l%27%C3%89t%C3%A9+7",
        "<td>Rue de l&#x27;Été 7</td>",
        "UnVlIGRlIGwnw4l0w6kgNw==",
        "\\x527565206465206c27c38974c3a92037",
    ],
    ids=["plain", "JSON", "URL", "form", "HTML", "base64", "hexadecimal"],
)
def test_a_word_is_found_in_every_form(text: str) -> None:
    assert found_in(text, PLANTED) == {"street"}
    assert found_in(text.replace("7", "8").replace("Nw", "OA"), PLANTED) == set()


def test_a_number_is_found_as_people_write_it_and_not_by_chance() -> None:
    number = {"number": "25550112"}
    told = ("call 25550112.", '{"number":"25550112"}', "+33 25550112", "tel:25550112;")
    assert all(found_in(text, number) for text in told)
    assert not any(found_in(text, number) for text in ("1795425550112", "1795.25550112", "255501121"))


def test_a_word_is_found_in_every_kind_of_file(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "service.log").write_text(f"WARNING sent to {STREET}\n")
    (tmp_path / "packed").write_bytes(zlib.compress(STREET.encode()))
    pq.write_table(pa.table({"payload": [None, {"address": STREET}]}), tmp_path / "raw.parquet")
    (tmp_path / "page.html").write_text("nobody")
    found = {Path(path).name for path, text in texts_of_files(tmp_path) if found_in(text, PLANTED)}
    assert found == {"service.log", "packed", "raw.parquet"}


def test_a_word_is_found_in_tables_of_ours_and_of_dagster(database: Database, tmp_path: Path) -> None:
    def with_a_word() -> None:
        raise ValueError(STREET)

    @dg.job(name="orders_of_the_day")
    def job() -> None:
        dg.op(name="careless")(with_a_word)()

    nowhere = Running("http://127.0.0.1:1/rest", {}, None)  # type: ignore[arg-type]  # nobody is asked
    with installed(Deployment(tmp_path, database, nowhere)) as instance:
        job.execute_in_process(instance=instance, tags={"to": STREET}, raise_on_error=False)
    with database.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO ops.accounts (account, access_token, state, updated_at) VALUES ('a', %s, 'active', now())",
            (STREET.encode(),),
        )
    found = {table for table, text in texts_of_tables(database) if found_in(text, PLANTED)}
    assert {"ops.accounts", "dagster.event_logs", "dagster.runs", "dagster.run_tags"} <= found
