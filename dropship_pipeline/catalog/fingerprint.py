"""Whether a payload is the one that was read before: a hash of what it says, whatever order its fields come in."""

from hashlib import blake2b

import orjson


def payload_hash(payload: object) -> int:
    """A signed 64-bit hash of a decoded payload, the same on every machine and whatever order its fields come in."""
    try:
        canonical = orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        canonical = _spelled_out(payload)
    return int.from_bytes(blake2b(canonical, digest_size=8).digest(), "big", signed=True)


def _spelled_out(payload: object) -> bytes:
    """What orjson refuses: text that is no UTF-8, numbers beyond 64 bits, great depth. Rare, so it may be slow."""
    parts = bytearray()
    open_values = [payload]
    while open_values:
        value = open_values.pop()
        if isinstance(value, dict):
            parts += b"{%d" % len(value)
            for name in sorted(value):
                open_values += [value[name], name]
        elif isinstance(value, list):
            parts += b"[%d" % len(value)
            open_values += value
        else:
            parts += f"{type(value).__name__} {value!r};".encode()
    return bytes(parts)
