"""Whether a payload is the one that was read before: a hash of what it says, whatever order its fields come in."""

from hashlib import blake2b

import orjson


def payload_hash(payload: object) -> int:
    """A signed 64-bit hash of a decoded payload, the same on every machine. Lone surrogates count as U+FFFD."""
    try:
        canonical = orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        # text that is no UTF-8, or a number beyond 64 bits: rare, and its repr says as much
        canonical = repr(payload).encode("utf-8", "replace")
    return int.from_bytes(blake2b(canonical, digest_size=8).digest(), "big", signed=True)
