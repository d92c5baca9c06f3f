"""Each invariant bites: a violation is planted by hand, and its check must find it and nothing else may be needed."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import invariants
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from forked_syncs import Ended
from invariants import DESCRIPTION
from lake_reader import look
from machine import Machine, Merchant
from rows_of_process import WORLDS
from trials import Disturbed, Passing, Schedule, Trial, play, undisturbed

pytestmark = pytest.mark.xdist_group("faults")
PLAIN = Schedule(WORLDS[0], (), new=False)


@pytest.fixture
def merchant(machine: Machine) -> Iterator[Merchant]:
    """One who has synced, and whom nothing has disturbed."""
    with machine.merchant(PLAIN.world) as found:
        yield found


def plant(merchant: Merchant, statement: str) -> None:
    with merchant.database.begin() as connection:
        connection.exec_driver_sql(statement)


def found(machine: Machine, merchant: Merchant) -> list[str]:
    """What comparing finds, as invariant and place."""
    expected = undisturbed(machine, PLAIN).rows
    return [f"{one.invariant} {one.where}" for one in invariants.compare(expected, invariants.contents(merchant))]


def test_nothing_is_found_where_nothing_is_planted(machine: Machine, merchant: Merchant) -> None:
    assert found(machine, merchant) == []
    assert invariants.nothing_torn(merchant) == []
    assert invariants.falsely_delisted(merchant) == []
    assert invariants.leaks(merchant, ["nothing"]) == []


def test_a_row_that_is_lost_is_found(machine: Machine, merchant: Merchant) -> None:
    plant(merchant, "DELETE FROM catalog.price_tiers WHERE ctid = (SELECT ctid FROM catalog.price_tiers LIMIT 1)")
    assert found(machine, merchant) == ["I1 catalog.price_tiers"]


def test_a_row_that_is_doubled_is_found(machine: Machine, merchant: Merchant) -> None:
    plant(merchant, "INSERT INTO catalog.listing_changes SELECT * FROM catalog.listing_changes LIMIT 1")
    assert found(machine, merchant) == ["I2 catalog.listing_changes"]


def test_a_value_that_differs_is_both_lost_and_too_many(machine: Machine, merchant: Merchant) -> None:
    plant(merchant, "UPDATE catalog.skus SET unit = 'odd' WHERE ctid = (SELECT ctid FROM catalog.skus LIMIT 1)")
    assert found(machine, merchant) == ["I1 catalog.skus", "I2 catalog.skus"]


def test_a_snapshot_without_one_of_its_files_is_torn(merchant: Merchant) -> None:
    (merchant.lake / "latest" / "catalog" / "skus.parquet").unlink()
    assert look(merchant.lake)
    assert {one.invariant for one in invariants.nothing_torn(merchant)} == {"I3"}


def test_a_snapshot_that_is_not_what_postgres_holds_is_found(merchant: Merchant) -> None:
    file = merchant.lake / "latest" / "catalog" / "product_images.parquet"
    rows = pq.read_table(file)
    odd = rows.slice(0, 1).set_column(2, "url", [["odd"]]).cast(rows.schema)
    pq.write_table(pa.concat_tables([odd, rows.slice(1)]), file)
    [violation] = invariants.nothing_torn(merchant)
    assert (violation.invariant, violation.where) == ("I3", "catalog.product_images")


def test_a_raw_file_that_nobody_knows_of_is_found(merchant: Merchant) -> None:
    plant(merchant, "DELETE FROM ops.raw_files WHERE path = (SELECT max(path) FROM ops.raw_files)")
    [violation] = invariants.nothing_torn(merchant)
    assert violation.invariant == "I3"


def test_a_pointer_to_a_snapshot_that_is_being_written_is_seen_by_whoever_reads_all_the_time(
    merchant: Merchant,
) -> None:
    link = merchant.lake / "latest"
    half = link.resolve().with_name("half")
    (half / "catalog").mkdir(parents=True)
    (half / "snapshot.json").write_bytes((link / "snapshot.json").read_bytes())
    link.unlink()
    link.symlink_to(half)
    reader = merchant.machine.reader
    looks: dict[str, Any] = {"looks": 0}
    reader.watch(merchant.lake)
    while not looks["looks"]:
        time.sleep(0.05)
        looks = reader.stop()
        reader.watch(merchant.lake)
    reader.stop()
    assert [one.invariant for one in invariants.nothing_torn(merchant, looks)][:1] == ["I3"]
    assert "skus" in looks["wrong"][0] or "half" in looks["wrong"][0]


def test_reads_that_are_made_again_are_counted(merchant: Merchant) -> None:
    merchant.sandbox.control("stats/reset", {})
    for _ in range(2):
        merchant.days_pass(0)
        assert merchant.run().is_done
    violations, reads, again = invariants.refetches(merchant, losses=0)
    assert {one.invariant for one in violations} == {"I4"}
    assert again == reads / 2
    assert DESCRIPTION in {one.where for one in violations}
    assert invariants.refetches(merchant, losses=100)[0] == []


def test_a_membership_that_ended_though_the_feed_lists_the_product_is_found(merchant: Merchant) -> None:
    plant(
        merchant,
        "UPDATE catalog.feed_products SET delisted_at = now() "
        "WHERE ctid = (SELECT ctid FROM catalog.feed_products WHERE feed = 'us_standard' LIMIT 1)",
    )
    [violation] = invariants.falsely_delisted(merchant)
    assert (violation.invariant, violation.where) == ("I5", "us_standard")


def test_a_finding_that_nobody_raised_is_missed() -> None:
    assert invariants.finding_raised(["Feed cross_border is held"], "cross_border", "held") == []
    assert invariants.finding_raised(["Feed cross_border is held", "us"], "us", "held")[0].invariant == "I6"


def test_a_process_that_ends_by_an_error_nobody_foresaw_is_found(machine: Machine) -> None:
    trial = Trial(machine, "planted", 1)
    trial.keep(Ended(70, "Traceback (most recent call last):\nKeyError: 'x'", {}))
    assert [one.invariant for one in trial.violations] == ["I6"]


@pytest.mark.parametrize("where", ["output", "table", "raw file"])
def test_a_secret_is_found_wherever_it_is_planted(merchant: Merchant, where: str) -> None:
    secret = invariants.secrets_of(merchant)[1]
    output = f"calling ?access_token={secret}" if where == "output" else "nothing"
    if where == "table":
        summary = json.dumps({"why": secret})
        plant(merchant, f"UPDATE ops.syncs SET summary = '{summary}'")
    if where == "raw file":
        file: Path = next((merchant.lake / "raw").rglob("*.parquet"))
        rows = pq.read_table(file)
        at = rows.schema.get_field_index("request")
        planted = pa.array([f"token={secret}"] * rows.num_rows)
        pq.write_table(rows.set_column(at, rows.schema.field("request"), planted), file)
    violations = invariants.leaks(merchant, [output])
    assert violations
    assert {one.invariant for one in violations} == {"I7"}


def test_a_trial_finds_what_a_sync_left_undone(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole engine has a twin too: somebody who is killed and never goes on is found out."""
    monkeypatch.setattr("trials.recover", lambda _trial, _merchant: 0)
    trial = Trial(machine, "planted", 1)
    play(trial, Schedule(WORLDS[0], (Disturbed(point=Passing("load", 0.5)),)))
    assert {one.invariant for one in trial.violations} >= {"I1", "I3"}
