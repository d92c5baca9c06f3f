"""What a batch came to is written down in rows of the ledger and of the rejected records."""

from datetime import UTC, datetime

import pyarrow as pa

from dropship_pipeline.alibaba.exhibits import LONGEST
from dropship_pipeline.alibaba.values import Unreadable
from dropship_pipeline.catalog.fingerprint import payload_hash
from dropship_pipeline.catalog.ledger import Ledger

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_each_answer_is_a_row_with_its_outcome():
    ledger = Ledger("description", "raw/description/x.parquet")
    ledger.answered("7", NOW, {"title": "x"})
    ledger.refuse("8", NOW, "130106\0\ud800")
    ledger.reject("9", NOW, Unreadable("no_product_id", "the answer for product 9 names null"), {"a": 1})
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
    ledger = Ledger("description", "raw/description/x.parquet")
    payload = {"title": "\0\ud800" + "x" * 10**6}
    ledger.reject("9", NOW, Unreadable("other_product", "names \0\ud800"), payload)
    (row,) = ledger.rejects().to_pylist()
    assert (row["kind"], row["record_key"], row["destination"], row["account"]) == ("description", "9", "", None)
    assert (row["reason"], row["message"]) == ("other_product", "names \ufffd")
    assert row["payload"].startswith('{"title": "\ufffdxxx')
    assert len(row["payload"]) <= LONGEST
    assert (row["last_seen_at"], row["raw_file"]) == (NOW, "raw/description/x.parquet")
    assert row["payload_hash"] == payload_hash(payload)


def test_a_rejected_quote_is_named_with_its_destination():
    ledger = Ledger("freight", "x")
    ledger.reject("9", NOW, Unreadable("not_a_list", "word"), "word", "US:90001")
    [row] = ledger.rejects().to_pylist()
    assert (row["record_key"], row["destination"], row["payload"]) == ("9", "US:90001", '"word"')
    assert ledger.fetches()["destination"].to_pylist() == ["US:90001"]


def test_an_empty_ledger_has_tables_of_the_same_schema():
    empty, full = Ledger("description", "x"), Ledger("description", "x")
    full.answered("7", NOW, None)
    assert empty.fetches().schema.equals(full.fetches().schema)
    assert isinstance(empty.rejects(), pa.Table)
