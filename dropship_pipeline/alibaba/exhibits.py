"""A payload fit to be kept and shown to people: without secrets and without what is known of people, and bounded.

For dead letters. Whoever needs the answer as it came finds it in the raw lake.
"""

import json
import re

from dropship_pipeline.alibaba.redaction import HIDDEN, PERSONAL_PARAMS, SECRET_PARAMS, hide
from dropship_pipeline.alibaba.values import clean

LONGEST = 20_000
"""Characters of a payload that are kept."""

_DEEPEST = 20
_MOST_VALUES = 5_000
_LONGEST_NAME = 100

# characters of a text, elements of a list or an object: what is still too long is shown in less detail
_DETAIL = ((2_000, 200), (200, 20), (40, 5))

_PERSONAL = frozenset(
    {
        *("contact_person", "contact", "receiver", "recipient", "buyer", "full_name", "first_name", "last_name"),
        *("mobile", "telephone", "phone", "fax", "email", "e_mail", "zip", "postal_code", "street"),
        *("shipping_address", "alternate_address", "receive_address", "address2"),
    }
)
_SECRET = frozenset({"authorization", "cookie", "password", "secret", "secret_key", "session", "token", "id_token"})
# `code` is a secret only as a parameter of ours: in an answer it says what went wrong
_HIDDEN = (SECRET_PARAMS - {"code"}) | PERSONAL_PARAMS | _PERSONAL | _SECRET
_CUT_TOKEN = re.compile(r"(?<![A-Za-z0-9+=])[A-Za-z0-9+=]{1,200}\Z")


def exhibit(payload: object) -> str:
    """The payload as JSON of at most `LONGEST` characters, in which `***` stands for what must not be shown.

    Takes whatever JSON holds: what is too long, too deep or of too many values is cut, and `…` stands there.
    """
    shown = ""
    for longest, most in _DETAIL:
        shown = json.dumps(_Cut(longest, most).shown(payload, 0), ensure_ascii=False)
        if len(shown) <= LONGEST:
            break
    return shown[:LONGEST]


class _Cut:
    def __init__(self, longest: int, most: int) -> None:
        self._longest = longest
        self._most = most
        self._left = _MOST_VALUES

    def shown(self, value: object, depth: int) -> object:
        self._left -= 1
        if isinstance(value, dict | list):
            if depth == _DEEPEST or self._left <= 0:
                return "…"
            return self._object(value, depth) if isinstance(value, dict) else self._list(value, depth)
        if isinstance(value, str):
            return self._text(value, self._longest)
        return "…" if isinstance(value, int) and value.bit_length() > 256 else value

    def _list(self, value: list[object], depth: int) -> list[object]:
        found = [self.shown(element, depth + 1) for element in value[: self._most] if self._left > 0]
        return [*found, f"… {len(value) - len(found)} more"] if len(found) < len(value) else found

    def _object(self, value: dict[str, object], depth: int) -> dict[str, object]:
        found: dict[str, object] = {}
        for name in list(value)[: self._most]:
            if self._left <= 0:
                break
            hidden = name.strip().lower() in _HIDDEN and value[name] is not None
            found[self._text(name, _LONGEST_NAME)] = HIDDEN if hidden else self.shown(value[name], depth + 1)
        if len(found) < len(value):
            found["…"] = f"{len(value) - len(found)} more"
        return found

    def _text(self, value: str, longest: int) -> str:
        # hidden before it is cut, and not cut within what may be hidden: half a token is still one
        looked_at = value[: longest * 4]
        if len(looked_at) < len(value):
            looked_at = _CUT_TOKEN.sub("", looked_at)
        shown = hide(clean(looked_at))
        return shown if len(shown) <= longest and len(looked_at) == len(value) else f"{shown[:longest]}…"
