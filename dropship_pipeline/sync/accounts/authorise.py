"""Authorising a buyer's account: the address to open, the callback caught here, the code exchanged, the tokens kept.

Guide: OAuth Flow, §1, §2. Tokens go into the vault and nowhere else.
"""

import hmac
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, SimpleQueue
from urllib.parse import parse_qs, urlsplit

from dropship_pipeline.alibaba.authorize import authorize_url
from dropship_pipeline.alibaba.client import Client
from dropship_pipeline.alibaba.redaction import message
from dropship_pipeline.alibaba.tokens import DEFAULT_ACCOUNT, TokenPair, TokenSource, login_command
from dropship_pipeline.problem import Problem
from dropship_pipeline.settings import ALIBABA_SANDBOX_URL, AUTHORIZE_URL, Settings
from dropship_pipeline.storage.ops.accounts import AccountVault
from dropship_pipeline.storage.server.opening import open_database
from dropship_pipeline.sync.place import find_place
from dropship_pipeline.sync.session import open_gateway, open_vault

CALLBACK = "/callback"

# the address that the browser came by holds the code: it does not stay in sight, nor in what "back" leads to
_PAGE = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>dropship</title>"
    '<script>history.replaceState(null, "", "/")</script><p>{}</p></html>'
)
_CAUGHT = "dropship has the answer: the terminal says what came of it. You may close this page."
_NOT_OURS = "This is no answer to the login that dropship waits for: the terminal has the address to open."


@dataclass(frozen=True, slots=True)
class Authority:
    """What authorising needs: where the API is, whose tokens they are, where they are kept.

    `authorize_page`: where a buyer authorises the app; None where that is not known.
    """

    app_key: str
    account: str
    vault: AccountVault
    client: Client
    tokens: TokenSource
    authorize_page: str | None

    def exchange(self, code: str, *, replace: bool = False) -> TokenPair:
        """Exchange an authorisation code for tokens and keep them. A code lasts 30 minutes and serves once.

        Raises Problem, and keeps nothing, for a buyer who is known under another name, and for another buyer than the
        account was of before, unless it is to `replace` that one.
        """
        grant = self.client.create_token(code)
        with self.vault.lock(self.account):
            self.vault.authorise(self.account, grant.pair, grant.profile, replace=replace)
        return grant.pair

    def refresh(self) -> TokenPair:
        """Refresh the tokens now, whatever their age."""
        pair = self._kept()
        self.tokens.renew(pair.access_token)
        return self._kept()

    def _kept(self) -> TokenPair:
        pair = self.vault.load(self.account)
        if pair is None:
            raise Problem(f"Account {self.account} has no tokens", f"Authorise it: {login_command(self.account)}")
        return pair


@contextmanager
def open_authority(settings: Settings, account: str = DEFAULT_ACCOUNT) -> Iterator[Authority]:
    """Open what authorising an account needs.

    Raises `Problem` for a name that no account may have, and where no app is named: the simulated Alibaba.com needs no
    login.
    """
    if not settings.has_credentials:
        raise Problem(
            "No app is named, and the simulated Alibaba.com needs no login",
            "Set ALIBABA_APP_KEY and ALIBABA_APP_SECRET, from the app's page in the console",
        )
    with (
        closing(open_database(settings)) as database,
        find_place(settings) as found,
        open_gateway(settings, place := found.of(account), database) as gateway,
        Client(gateway) as client,
    ):
        yield Authority(
            place.app_key,
            place.account,
            open_vault(settings, database),
            client,
            gateway.tokens,
            _authorize_page(settings),
        )


def _authorize_page(settings: Settings) -> str | None:
    """Production's page (guide: Base URLs) authorises nobody for Alibaba's sandbox, whose own is not documented."""
    if settings.alibaba_authorize_url is None and settings.base_url == ALIBABA_SANDBOX_URL:
        return None
    return settings.alibaba_authorize_url or AUTHORIZE_URL


def login(
    authority: Authority,
    port: int,
    tell: Callable[[str], None],
    wait_seconds: float = 300.0,
    *,
    replace: bool = False,
) -> TokenPair:
    """Have a person authorise the account in a browser: `tell` is given the address to open.

    The callback is caught on loopback at `port` (0: any free one); one whose `state` is not the one sent is refused.
    Raises `Problem` when nobody comes in time, the buyer says no, the page to open is not known, and as
    `Authority.exchange`.
    """
    again = f"Try again: {login_command(authority.account)}"
    if authority.authorize_page is None:
        raise Problem(
            "Alibaba.com does not document where buyers authorise an app for its sandbox",
            "Set ALIBABA_AUTHORIZE_URL to the page that the app's console names; or give `dropship auth exchange` a "
            "code that the console grants; or set its tokens as ALIBABA_ACCESS_TOKEN and ALIBABA_REFRESH_TOKEN",
        )
    state = secrets.token_urlsafe(24)
    answers: SimpleQueue[dict[str, str]] = SimpleQueue()
    with _callback_server(port, state, answers) as server:
        redirect_uri = f"http://127.0.0.1:{server.server_port}{CALLBACK}"
        tell(authorize_url(authority.app_key, redirect_uri, state, authority.authorize_page))
        try:
            answer = answers.get(timeout=wait_seconds)
        except Empty:
            raise Problem(f"Nobody authorised the account within {wait_seconds:g} seconds", again) from None
    if not answer.get("code"):
        # the words came by way of the browser: shortened, and without what looks like a token
        said = message(answer.get("error_description") or answer.get("error") or "no code came back")
        raise Problem(f"The buyer did not authorise the app: {said}", again)
    return authority.exchange(answer["code"], replace=replace)


@contextmanager
def _callback_server(port: int, state: str, answers: SimpleQueue[dict[str, str]]) -> Iterator[ThreadingHTTPServer]:
    class Callback(BaseHTTPRequestHandler):
        """Takes the callback; says nothing of it in any log."""

        timeout = 10  # a browser opens connections that it may never use

        def do_GET(self) -> None:
            """The browser comes back."""
            address = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(address.query).items()}
            genuine = address.path == CALLBACK and hmac.compare_digest(
                query.get("state", "").encode(errors="replace"), state.encode()
            )
            page = _PAGE.format(_CAUGHT if genuine else _NOT_OURS).encode()
            self.send_response(200 if genuine else 404 if address.path != CALLBACK else 400)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(page)))
            self.send_header("Referrer-Policy", "no-referrer")
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(page)
            if genuine:
                answers.put(query)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  as the base class names it
            """The request line holds the code: it is not logged."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A browser that hangs up in the middle is none of our business."""

    try:
        server = Server(("127.0.0.1", port), Callback)
    except (OSError, OverflowError) as error:
        why = error.strerror if isinstance(error, OSError) else "there is no such port"
        raise Problem(f"Port {port} cannot take the callback: {why}", "Name another one: --port") from error
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
