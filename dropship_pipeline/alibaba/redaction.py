"""What may be shown of what goes to and comes from Alibaba.com: messages and parameters, without secrets."""

import re
from collections.abc import Iterable, Mapping

SECRET_PARAMS = frozenset({"app_key", "app_secret", "access_token", "refresh_token", "code", "sign", "uuid"})
PERSONAL_PARAMS = frozenset(
    {"address", "zip_code", "logistics_detail", "remark", "clearance_detail", "attachments", "param_order_pay_request"}
)
HIDDEN = "***"
LONGEST_MESSAGE = 300

# Tokens, signatures and codes: 24 letters and digits or more without a break, some of each.
_LOOKS_SECRET = re.compile(r"(?=[0-9+=]*[A-Za-z])(?=[A-Za-z+=]*[0-9])[A-Za-z0-9+=]{24,}")


def message(words: str, secrets: Iterable[str] = ()) -> str:
    """The gateway's words fit to be shown: one line, shortened, without `secrets` and without what looks like one."""
    for secret in secrets:
        if len(secret) >= 4:
            words = words.replace(secret, HIDDEN)
    line = " ".join(_LOOKS_SECRET.sub(HIDDEN, words).split())
    return line if len(line) <= LONGEST_MESSAGE else f"{line[:LONGEST_MESSAGE]}…"


def params(values: Mapping[str, str]) -> dict[str, str]:
    """The parameters of a call without secrets and personal data; for the raw lake and for logs."""
    hidden = SECRET_PARAMS | PERSONAL_PARAMS
    return {name: HIDDEN if name in hidden else value for name, value in values.items()}
