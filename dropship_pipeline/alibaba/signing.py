"""The signature of a call, and of a push message. Nothing here knows what is signed."""

import hmac
from collections.abc import Mapping
from functools import lru_cache


def signature(path: str, params: Mapping[str, str], app_secret: str) -> str:
    """HMAC-SHA256 over the path and the sorted parameters, as upper-case hex (guide: Request Signing).

    `path` is without `/rest`. `params` are all parameters, system parameters included, as they are sent but not yet
    percent-encoded; `sign` itself and empty values do not count (live facts: Signing).
    """
    parts = [path]
    for name in sorted(params):
        value = params[name]
        if value and name != "sign":
            parts.append(name)
            parts.append(value)
    digest = _keyed(app_secret).copy()
    digest.update("".join(parts).encode())
    return digest.hexdigest().upper()


def push_signature(app_key: str, app_secret: str, body: bytes) -> str:
    """HMAC-SHA256 over the app key and the raw body, as lower-case hex (guide: Signature Verification)."""
    return hmac.digest(app_secret.encode(), app_key.encode() + body, "sha256").hex()


def push_is_genuine(app_key: str, app_secret: str, body: bytes, authorization: str | None) -> bool:
    """Whether the `Authorization` header of a push message signs its raw body. Takes constant time.

    A message without the header is not genuine, though the guide's handler lets it pass (live facts: Push messages).
    """
    claimed = (authorization or "").strip().lower().encode(errors="replace")
    return hmac.compare_digest(claimed, push_signature(app_key, app_secret, body).encode())


# of tens of thousands of calls the key is one and the same, and to prepare it costs more than to use it
@lru_cache(maxsize=4)
def _keyed(secret: str) -> hmac.HMAC:
    return hmac.new(secret.encode(), digestmod="sha256")
