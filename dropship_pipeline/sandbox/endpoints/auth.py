"""The token endpoints: a code or a refresh token in, the guide's flat token document out (guide §1, §2).

The page on which a buyer grants the code is in `authorize.py`; what tokens are and how long they live is in
`accounts.py`.
"""

from dropship_pipeline.sandbox.accounts import Accounts, Grant
from dropship_pipeline.sandbox.api import Body, Call, Endpoint
from dropship_pipeline.sandbox.endpoints.parameters import required

METHODS = frozenset({"GET", "POST"})


def endpoints(accounts: Accounts) -> list[Endpoint]:
    """`/auth/token/create` and `/auth/token/refresh`."""

    def create(call: Call) -> Body:
        grant = accounts.exchange(required(call, "code"), call.params.get("app_key", ""), call.now_ms)
        buyer = grant.buyer
        return {
            **_tokens(grant),
            "account_id": buyer.account_id,
            "account": buyer.account,
            "account_platform": buyer.account_platform,
            "country": buyer.country,
            "user_info": {
                "country": "GLOBAL",
                "loginId": buyer.login_id,
                "user_id": buyer.user_id,
                "seller_id": buyer.seller_id,
            },
        }

    def refresh(call: Call) -> Body:
        grant = accounts.refresh(required(call, "refresh_token"), call.params.get("app_key", ""), call.now_ms)
        told = _tokens(grant)
        if not accounts.lifetimes.refresh_repeats_token:
            del told["refresh_token"]
        return told

    return [
        Endpoint("/auth/token/create", METHODS, needs_token=False, handler=create),
        Endpoint("/auth/token/refresh", METHODS, needs_token=False, handler=refresh),
    ]


def _tokens(grant: Grant) -> dict[str, object]:
    return {
        "access_token": grant.access_token,
        "refresh_token": grant.refresh_token,
        "expires_in": str(grant.expires_in),
        "refresh_expires_in": str(grant.refresh_expires_in),
    }
