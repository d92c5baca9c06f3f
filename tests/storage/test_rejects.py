"""Dead letters: what a merge writes down of what cannot be read, how often, for how long, and who gave it up."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest
from merge_rows import Goods, Landed, ask, at, descriptions, freight, ledger, rejects
from test_order_store import NOON, listed, reading

from dropship_pipeline.alibaba.reasons import REASONS
from dropship_pipeline.alibaba.values import Unreadable
from dropship_pipeline.orders.rows import OrderBatch
from dropship_pipeline.storage.catalog.merge import Merger
from dropship_pipeline.storage.catalog.rejects import (
    Chosen,
    Reject,
    count_rejects,
    discard_rejects,
    left_of,
    list_rejects,
    rejected_payload,
    take_back,
)
from dropship_pipeline.storage.orders.store import OrderStore
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.tables.ops import REJECTED_RECORDS

NEVER_KEPT = {"no_order_id", "no_status"}


@pytest.fixture
def merger(database: Database) -> Iterator[Merger]:
    with Merger(database) as merger:
        yield merger


def unread(merger: Merger, hours: float, product_id: str = "P1", **named: Any) -> None:
    """A batch in which the description of a product cannot be read."""
    merger.merge_descriptions(
        descriptions([], at(hours)),
        ledger("description", [product_id], at(hours), outcome="rejected", code="not_an_object"),
        rejects("description", [product_id], at(hours), **named),
        [Landed(f"raw/description/{hours}.parquet")],
    )


def read(merger: Merger, hours: float, product_id: str = "P1") -> None:
    """A batch in which it is read well."""
    merger.merge_descriptions(
        descriptions([Goods(product_id)], at(hours)), ledger("description", [product_id], at(hours))
    )


def the_one(database: Database) -> Reject:
    [reject] = list_rejects(database, Chosen(discarded=None))
    return reject


def test_the_reasons_are_a_closed_list_that_the_table_names() -> None:
    [column] = [column for column in REJECTED_RECORDS.columns if column.name == "reason"]
    assert {word for word in column.comment.split("`") if word in REASONS} == REASONS.keys() - NEVER_KEPT


def test_each_answer_counts_once_and_the_last_one_is_kept(database: Database, merger: Merger) -> None:
    unread(merger, 0)
    unread(merger, 1, reason="no_product_id", payload_hash=2)
    assert the_one(database) == Reject(
        kind="description",
        record_key="P1",
        destination="",
        account=None,
        reason="no_product_id",
        message="a list",
        attempts=2,
        first_seen_at=at(0),
        last_seen_at=at(1),
        raw_file="raw/description/1.parquet",
        discarded_at=None,
        discarded_by=None,
    )
    assert rejected_payload(database, the_one(database)) == "[]"


def test_a_batch_that_is_merged_again_after_a_kill_counts_nothing_and_writes_nothing(
    database: Database, merger: Merger
) -> None:
    unread(merger, 0)
    unread(merger, 1)
    before = ask(database, "SELECT xmin, * FROM ops.rejected_records")
    unread(merger, 1)
    unread(merger, 0)
    assert ask(database, "SELECT xmin, * FROM ops.rejected_records") == before
    assert the_one(database).attempts == 2


def test_two_answers_in_one_batch_are_two_attempts(database: Database, merger: Merger) -> None:
    def both() -> None:
        merger.merge_descriptions(
            descriptions([], at(1)),
            pa.concat_tables([ledger("description", ["P1"], at(hours), outcome="rejected") for hours in (0, 1)]),
            pa.concat_tables([rejects("description", ["P1"], at(hours)) for hours in (1, 0)]),
        )

    both()
    assert (the_one(database).attempts, the_one(database).first_seen_at) == (2, at(0))
    unread(merger, 2)
    both()
    assert (the_one(database).attempts, the_one(database).last_seen_at) == (3, at(2))


def test_the_same_answer_read_by_another_version_has_its_new_reason_and_no_new_attempt(
    database: Database, merger: Merger
) -> None:
    unread(merger, 0)
    unread(merger, 0, reason="other_product")
    assert (the_one(database).reason, the_one(database).attempts) == ("other_product", 1)


def test_what_is_read_well_is_no_dead_letter_any_more(database: Database, merger: Merger) -> None:
    unread(merger, 0)
    unread(merger, 0, "P2")
    read(merger, 1)
    assert the_one(database).record_key == "P2"
    # an answer of before it tells nothing
    unread(merger, 0.5)
    assert the_one(database).record_key == "P2"
    # but one that comes later does, and is the first again
    unread(merger, 2)
    [again] = list_rejects(database, Chosen(keys=("P1",)))
    assert (again.attempts, again.first_seen_at) == (1, at(2))


def test_an_answer_of_before_does_not_resolve_it(database: Database, merger: Merger) -> None:
    unread(merger, 1)
    read(merger, 0)
    assert the_one(database).record_key == "P1"


def test_the_very_answer_that_can_be_read_now_resolves_it(database: Database, merger: Merger) -> None:
    unread(merger, 0)
    read(merger, 0)
    assert list_rejects(database, Chosen(discarded=None)) == []
    assert ask(database, "SELECT outcome FROM ops.fetches") == [("answered",)]


def test_a_refusal_resolves_it_for_there_is_nothing_left_to_read(database: Database, merger: Merger) -> None:
    unread(merger, 0)
    merger.merge_descriptions(
        descriptions([], at(1)), ledger("description", ["P1"], at(1), outcome="refused", code="404")
    )
    assert list_rejects(database, Chosen(discarded=None)) == []


def test_a_quote_to_one_destination_resolves_that_one_alone(database: Database, merger: Merger) -> None:
    for to in ("US", "US:90001"):
        merger.merge_freight(
            freight([], [], at(0)),
            ledger("freight", ["P1"], at(0), outcome="rejected", destination=to),
            rejects("freight", ["P1"], at(0), reason="not_a_list", destination=to),
        )
    unread(merger, 0)
    assert {one.name for one in list_rejects(database, Chosen(keys=("P1",)))} == {"P1", "P1 to US", "P1 to US:90001"}
    assert [one.name for one in list_rejects(database, Chosen(keys=("P1 to US",)))] == ["P1 to US"]
    merger.merge_freight(
        freight([("P1", "US", 2, "DHL", "4.00")], [], at(1)), ledger("freight", ["P1"], at(1), destination="US")
    )
    assert {one.name for one in list_rejects(database, Chosen())} == {"P1", "P1 to US:90001"}


def test_a_merge_that_fails_leaves_the_dead_letter_where_it_was(database: Database, merger: Merger) -> None:
    unread(merger, 0)
    with database.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE ops.raw_files RENAME TO elsewhere")
    with pytest.raises(Exception, match="lacks a table"):
        merger.merge_descriptions(
            descriptions([Goods("P1")], at(1)), ledger("description", ["P1"], at(1)), None, [Landed("raw/2")]
        )
    assert the_one(database).attempts == 1


# --- orders


def test_an_order_that_cannot_be_read_is_a_dead_letter_without_its_contents_until_it_is_read(
    database: Database,
) -> None:
    def reject(store: OrderStore, when: datetime) -> None:
        batch = OrderBatch("anna")
        batch.reject("T1", when, Unreadable("other_order", "told of T2"), {"contact_person": "Jane Roe"}, listed())
        store.merge(batch.tables())

    with OrderStore(database) as store:
        for when in (NOON, NOON.replace(hour=13), NOON.replace(hour=13)):
            reject(store, when)
        one = the_one(database)
        assert (one.kind, one.name, one.account, one.reason, one.attempts) == ("order", "T1", "anna", "other_order", 2)
        assert rejected_payload(database, one) is None
        assert "Jane" not in str(ask(database, "SELECT * FROM ops.rejected_records"))
        batch = OrderBatch("anna")
        batch.read(reading(at=NOON.replace(hour=14)), listed())
        store.merge(batch.tables())
    assert list_rejects(database, Chosen(discarded=None)) == []


# --- looked at, given up, taken back


def test_they_are_counted_by_reason_and_chosen_by_any_part(database: Database, merger: Merger) -> None:
    for product_id in ("P1", "P2"):
        unread(merger, 0, product_id)
    unread(merger, 3, "P2")
    unread(merger, 2, "P3", reason="other_product")
    counts = count_rejects(database, Chosen())
    assert [(c.kind, c.reason, c.records, c.attempts, c.first_seen_at, c.last_seen_at) for c in counts] == [
        ("description", "not_an_object", 2, 3, at(0), at(3)),
        ("description", "other_product", 1, 1, at(2), at(2)),
    ]
    assert [one.record_key for one in list_rejects(database, Chosen())] == ["P2", "P3", "P1"]
    assert [one.record_key for one in list_rejects(database, Chosen(), limit=1)] == ["P2"]
    assert [one.record_key for one in list_rejects(database, Chosen(since=at(1)))] == ["P2", "P3"]
    assert [one.record_key for one in list_rejects(database, Chosen(reasons=("other_product",)))] == ["P3"]
    assert list_rejects(database, Chosen(kinds=("freight",))) == []
    assert [one.record_key for one in list_rejects(database, Chosen(keys=("P1", "P3")))] == ["P3", "P1"]


def test_a_discarded_record_says_who_and_when_and_comes_back_with_another_payload(
    database: Database, merger: Merger
) -> None:
    unread(merger, 0)
    assert discard_rejects(database, Chosen(keys=("P1",)), by="anna") == 1
    assert discard_rejects(database, Chosen(keys=("P1",)), by="ben") == 0
    given_up = the_one(database)
    assert given_up.discarded_by == "anna"
    assert given_up.discarded_at is not None
    assert list_rejects(database, Chosen()) == []
    assert count_rejects(database, Chosen(discarded=True))[0].records == 1
    unread(merger, 1)
    assert (the_one(database).discarded_by, the_one(database).attempts) == ("anna", 2)
    unread(merger, 2, payload_hash=2)
    assert (the_one(database).discarded_by, the_one(database).discarded_at) == (None, None)


def test_a_discarded_record_that_is_read_well_is_gone_too(database: Database, merger: Merger) -> None:
    unread(merger, 0)
    discard_rejects(database, Chosen(), by="anna")
    read(merger, 1)
    assert list_rejects(database, Chosen(discarded=None)) == []


def test_a_discarded_record_may_be_taken_back(database: Database, merger: Merger) -> None:
    unread(merger, 0)
    discard_rejects(database, Chosen(), by="anna")
    assert take_back(database, Chosen(keys=("P1",), discarded=None)) == 1
    assert [one.discarded_by for one in list_rejects(database, Chosen())] == [None]


def test_what_is_left_of_some_is_what_cannot_be_read_still(database: Database, merger: Merger) -> None:
    for product_id in ("P1", "P2"):
        unread(merger, 0, product_id)
    before = list_rejects(database, Chosen(keys=("P1",)))
    assert [one.name for one in left_of(database, before)] == ["P1"]
    read(merger, 1)
    assert left_of(database, before) == []
    assert left_of(database, []) == []
