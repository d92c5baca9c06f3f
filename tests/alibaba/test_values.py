"""One value of an answer, however it is told, is read or is noted, and nothing raises."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dropship_pipeline.alibaba import values
from dropship_pipeline.alibaba.values import Nulled

ANY_TEXT = st.text(st.characters(), max_size=30)  # NUL and lone surrogates included
ANY_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT | st.sampled_from(["null", "-1", "1,234.50"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)


def read(reader, value):
    notes: list[Nulled] = []
    return reader(value, "field", notes), notes


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Piece", "Piece"),
        (" as it is ", " as it is "),
        ("", None),
        ("null", None),
        (None, None),
        ([], None),
        (["one"], "one"),
        (12, "12"),
        (1.5, "1.5"),
        (12.0, "12"),
        (True, "true"),
        ("a\0b", "ab"),
        ("\0", None),
        ("lone \ud800 here", "lone \ufffd here"),
        ("\ud83d\ude00", "\U0001f600"),
        ("Größe 保温杯", "Größe 保温杯"),
    ],
)
def test_text_is_told_in_many_ways(value, expected):
    assert read(values.text, value) == (expected, [])


@pytest.mark.parametrize("value", [{}, {"a": 1}, ["a", "b"], [["a"]], 10**100])
def test_what_is_no_text_is_noted(value):
    assert read(values.text, value) == (None, [Nulled("field", values.shown(value))])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1601206892606", "1601206892606"),
        (1601206892606, "1601206892606"),
        (1601206892606.0, "1601206892606"),
        (" 16 ", "16"),
        ("-11", "-11"),
        (["7"], "7"),
        ("cVmhg7/xG8q3UQgcH/5Fag==", "cVmhg7/xG8q3UQgcH/5Fag=="),
        ("", None),
        ("null", None),
        (" null ", None),
        (None, None),
    ],
)
def test_ids_are_strings_whatever_they_come_as(value, expected):
    assert read(values.identifier, value) == (expected, [])


@pytest.mark.parametrize("value", [True, 1.5, float("nan"), "x" * 201, {"id": 1}, [1, 2]])
def test_what_cannot_be_an_id_is_noted(value):
    found, notes = read(values.identifier, value)
    assert found is None
    assert len(notes) == 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (12, 12),
        ("12", 12),
        (" 12 ", 12),
        ("2.0000", 2),
        (2.0, 2),
        ("1,234", 1234),
        ("1,234,567.00", 1234567),
        ("-1", -1),
        ("+5", 5),
        (["3"], 3),
        ("9223372036854775807", values.MAX_BIGINT),
        (None, None),
        ("null", None),
        ("", None),
    ],
)
def test_whole_numbers_are_told_in_many_ways(value, expected):
    assert read(values.integer, value) == (expected, [])


@pytest.mark.parametrize(
    "value",
    [
        *("a dozen", "2.5", 2.5, "1e9", "1,5", "12,34,567", "１２", "0x10", "1_000", "9" * 99),
        *(True, {}, [1, 2], 2**63, "9223372036854775808", float("nan"), float("inf"), 1e300),
    ],
)
def test_what_is_no_whole_number_is_noted_with_its_value(value):
    assert read(values.integer, value) == (None, [Nulled("field", values.shown(value))])


@pytest.mark.parametrize("value", [-1, "-1", "-0.5"])
def test_a_count_is_never_negative(value):
    assert read(values.count, value) == (None, [Nulled("field", values.shown(value))])


def test_a_count_keeps_to_the_bound_of_its_column():
    notes: list[Nulled] = []
    assert values.count(2**31 - 1, "days", notes, values.MAX_INTEGER) == 2**31 - 1
    assert values.count(2**31, "days", notes, values.MAX_INTEGER) is None
    assert [noted.field for noted in notes] == ["days"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("3.69", "3.69"),
        (3.69, "3.69"),
        (3, "3"),
        ("1,234.50", "1234.50"),
        ("0.30", "0.30"),
        ("12.", "12"),
        ("19.1000", "19.1"),
        ("0.00005", "0.0001"),
        ("99999999999999.9999", "99999999999999.9999"),
        (["5.5"], "5.5"),
        ("-2.5", "-2.5"),
    ],
)
def test_money_is_exact_with_four_decimals(value, expected):
    amount, notes = read(values.money, value)
    assert amount == Decimal(expected)
    assert amount.as_tuple().exponent == -4
    assert notes == []


@pytest.mark.parametrize(
    "value",
    [
        *("negotiable", "$3.69", "1.234,50", "3.69 USD", "NaN", "Infinity", "1e5", "99999999999999.99995"),
        *(True, {}, [1, 2], 10**14, 1e14, 10**400, float("nan"), float("-inf")),
    ],
)
def test_a_word_for_a_price_costs_the_price_and_is_noted(value):
    assert read(values.money, value) == (None, [Nulled("field", values.shown(value))])


def test_no_price_is_negative():
    assert read(values.price, "-0.01") == (None, [Nulled("field", "'-0.01'")])


@pytest.mark.parametrize(
    ("value", "expected"),
    [(True, True), (False, False), ("true", True), ("False", False), (1, True), ("0", False), ("null", None)],
)
def test_booleans_are_told_in_many_ways(value, expected):
    assert read(values.boolean, value) == (expected, [])


@pytest.mark.parametrize("value", ["maybe", 2, [], 1.0])
def test_what_is_no_boolean_is_noted(value):
    assert len(read(values.boolean, value)[1]) == 1


@pytest.mark.parametrize("value", [1718161813000, "1718161813000", "1718161813", 1718161813])
def test_a_moment_is_utc_from_milliseconds_or_seconds(value):
    assert read(values.epoch_ms, value) == (datetime(2024, 6, 12, 3, 10, 13, tzinfo=UTC), [])


@pytest.mark.parametrize("value", [0, -5, 10**18, "2024-06-12", 1.5])
def test_what_is_no_moment_is_noted(value):
    found, notes = read(values.epoch_ms, value)
    assert found is None
    assert len(notes) == 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("10~15", (10, 15)),
        ("3-9", (3, 9)),
        (" 12 ~ 20 ", (12, 20)),
        ("7–10 days", (7, 10)),
        ("9 to 12 business days", (9, 12)),
        ("15~10", (10, 15)),
        ("7", (7, 7)),
        (7, (7, 7)),
        (None, (None, None)),
        ("null", (None, None)),
    ],
)
def test_delivery_times_are_ranges_of_days(value, expected):
    assert read(values.day_range, value) == (expected, [])


@pytest.mark.parametrize("value", ["soon", "10~", -3, "99999999999~1", {}])
def test_what_is_no_range_of_days_is_noted(value):
    found, notes = read(values.day_range, value)
    assert found == (None, None)
    assert len(notes) == 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([1, 2], [1, 2]),
        (None, []),
        ("null", []),
        ("", []),
        ({}, []),
        ({"a": 1}, [{"a": 1}]),
        ("one", ["one"]),
        ('["a","b"]', ["a", "b"]),
        ("[broken", ["[broken"]),
        (7, [7]),
    ],
)
def test_what_stands_where_a_list_should_is_its_one_element(value, expected):
    assert values.as_list(value) == expected


@pytest.mark.parametrize(
    ("value", "expected", "noted"),
    [
        ({"a": 1}, {"a": 1}, 0),
        ([{"a": 1}], {"a": 1}, 0),
        ([{"a": 1}, {"b": 2}], {"a": 1}, 1),
        ('{"a":1}', {"a": 1}, 0),
        (None, None, 0),
        ([], None, 0),
        ("null", None, 0),
        ("word", None, 1),
        (["word"], None, 1),
        (5, None, 1),
    ],
)
def test_an_object_may_come_in_a_list_or_a_string(value, expected, noted):
    found, notes = read(values.as_object, value)
    assert found == expected
    assert len(notes) == noted


def test_notes_stay_few_and_short_whatever_is_noted():
    notes: list[Nulled] = []
    for value in ["x" * 4_000_000, list(range(10**6)), {"k" * 10**6: 1}, 10**5000, *range(100)]:
        values.note(notes, "field", value)
    assert len(notes) == values.MAX_NOTES
    assert max(len(noted.value) for noted in notes) < 200


@given(ANY_VALUE)
@settings(max_examples=500, deadline=None)
def test_no_value_makes_a_reader_raise_or_gives_what_a_store_refuses(value):
    notes: list[Nulled] = []
    found = values.text(value, "f", notes)
    key = values.identifier(value, "f", notes)
    for string in (found, key, values.country(value, "f", notes)):
        assert string is None or (string.encode() and "\0" not in string)
    assert key is None or len(key) <= values.MAX_IDENTIFIER
    number = values.integer(value, "f", notes)
    assert number is None or -(2**63) <= number < 2**63
    amount = values.money(value, "f", notes)
    assert amount is None or (abs(amount) < 10**14 and amount.as_tuple().exponent == -4)
    moment = values.epoch_ms(value, "f", notes)
    assert moment is None or moment.tzinfo is UTC
    values.boolean(value, "f", notes)
    values.day_range(value, "f", notes)
    assert isinstance(values.as_list(value), list)
    assert isinstance(values.as_object(value, "f", notes), dict | None)
    for noted in notes:
        assert noted.value.encode("utf-8", "strict")
        assert len(noted.value) < 200


@given(ANY_TEXT)
def test_clean_text_is_a_fixed_point(value):
    assert values.clean(values.clean(value)) == values.clean(value)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"title":"a\\ud800b"}', {"title": "a\ud800b"}),
        (b'{"title":"\xff"}', {"title": "\ufffd"}),
        (b'{"price":NaN}', {"price": None}),
        (b'{"price":3.69}', {"price": 3.69}),
    ],
)
def test_a_sound_answer_with_unsound_text_is_decoded(body, expected):
    assert values.decoded(body) == expected


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"a":', b"[" * 100_000, b"9" * 5_000])
def test_what_is_no_json_is_a_value_error(body):
    with pytest.raises(ValueError):  # noqa: PT011 - orjson's, json's and ours are different subclasses
        values.decoded(body)


@given(st.recursive(st.none() | st.booleans() | st.text(), st.lists, max_leaves=5))
def test_decoding_gives_what_was_encoded(value):
    assert values.decoded(json.dumps(value).encode()) == value


@pytest.mark.parametrize("said", ["0", 0, "0.00004", "-1", "-0.5"])
def test_a_price_is_above_zero_and_a_charge_may_be_nothing(said: object) -> None:
    notes: list[Nulled] = []
    assert values.price(said, "price", notes) is None
    assert [one.field for one in notes] == ["price"]
    if not str(said).startswith("-"):
        assert values.charge(said, "fee", []) == 0


@pytest.mark.parametrize(
    ("said", "code"), [("USD", "USD"), ("mxn", "MXN"), ("US$", None), ("dollars", None), (7, None)]
)
def test_a_currency_is_three_letters(said: object, code: str | None) -> None:
    notes: list[Nulled] = []
    assert values.currency_code(said, "currency", notes) == code
    assert bool(notes) is (code is None)
