"""The page on which a buyer lets an application in: the simulated `openapi-auth.alibaba.com/oauth/authorize`.

GET shows the page, POST answers the click with a redirect that carries `code` and `state` (guide: OAuth Flow). A
redirect only ever goes to a URI that the app registered, or to the machine itself (loopback, any port and path, as a
program under development needs); everything else ends on an error page. The page uses no script and nothing from
elsewhere, and every value in it is escaped.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlencode, urlsplit, urlunsplit

from dropship_pipeline.sandbox.accounts import Accounts, App
from dropship_pipeline.sandbox.endpoints.authorize_page import choice_page, error_page

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

SECURITY_HEADERS: Mapping[str, str] = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    # no form-action: browsers would apply it to the redirect that answers the form
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
}


@dataclass(frozen=True, slots=True)
class HtmlAnswer:
    """An answer for a browser: HTTP status, headers (lower-case names), body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


Authorize = Callable[[str, Mapping[str, str], Mapping[str, str], int], HtmlAnswer]


class _BadRequest(Exception):
    """A request that may not be answered with a redirect: the headline and what to do."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy


def authorizer(accounts: Accounts) -> Authorize:
    """The handler of `/oauth/authorize`: `authorize(method, query, form, now_ms)` gives the answer for the browser."""

    def authorize(method: str, query: Mapping[str, str], form: Mapping[str, str], now_ms: int) -> HtmlAnswer:
        if method not in {"GET", "HEAD", "POST"}:
            return HtmlAnswer(
                405, {**SECURITY_HEADERS, "allow": "GET, HEAD, POST"}, error_page("This page is read with GET.", "")
            )
        asked = form if method == "POST" else query
        try:
            app = _app(accounts, asked)
            redirect = _redirect_uri(app, asked.get("redirect_uri", ""))
            _response_type(asked)
            if method == "POST":
                return _decided(accounts, app, redirect, asked, now_ms)
        except _BadRequest as bad:
            return HtmlAnswer(400, SECURITY_HEADERS, error_page(bad.what, bad.remedy))
        page = choice_page(app.name, app.key, asked["redirect_uri"], asked.get("state", ""), accounts.buyers)
        return HtmlAnswer(200, SECURITY_HEADERS, page)

    return authorize


def _response_type(asked: Mapping[str, str]) -> None:
    if asked.get("response_type") != "code":
        raise _BadRequest("response_type is not “code”.", "Add response_type=code to the authorisation URL.")


def _app(accounts: Accounts, asked: Mapping[str, str]) -> App:
    key = asked.get("client_id", "")
    app = accounts.app(key)
    if app is None:
        raise _BadRequest(
            f"No application has the key “{key}”.",
            f"Set client_id to a registered application's App Key. This sandbox's own is {accounts.default_app.key}.",
        )
    return app


def _redirect_uri(app: App, uri: str) -> SplitResult:
    # A browser reads a backslash as a slash and drops tabs and newlines: such a URI may name another host than it
    # seems to.
    readable = uri.isascii() and uri.isprintable() and not set(uri) & set('\\ <>"`{}|^')
    try:
        parts = urlsplit(uri) if readable else None
        host = parts.hostname if parts else None
        if parts is not None:
            _ = parts.port  # a port that is no number raises ValueError
    except ValueError:
        parts = host = None
    if parts is None or parts.scheme not in {"http", "https"} or not host or parts.fragment or "@" in parts.netloc:
        raise _BadRequest(
            "redirect_uri is not an absolute http(s) address without fragment.",
            "Pass the callback address of your application, URL-encoded, as redirect_uri.",
        )
    if host not in LOOPBACK and uri not in app.redirect_uris:
        raise _BadRequest(
            f"The application is not registered for {uri}.",
            "Use the callback address registered with the application, or one on this machine (http://127.0.0.1:PORT/…).",
        )
    return parts


def _decided(accounts: Accounts, app: App, redirect: SplitResult, form: Mapping[str, str], now_ms: int) -> HtmlAnswer:
    if form.get("decision") == "authorize":
        user_id = form.get("buyer", "")
        if user_id not in {buyer.user_id for buyer in accounts.buyers}:
            raise _BadRequest("No such buyer.", "Go back and choose one of the listed buyers.")
        answer = {"code": accounts.authorise(app.key, user_id, now_ms)}
    else:
        answer = {"error": "access_denied", "error_description": "The buyer did not authorize the application."}
    if form.get("state"):
        answer["state"] = form["state"]
    query = "&".join(filter(None, (redirect.query, urlencode(answer))))
    location = urlunsplit((redirect.scheme, redirect.netloc, redirect.path or "/", query, ""))
    return HtmlAnswer(302, {"location": location, "cache-control": "no-store", "referrer-policy": "no-referrer"}, b"")
