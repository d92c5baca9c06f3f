"""What may be shown of what goes to and comes from Alibaba.com: messages and parameters, without secrets."""

import re
from collections.abc import Iterable, Mapping

import orjson

SECRET_PARAMS = frozenset({"app_key", "app_secret", "access_token", "refresh_token", "code", "sign", "uuid"})
PERSONAL_PARAMS = frozenset(
    {"address", "logistics_detail", "remark", "clearance_detail", "attachments", "param_order_pay_request"}
)
HIDDEN = "***"
LONGEST_MESSAGE = 300
_LONGEST_LABEL = 100
_SHORTEST_SECRET = 4  # blotting out "US" or "NY" would only garble the message

# Tokens, signatures and codes: 24 letters and digits or more without a break, some of each.
_LOOKS_SECRET = re.compile(r"(?=[0-9+=]*[A-Za-z])(?=[A-Za-z+=]*[0-9])[A-Za-z0-9+=]{24,}")


def hide(words: str) -> str:
    """The words without what looks like a secret."""
    return _LOOKS_SECRET.sub(HIDDEN, words)


def message(words: str) -> str:
    """The gateway's words fit to be shown: one line, shortened, without what looks like a secret.

    And without what is not seen: NUL, lone surrogates, controls that move a terminal's cursor or turn text round.
    """
    line = _seen(" ".join(hide(words).split()))
    return line if len(line) <= LONGEST_MESSAGE else f"{line[:LONGEST_MESSAGE]}…"


def label(words: str) -> str:
    """A code or a name of the gateway's, fit to be shown: one short line, of which nothing is hidden."""
    line = _seen(" ".join(words[: 2 * _LONGEST_LABEL].split()))
    return line if len(line) <= _LONGEST_LABEL else f"{line[:_LONGEST_LABEL]}…"


def _seen(line: str) -> str:
    return line if line.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in line)


def blot(words: str, secrets: Iterable[str]) -> str:
    """The words without any of `secrets`, the longest first."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            words = words.replace(secret, HIDDEN)
    return words


def blot_bytes(body: bytes, secrets: Iterable[str]) -> bytes:
    """An answer without any of `secrets`, and else as it came."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            body = body.replace(secret.encode(), HIDDEN.encode())
    return body


def secrets_of(values: Mapping[str, str]) -> list[str]:
    """What a message about a call with these parameters must not repeat: secrets, and every detail of an address."""
    found: list[str] = []
    for name, value in values.items():
        if name in SECRET_PARAMS:
            found.append(value)
        elif name in PERSONAL_PARAMS:
            found.append(value)
            _leaves(value, found)
    return found


def _leaves(value: object, found: list[str]) -> None:
    """Every text within a parameter's JSON."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            _leaves(orjson.loads(value), found)
        except ValueError:
            found.append(value)
    elif isinstance(value, str):
        found.append(value)
    elif isinstance(value, dict):
        for inner in value.values():
            _leaves(inner, found)
    elif isinstance(value, list):
        for inner in value:
            _leaves(inner, found)


def params(values: Mapping[str, str]) -> dict[str, str]:
    """The parameters of a call without secrets and personal data; for the raw lake and for logs."""
    hidden = SECRET_PARAMS | PERSONAL_PARAMS
    return {name: HIDDEN if name in hidden else value for name, value in values.items()}
