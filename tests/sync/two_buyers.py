"""A merchant with two buyers: which of the simulated Alibaba.com's they are, what each has ordered, who is let in."""

from typing import Any

from deployment import SECRET_KEY, Deployment

from dropship_pipeline.alibaba.tokens import TokenPair
from dropship_pipeline.storage.ops.accounts import AccountVault
from dropship_pipeline.storage.ops.secrets import Cipher

OTHER = "lakeshore"
"""What the second buyer goes by here; the first one is `default`."""


def vault_of(merchant: Deployment) -> AccountVault:
    """Where the merchant's tokens are kept."""
    return AccountVault(merchant.database, Cipher([SECRET_KEY]))


def buyers(merchant: Deployment) -> list[dict[str, str]]:
    """The buyers, the one of the environment's tokens first, with the tokens that they got at the start."""
    found: list[dict[str, str]] = merchant.sandbox.control("accounts")["buyers"]
    return found


def let_in(merchant: Deployment, account: str = OTHER, buyer: int = 1) -> None:
    """Let this buyer have authorised the app just now, under this name."""
    user_id = buyers(merchant)[buyer]["user_id"]
    granted = merchant.sandbox.control("accounts/issue", {"user_id": user_id})
    pair = TokenPair(granted["access_token"], granted["refresh_token"])
    vault_of(merchant).authorise(account, pair, {"user_id": user_id}, replace=False)


def throw_out(merchant: Deployment, account: str = OTHER) -> None:
    """Let the buyer withdraw the authorisation at Alibaba.com."""
    pair = vault_of(merchant).load(account)
    assert pair is not None
    assert merchant.sandbox.control("accounts/revoke", {"token": pair.access_token})["revoked"]


def ordered(merchant: Deployment, buyer: int) -> dict[str, dict[str, Any]]:
    """What this buyer has ordered, as is true now, by trade ID."""
    user_id = buyers(merchant)[buyer]["user_id"]
    return {o["trade_id"]: o for o in merchant.truth("orders")["orders"] if o["buyer_id"] == user_id}


def true_statuses(merchant: Deployment) -> dict[str, tuple[str, str]]:
    """Account and status of every order of the two, as is true now, by trade ID."""
    return {
        trade_id: (account, order["status"])
        for account, buyer in (("default", 0), (OTHER, 1))
        for trade_id, order in ordered(merchant, buyer).items()
    }


def stored_statuses(merchant: Deployment) -> dict[str, tuple[str, str]]:
    """The same, as it stands in Postgres."""
    rows = merchant.rows("SELECT trade_id, account, status FROM orders.orders")
    return {row["trade_id"]: (row["account"], row["status"]) for row in rows}


def state_of(merchant: Deployment, account: str = OTHER) -> str:
    """Whether the account is active, or has to be authorised again."""
    return str(merchant.value(f"SELECT state FROM ops.accounts WHERE account = '{account}'"))
