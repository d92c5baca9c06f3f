"""How a call is signed (guide: Request Signing; live facts: Signing). Shared with nobody: the client has its own."""

import hmac
from collections.abc import Mapping

SIGN_METHODS = frozenset({"sha256", "hmac-sha256"})


def sign(path: str, params: Mapping[str, str], secret: str) -> str:
    """The upper-case hexadecimal HMAC-SHA256 of path and parameters: all but `sign`, blank ones left out, by name."""
    text = path + "".join([name + value for name, value in sorted(params.items()) if value and name != "sign"])
    return hmac.digest(secret.encode(), text.encode(errors="surrogatepass"), "sha256").hex().upper()


def is_signed(path: str, params: Mapping[str, str], secret: str) -> bool:
    """Whether `params["sign"]` is the signature of the rest."""
    given = params.get("sign", "")
    return hmac.compare_digest(sign(path, params, secret).encode(), given.encode(errors="replace"))


def sign_push(app_key: str, secret: str, body: bytes) -> str:
    """What signs a push message: the lower-case hexadecimal HMAC-SHA256 of app key and body (guide: Push
    Notifications).
    """
    return hmac.new(secret.encode(), app_key.encode() + body, "sha256").hexdigest()
