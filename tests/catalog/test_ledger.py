"""What a batch came to is written down in rows of the ledger and of the rejected records."""

from datetime import UTC, datetime

import pyarrow as pa

from dropship_pipeline.alibaba.values import Unreadable
from dropship_pipeline.catalog.fingerprint import payload_hash
from dropship_pipeline.catalog.ledger import LONGEST_PAYLOAD, Ledger

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_each_answer_is_a_row_with_its_outcome():
    ledger = Ledger("description", "raw/description/x.parquet")
    ledger.answered("7", NOW, {"title": "x"})
    ledger.refuse("8", NOW, "130106\0\ud800")
    ledger.reject("9", NOW, Unreadable("no_product_id", "the answer for product 9 names null"), b'{"a":1}')
    rows = ledger.fetches().to_pylist()
    assert [(row["product_id"], row["outcome"], row["code"]) for row in rows] == [
        ("7", "answered", None),
        ("8", "refused", "130106\ufffd"),
        ("9", "rejected", "no_product_id"),
    ]
    assert rows[0]["payload_hash"] == payload_hash({"title": "x"})
    assert {(row["kind"], row["destination"], row["raw_file"], row["fetched_at"]) for row in rows} == {
        ("description", "", "raw/description/x.parquet", NOW)
    }
    assert (ledger.refused, ledger.rejected) == (1, 1)


def test_a_rejected_record_keeps_its_reason_and_its_payload_fit_for_a_text_column():
    ledger = Ledger("description", "x")
    ledger.reject("9", NOW, Unreadable("other_product", "names \0\ud800"), b"\xff\x00" + b"x" * 10**6)
    (row,) = ledger.rejects().to_pylist()
    assert (row["kind"], row["record_key"], row["reason"]) == ("description", "9", "other_product: names \ufffd")
    assert row["payload"].startswith("\ufffdxxx")
    assert len(row["payload"]) <= LONGEST_PAYLOAD
    assert row["last_seen_at"] == NOW


def test_a_rejected_quote_is_named_with_its_destination():
    ledger = Ledger("freight", "x")
    ledger.reject("9", NOW, Unreadable("not_a_list", "word"), b'"word"', "US:90001")
    assert ledger.rejects()["record_key"].to_pylist() == ["9 to US:90001"]
    assert ledger.fetches()["destination"].to_pylist() == ["US:90001"]


def test_an_empty_ledger_has_tables_of_the_same_schema():
    empty, full = Ledger("description", "x"), Ledger("description", "x")
    full.answered("7", NOW, None)
    assert empty.fetches().schema.equals(full.fetches().schema)
    assert isinstance(empty.rejects(), pa.Table)
