"""Push messages read: what they are about, decided by their data, however these are written."""

import json
from datetime import UTC, datetime

import pytest

from dropship_pipeline.alibaba.pushes import Push, PushKind, read_push

SENT = datetime(2022, 4, 20, 6, 18, 57, tzinfo=UTC)


def read(data: object, **more: object) -> Push:
    return read_push(json.dumps({"message_type": 1, "data": data, "timestamp": 1650435537, **more}).encode())


def test_the_three_messages_of_the_guide() -> None:
    assert read({"productId": "123456789", "option": "ADD"}) == Push(PushKind.PRODUCT, "123456789", "ADD", SENT)
    changed = {
        "productId": "1", "skuId": "2", "option": "PRICE_CHANGE", "value": "11.00", "timestamp": "1650435537"
    }  # fmt: skip
    assert read(changed) == Push(PushKind.PRODUCT, "1", "PRICE_CHANGE", SENT)
    order = {"status": "trade_close", "trade_id_str": "255201166001024316", "trade_order_id": "30160843"}
    assert read(order, message_type=3) == Push(PushKind.ORDER, "255201166001024316", "trade_close", SENT)


def test_the_data_decide_and_not_the_type() -> None:
    assert read({"trade_id_str": "1", "status": "paid"}, message_type=1).kind is PushKind.ORDER
    assert read({"productId": "1", "option": "DELETE"}, message_type="9").kind is PushKind.PRODUCT


@pytest.mark.parametrize(
    "data",
    [
        {"productId": 123456789, "option": "add"},
        {"product_id": " 123456789 ", "option": "ADD"},
        [{"productId": "123456789", "option": "ADD"}],
        '{"productId": "123456789", "option": "ADD"}',
    ],
    ids=["numbers", "another name", "a list of one", "JSON in a text"],
)
def test_it_is_read_however_it_is_written(data: object) -> None:
    assert read(data) == Push(PushKind.PRODUCT, "123456789", "ADD", SENT)


@pytest.mark.parametrize("timestamp", [1650435537, "1650435537", 1650435537000, "1650435537000"])
def test_a_time_in_seconds_or_in_milliseconds(timestamp: object) -> None:
    assert read({}, timestamp=timestamp).sent_at == SENT


@pytest.mark.parametrize(
    "data", [None, "null", [], {}, 7, "x", {"productId": "1"}, {"productId": "1", "option": "STOCK"}, {"option": "ADD"}]
)
def test_anything_else_is_of_an_unknown_kind(data: object) -> None:
    push = read(data)
    assert (push.kind, push.subject) == (PushKind.UNKNOWN, None)
    assert push.event.startswith("message_type 1")


@pytest.mark.parametrize("subject", ["", "null", None, "1 2", "1;2", "١٢", {"a": 1}, True, "9" * 300])
def test_what_is_no_id_is_not_taken_for_one(subject: object) -> None:
    assert read({"productId": subject, "option": "ADD"}).subject is None
    assert read({"trade_id_str": subject}).subject is None


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"7", b"{", b"\xff", b"<xml/>"])
def test_what_is_no_json_object_is_no_message(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"not a JSON object|Expecting value|Expecting property"):
        read_push(body)
