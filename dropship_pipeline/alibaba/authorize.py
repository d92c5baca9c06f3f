"""The page where a buyer allows the app to act for it. The code that comes back is for `client.create_token`."""

from urllib.parse import urlencode

AUTHORIZE_URL = "https://openapi-auth.alibaba.com/oauth/authorize"


def authorize_url(app_key: str, redirect_uri: str, state: str, page: str = AUTHORIZE_URL) -> str:
    """The address to open in a browser (guide: OAuth Flow).

    `redirect_uri` is the callback registered for the app; `state` comes back with the code and shows that the answer
    belongs to this request. The page asks again even where the buyer is logged in (live facts: Tokens).
    """
    query = {
        "response_type": "code",
        "client_id": app_key,
        "redirect_uri": redirect_uri,
        "state": state,
        "force_auth": "true",
    }
    return f"{page}?{urlencode(query)}"
