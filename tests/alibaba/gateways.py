"""Gateways for tests, and what a server may check of a request."""

from scripted_gateway import Seen

from dropship_pipeline.alibaba.dialect import Dialect, DialectMemory
from dropship_pipeline.alibaba.gateway import Gateway, Timeouts
from dropship_pipeline.alibaba.rate import UNLIMITED, CallBudget, LocalCallBudget
from dropship_pipeline.alibaba.signing import signature
from dropship_pipeline.alibaba.tokens import StaticTokens, TokenSource

APP_KEY = "87654321"
APP_SECRET = "a-very-secret-app-secret"
TOKEN = "50000601c30atpedfgu3LVvik87Ixlsvle3mSoB7701ceb156fPunYZ43GBg"


def gateway_at(
    url: str,
    tokens: TokenSource | None = None,
    budget: CallBudget | None = None,
    dialect: Dialect = Dialect.GUIDE,
    timeouts: Timeouts | None = None,
) -> Gateway:
    return Gateway(
        url,
        APP_KEY,
        APP_SECRET,
        DialectMemory(dialect),
        tokens or StaticTokens(TOKEN),
        budget or LocalCallBudget(UNLIMITED, UNLIMITED),
        timeouts=timeouts,
    )


def is_signed(seen: Seen) -> bool:
    """Whether what arrived carries the signature of just that."""
    return seen.params.get("sign") == signature(seen.path, seen.params, APP_SECRET)
