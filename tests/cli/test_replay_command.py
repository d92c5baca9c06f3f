"""`dropship replay`: what a person and a machine are told of it, and that it needs nothing but tables and lake."""

import json
import re
import subprocess
import sys

import psutil
import pytest
from deployment import Deployment, clean_environment
from typed import Type

pytestmark = pytest.mark.xdist_group("replay-command")  # what is set up once is set up once

KINDS = ["listing", "description", "inventory", "freight"]


def without_api(merchant: Deployment) -> dict[str, str]:
    """The merchant's variables, and none that says where the API is or how to enter it."""
    return {name: value for name, value in merchant.environment.items() if not name.startswith("ALIBABA_")}


def test_a_replay_says_by_kind_what_it_read_and_mended(synced: Deployment, type_command: Type) -> None:
    described = synced.value("SELECT count(*) FROM catalog.products")
    with synced.database.begin() as connection:
        connection.exec_driver_sql("UPDATE catalog.products SET title = 'altered'")
    typed = type_command(["replay"], without_api(synced))
    assert typed.status == 0, typed.err
    head, *lines = [re.split(r"\s{2,}", line) for line in typed.out.split("\n\n")[0].splitlines()[1:]]
    table = {line[0]: dict(zip(head[1:], line[1:], strict=True)) for line in lines}
    assert list(table) == KINDS
    assert table["description"] == {
        "files": "1", "answers": str(described), "passed over": "0", "derived": str(described),
        "rows written": str(described), "refused": "0", "rejected": "0", "unsettled": "0", "torn": "0",
    }  # fmt: skip
    assert {kind: table[kind]["rows written"] for kind in KINDS if kind != "description"} == {
        "listing": "0", "inventory": "0", "freight": "0"
    }  # fmt: skip
    assert re.search(rf"^Replay done in \d+\.\d s: {described} rows written, 0 calls$", typed.out, re.MULTILINE)
    assert "Next: dropship publish" in typed.out
    assert re.fullmatch(r"Replaying raw files: \d+ in \d+\.\d s\n", typed.err)
    assert synced.value("SELECT count(*) FROM catalog.products WHERE title = 'altered'") == 0


def test_json_is_one_document_with_all_of_it(synced: Deployment, type_command: Type) -> None:
    typed = type_command(
        ["replay", "--json", "--kind", "freight", "--feed", "local_us", "--since", "1d"], without_api(synced)
    )
    assert typed.status == 0, typed.err
    document = json.loads(typed.out)
    [kind] = document["kinds"]
    assert kind["kind"] == "freight"
    assert kind["answers"] == document["answers"] > kind["passed_over"] > 0
    assert document["rows_written"] == document["calls"] == 0
    assert document["torn"] == document["notes"] == []


def test_a_torn_file_is_named(synced: Deployment, type_command: Type) -> None:
    [file] = sorted((synced.home / "lake" / "raw" / "inventory").rglob("*.parquet"))
    whole = file.read_bytes()
    aside = file.with_name(f"{file.name}.torn")
    file.write_bytes(whole[:100])
    try:
        typed = type_command(["replay", "--kind", "inventory"], without_api(synced))
    finally:
        aside.unlink()
        file.write_bytes(whole)
    assert typed.status == 0
    assert f"Torn, and set aside: {file.relative_to(synced.home / 'lake')}" in typed.out
    assert f"{file} is torn" in typed.err


def test_no_simulated_alibaba_is_started_and_nothing_is_asked(synced: Deployment) -> None:
    asked = synced.sandbox.control("stats")["answered"]
    budget = synced.rows("SELECT * FROM ops.call_budget")
    syncs = synced.rows("SELECT * FROM ops.syncs")
    process = subprocess.Popen(
        [sys.executable, "-m", "dropship_pipeline.cli", "replay", "--json"],
        env={**clean_environment(), **without_api(synced)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    watched = psutil.Process(process.pid)
    children = set()
    while process.poll() is None:
        with_children = watched.children(recursive=True) if watched.is_running() else []
        children |= {child.pid for child in with_children}
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert json.loads(out)["answers"] > 0
    assert children == set()
    assert synced.sandbox.control("stats")["answered"] == asked
    assert synced.rows("SELECT * FROM ops.call_budget") == budget
    assert synced.rows("SELECT * FROM ops.syncs") == syncs


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--kind", "orderz"], 2, "listing, description, inventory, freight"),
        (["--feed", "nowhere"], 2, "nowhere"),
        (["--since", "yesterday"], 2, "is no age"),
        (["--since", "0"], 1, "No answers of that time are landed in"),
    ],
)
def test_what_cannot_be_replayed_is_said(
    synced: Deployment, type_command: Type, arguments: list[str], status: int, said: str
) -> None:
    typed = type_command(["replay", *arguments], without_api(synced))
    assert typed.status == status
    assert said in typed.err
    assert "Traceback" not in typed.err
