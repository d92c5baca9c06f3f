"""Tolerant reading of one value of an answer. What the fields are called belongs in `products.py` and `orders.py`.

The API mixes strings and numbers, objects and one-element lists, null and `"null"` (live facts: Answers). Each reader
takes the value as it was decoded, the field it stands in (as the guide writes it, `skus[].ladder_price[].price`) and a
list of notes. It gives the typed value or None and never raises: what is absent is None without a word, what is there
but cannot be read is None and noted. Text comes out fit for Postgres and for UTF-8: no NUL, no lone surrogate.
"""

import json
import re
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import NamedTuple

import orjson

from dropship_pipeline.alibaba.reasons import ReasonCode

MAX_INTEGER = 2**31 - 1
MAX_BIGINT = 2**63 - 1
# A key of a table must fit into a B-tree page; no identifier of this API comes near.
MAX_IDENTIFIER = 200
# So many notes say all there is to say about one answer; a hostile one must not cost memory.
MAX_NOTES = 50

_SHOWN = 80
_LONGEST_NUMBER = 40
_CENT_OF_A_CENT = Decimal("0.0001")
_MONEY_LIMIT = Decimal(10**14)  # numeric(18,4)
_NUMBER = re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?", re.ASCII)
_DAYS = re.compile(
    r"(\d{1,9})(?:\s*(?:[~\-–—～至]|to)\s*(\d{1,9}))?(?:\s*(?:business|working)?\s*days?)?",
    re.ASCII | re.IGNORECASE,
)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False, "y": True, "n": False, "yes": True, "no": False}
# Before this many, an epoch counts seconds: as milliseconds it would lie before March 1973.
_SECONDS_BELOW = 100_000_000_000
_LATEST_EPOCH = 253_402_300_800_000  # the year 10000


class Nulled(NamedTuple):
    """A field that could not be read: where it stands, and its value as Python shows it, shortened."""

    field: str
    value: str


class Unreadable(Exception):
    """An answer, or a record of one, that is not what it should be. `code` is stable, `words` say it to a person."""

    def __init__(self, code: ReasonCode, words: str) -> None:
        self.code = code
        self.words = words
        super().__init__(f"{code}: {words}")


def decoded(body: bytes) -> object:
    """The JSON in an answer's body. Raises ValueError if it is none.

    Also what a strict decoder refuses although the rest of the answer is sound: lone surrogates, bytes that are no
    UTF-8 (U+FFFD for each), NaN and Infinity (null), a byte order mark.
    """
    try:
        return orjson.loads(body)
    except ValueError:
        pass
    try:
        return json.loads(body.decode("utf-8-sig", "replace"), parse_constant=lambda _: None)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def shown(value: object) -> str:
    """The value in at most about 80 characters, whatever it is."""
    if isinstance(value, str):
        return repr(value) if len(value) <= _SHOWN else f"{value[:_SHOWN]!r}… ({len(value)} characters)"
    if isinstance(value, dict):
        keys = ", ".join(shown(key) for key in list(value)[:3])
        return f"object of {len(value)} fields ({keys[:_SHOWN]}…)" if value else "{}"
    if isinstance(value, list):
        return f"list of {len(value)}" if value else "[]"
    if isinstance(value, int) and value.bit_length() > 256:
        return f"integer of {value.bit_length()} bits"
    return repr(value)[:_SHOWN]


def note(notes: list[Nulled], field: str, value: object) -> None:
    """Notes that the field's value could not be read."""
    if len(notes) < MAX_NOTES:
        notes.append(Nulled(field, shown(value)))


def clean(value: str) -> str:
    """The text without NUL, and with U+FFFD for each lone surrogate; halves of a pair that met are joined."""
    if "\0" in value:
        value = value.replace("\0", "")
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return value


def text(value: object, field: str, notes: list[Nulled]) -> str | None:
    """Text as it was answered; None where there is none: absent, null, `"null"` or empty."""
    if type(value) is str:
        if len(value) <= 4 and value in ("", "null"):
            return None
        return value if value.isascii() and "\0" not in value else clean(value) or None
    if value is None:
        return None
    return _text_of_another_type(value, field, notes)


def _text_of_another_type(value: object, field: str, notes: list[Nulled]) -> str | None:
    if isinstance(value, list) and len(value) <= 1 and not (value and isinstance(value[0], list | dict)):
        return text(value[0], field, notes) if value else None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() <= 256:
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    note(notes, field, value)
    return None


def identifier(value: object, field: str, notes: list[Nulled]) -> str | None:
    """An ID or another key, trimmed. A number becomes its digits; a boolean and what is too long are noted."""
    if type(value) is str and value.isascii() and value.isalnum() and len(value) <= MAX_IDENTIFIER and value != "null":
        return value
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        note(notes, field, value)
        return None
    found = text(value, field, notes)
    if found is None:
        return None
    found = found.strip()
    if len(found) > MAX_IDENTIFIER:
        note(notes, field, value)
        return None
    return None if found in ("", "null") else found


def country(value: object, field: str, notes: list[Nulled]) -> str | None:
    """A country code in upper case."""
    found = identifier(value, field, notes)
    return found.upper() if found else None


def integer(
    value: object, field: str, notes: list[Nulled], least: int = -MAX_BIGINT - 1, most: int = MAX_BIGINT
) -> int | None:
    """A whole number, from `12`, `12.0`, `"12"`, `"2.0000"` or `"1,234"`. Anything else, or out of bounds, is noted."""
    if type(value) is str:
        number = _whole(value) if len(value) <= _LONGEST_NUMBER else None
    elif type(value) is int:
        number = value
    elif value is None:
        return None
    else:
        number = _whole_of_another_type(value)
    if number is not None and least <= number <= most:
        return number
    if not absent(value):
        note(notes, field, value)
    return None


def count(value: object, field: str, notes: list[Nulled], most: int = MAX_BIGINT) -> int | None:
    """A whole number that cannot be negative: units, days."""
    return integer(value, field, notes, 0, most)


def money(value: object, field: str, notes: list[Nulled]) -> Decimal | None:
    """An amount with at most four decimals, as numeric(18,4) holds it; more decimals are rounded half up."""
    if type(value) is str:
        amount = _amount(value) if len(value) <= _LONGEST_NUMBER else None
    elif value is None:
        return None
    else:
        amount = _amount_of_another_type(value)
    if amount is None and not absent(value):
        note(notes, field, value)
    return amount


def charge(value: object, field: str, notes: list[Nulled]) -> Decimal | None:
    """An amount that cannot be negative: what a carrier takes, which may be nothing."""
    amount = money(value, field, notes)
    if amount is not None and amount < 0:
        note(notes, field, value)
        return None
    return amount


def price(value: object, field: str, notes: list[Nulled]) -> Decimal | None:
    """An amount above zero, once it is rounded: nobody sells for nothing."""
    amount = money(value, field, notes)
    if amount is not None and amount <= 0:
        note(notes, field, value)
        return None
    return amount


def currency_code(value: object, field: str, notes: list[Nulled]) -> str | None:
    """A code of ISO 4217 by its shape, in capitals: whether there is such a currency is audited."""
    code = text(value, field, notes)
    if code is not None and not _CURRENCY.fullmatch(code.upper()):
        note(notes, field, value)
        return None
    return code and code.upper()


def boolean(value: object, field: str, notes: list[Nulled]) -> bool | None:
    """True or false, from JSON's own, `"true"`, `"1"`, `1`, in any case."""
    if value is None or isinstance(value, bool):
        return value
    found = _BOOLEANS.get(str(value).strip().lower()) if isinstance(value, str | int) else None
    if found is None and not absent(value):
        note(notes, field, value)
    return found


def epoch_ms(value: object, field: str, notes: list[Nulled]) -> datetime | None:
    """A moment in UTC, from milliseconds since 1970, or from seconds where the number can only mean seconds."""
    number = integer(value, field, notes)
    if number is None:
        return None
    if not 0 < number < _LATEST_EPOCH:
        note(notes, field, value)
        return None
    return datetime.fromtimestamp(number if number < _SECONDS_BELOW else number / 1000, UTC)


def day_range(value: object, field: str, notes: list[Nulled]) -> tuple[int | None, int | None]:
    """The fewest and the most days, from `"10~15"`, `"3-9"`, `"7"` or `7` (live facts: Answers)."""
    if isinstance(value, str):
        found = _DAYS.fullmatch(value.strip()) if len(value) <= _LONGEST_NUMBER else None
        if found:
            days = sorted(int(part) for part in found.groups() if part)
            return days[0], days[-1]
        if not absent(value):
            note(notes, field, value)
        return None, None
    days_or_none = count(value, field, notes, MAX_INTEGER)
    return days_or_none, days_or_none


def as_list(value: object) -> list[object]:
    """The elements: of a list, of a JSON list in a string, or the one thing that stands where a list should."""
    if type(value) is list:
        return value
    if value is None or value == {}:
        return []
    if isinstance(value, str):
        if absent(value):
            return []
        decoded = _embedded(value, "[")
        return decoded if isinstance(decoded, list) else [value]
    return [value]


def as_object(value: object, field: str, notes: list[Nulled]) -> dict[str, object] | None:
    """The object, also out of a one-element list or a JSON string. Of several, the first, and a note of it."""
    if type(value) is dict:
        return value
    if isinstance(value, list):
        if value and isinstance(value[0], dict):
            if len(value) > 1:
                note(notes, field, value)
            return value[0]
        if not value:
            return None
    elif isinstance(value, str):
        decoded = _embedded(value, "{")
        if isinstance(decoded, dict):
            return decoded
    if not absent(value):
        note(notes, field, value)
    return None


def absent(value: object) -> bool:
    """Whether there is nothing to read, which is no fault: null, `"null"`, nothing but white space."""
    return value is None or (isinstance(value, str) and value.strip() in ("", "null"))


def _embedded(value: str, opening: str) -> object:
    if value[:1] != opening:
        return None
    try:
        return orjson.loads(value)
    except ValueError:
        return None


@lru_cache(maxsize=1 << 14)
def _whole(value: str) -> int | None:
    amount = _decimal(value)
    return int(amount) if amount is not None and amount == amount.to_integral_value() else None


def _whole_of_another_type(value: object) -> int | None:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
        return int(value)
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str | int | float):
        return integer(value[0], "", [])
    return None


# Prices repeat: reading one again costs a look-up.
@lru_cache(maxsize=1 << 15)
def _amount(value: str) -> Decimal | None:
    amount = _decimal(value)
    return None if amount is None else _fitting(amount)


def _amount_of_another_type(value: object) -> Decimal | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return _fitting(Decimal(value)) if value.bit_length() < 64 else None
    if isinstance(value, float):
        # repr is the shortest text that means this float: 3.69, not 3.68999…
        return _fitting(Decimal(repr(value))) if abs(value) < 1e14 else None
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str | int | float):
        return money(value[0], "", [])
    return None


def _decimal(value: str) -> Decimal | None:
    stripped = value.strip()
    return Decimal(stripped.replace(",", "")) if _NUMBER.fullmatch(stripped) else None


def _fitting(amount: Decimal) -> Decimal | None:
    if abs(amount) >= _MONEY_LIMIT:
        return None
    rounded = amount.quantize(_CENT_OF_A_CENT, ROUND_HALF_UP)
    return rounded if abs(rounded) < _MONEY_LIMIT else None
