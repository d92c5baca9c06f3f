"""Whatever the gateway answers, a reader gives a value or the error that it declares; and neither can do any harm.

A sample, the same each time. `FUZZ_EXAMPLES=20000 pytest tests/alibaba/test_parser_fuzz.py` looks further, elsewhere.
"""

import json
import os
import re
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from payloads import ANYTHING, DESCRIPTION, FREIGHT, INVENTORY, LISTING, PRODUCT_ID, damaged

from dropship_pipeline import alibaba
from dropship_pipeline.alibaba import fulfilment, orders, products
from dropship_pipeline.alibaba.answers import read_answer, retry_after_seconds
from dropship_pipeline.alibaba.errors import ApiError, Permanent
from dropship_pipeline.alibaba.exhibits import LONGEST, exhibit
from dropship_pipeline.alibaba.operations import OPERATIONS, Operation
from dropship_pipeline.alibaba.pushes import read_push
from dropship_pipeline.alibaba.tokens import TokenPair, read_token_grant
from dropship_pipeline.alibaba.values import Unreadable
from dropship_pipeline.catalog.fingerprint import payload_hash

ASKED = os.environ.get("FUZZ_EXAMPLES")
EXAMPLES = settings(
    max_examples=int(ASKED or 25),
    derandomize=ASKED is None,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
NOW = datetime(2026, 11, 23, tzinfo=UTC)
LONGEST_ERROR = 1_000  # characters: what is known, the gateway's words, the remedy

# every name that any reader looks for, so that arbitrary objects are about something
_SOURCES = Path(str(alibaba.__file__)).parent
_NAMED = re.compile(r'"([a-zA-Z_]{2,30})"')
FIELDS = sorted({name for path in _SOURCES.glob("*.py") for name in _NAMED.findall(path.read_text())})
ABOUT_SOMETHING = st.recursive(
    ANYTHING,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=6),
    max_leaves=12,
)

READERS: dict[str, Callable[[object], object]] = {
    "listing": products.read_product_page,
    "description": lambda payload: products.read_product(payload, PRODUCT_ID),
    "inventory": lambda payload: products.read_inventory(payload, PRODUCT_ID),
    "freight": products.read_freight_options,
    "batch": products.read_batch,
    "order list": orders.read_order_page,
    "order": lambda payload: orders.read_order(payload, "1"),
    "created order": fulfilment.read_created_order,
    "reference": fulfilment.read_reference,
    "payment": fulfilment.read_pay_result,
    "fund": fulfilment.read_fund,
    "logistics": fulfilment.read_logistics,
    "tracking": fulfilment.read_tracking,
    "tokens": lambda payload: read_token_grant(payload, NOW, TokenPair("access", "refresh")),
}
SAMPLES = {"listing": LISTING, "description": DESCRIPTION, "inventory": INVENTORY, "freight": FREIGHT}
DECLARED = (Unreadable, Permanent)


def texts(value: object) -> list[str]:
    """Every text in a record, however deep."""
    if isinstance(value, str):
        return [value]
    if is_dataclass(value) and not isinstance(value, type):
        return [found for field in fields(value) for found in texts(getattr(value, field.name))]
    if isinstance(value, dict):
        return [found for pair in value.items() for part in pair for found in texts(part)]
    if isinstance(value, list | tuple):
        return [found for part in value for found in texts(part)]
    return []


def storable(words: str) -> bool:
    """Whether Postgres, Parquet and a terminal's encoding take it."""
    try:
        words.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in words


def reads_well(kind: str, payload: object) -> None:
    try:
        found = READERS[kind](payload)
    except DECLARED as error:
        said = str(error)
    else:
        # the items of a batch are payloads yet to be read
        read = found.failures if isinstance(found, products.BatchAnswer) else found
        assert all(storable(words) for words in texts(read))
        return
    assert len(said) <= LONGEST_ERROR


@pytest.mark.parametrize("kind", READERS)
@EXAMPLES
@given(payload=ABOUT_SOMETHING)
def test_a_reader_gives_a_value_or_the_error_that_it_declares(kind: str, payload: object) -> None:
    reads_well(kind, payload)


@pytest.mark.parametrize("kind", SAMPLES)
@EXAMPLES
@given(data=st.data())
def test_a_damaged_answer_costs_no_more_than_itself(kind: str, data: st.DataObject) -> None:
    reads_well(kind, data.draw(damaged(SAMPLES[kind])))


@pytest.mark.parametrize("kind", READERS)
def test_depth_and_size_are_survived_wherever_they_stand(kind: str) -> None:
    deep = orjson.loads(b"[" * 900 + b"]" * 900)
    for hostile in (deep, "x" * 1_000_000, 10**4_000, ["\0\ud800"] * 10_000):
        reads_well(kind, hostile)
        reads_well(kind, [hostile])
        reads_well(kind, dict.fromkeys(FIELDS, hostile))
        payload_hash(hostile)
        assert len(exhibit({"a": hostile})) <= LONGEST


BODIES = (
    st.binary(max_size=200)
    | ABOUT_SOMETHING.map(lambda value: repr(value).encode("utf-8", "surrogatepass"))
    | ABOUT_SOMETHING.map(lambda value: json.dumps(value).encode())
)

UNSEEN = "A\u202e\u001b[2J\u001b]0;x\u0007\ud800\0\u2028\u200bB"
HOSTILE_ERRORS = [
    json.dumps({"code": UNSEEN, "sub_code": UNSEEN, "message": UNSEEN, "request_id": UNSEEN}).encode(),
    json.dumps({"code": "x" * 100_000, "sub_code": "y" * 100_000, "request_id": "z" * 100_000}).encode(),
    b'{"code": ' + b"9" * 4_000 + b"}",
    b'{"code": {"a": ' + b"[" * 500 + b"]" * 500 + b"}}",
    b"[" * 100_000,
    b'{"code":' * 100_000,
]


def shown_well(operation: Operation, status: int, body: bytes, retry_after: str | None) -> None:
    try:
        read_answer(operation, status, body, retry_after)
    except ApiError as error:
        raised = error
    else:
        return
    for words in (str(raised), raised.code, raised.message, raised.sub_code or "", raised.request_id or ""):
        # one line without controls that move a cursor or turn text round
        assert words.isprintable()
        assert len(words) <= LONGEST_ERROR
    assert 0 <= raised.wait_seconds <= 1e9


@settings(EXAMPLES, max_examples=4 * EXAMPLES.max_examples)
@given(
    operation=st.sampled_from(list(OPERATIONS.values())),
    status=st.integers(100, 599),
    body=BODIES,
    retry_after=st.none() | st.text(max_size=20),
)
def test_any_bytes_are_a_payload_or_an_error_that_may_be_shown(
    operation: Operation, status: int, body: bytes, retry_after: str | None
) -> None:
    shown_well(operation, status, body, retry_after)


@pytest.mark.parametrize("body", HOSTILE_ERRORS, ids=range(len(HOSTILE_ERRORS)))
def test_an_error_made_to_do_harm_is_shown_in_one_short_line(body: bytes) -> None:
    for status in (200, 400, 500):
        shown_well(OPERATIONS["describe_product"], status, body, None)


@EXAMPLES
@given(header=st.text(max_size=40) | st.from_regex(r"[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ \d+:\d+:\d+ [+-]?\w+"))
@example("²")
@example("9" * 400)
@example("Mon, 01 Jan 99999 00:00:00 GMT")
@example("Mon, 01 Jan 0001 00:00:00 -2359")
@example("01 Jan 2026 00:00:00 +99999999999999999")
def test_any_header_that_says_when_to_come_again_is_a_number_of_seconds(header: str) -> None:
    seconds = retry_after_seconds(header)
    assert 0.0 <= seconds < float("inf")


@EXAMPLES
@given(body=BODIES)
@example(b"[" * 65_536)
@example(b'{"data": {"trade_id": "\\u202e", "status": "\\ud800\\u0000"}}')
def test_any_push_is_a_message_or_a_value_error(body: bytes) -> None:
    try:
        push = read_push(body)
    except ValueError:
        return
    assert all(storable(words) for words in texts(push))
    assert len(push.event) <= 60


@EXAMPLES
@given(payload=ABOUT_SOMETHING)
@example(["x" * 50_000] * 5)
@example({"\0" * 50_000: "\ud800"})
def test_any_payload_can_be_kept_for_people_to_look_at(payload: object) -> None:
    shown = exhibit(payload)
    assert storable(shown)
    assert len(shown) <= LONGEST
