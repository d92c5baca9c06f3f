"""Authorising a buyer's account: the address to open, the callback caught here, the code exchanged, the tokens kept.

Guide: OAuth Flow, §1, §2. Tokens go into the vault and nowhere else.
"""

import hmac
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

from dropship_pipeline.alibaba.authorize import authorize_url
from dropship_pipeline.alibaba.client import Client
from dropship_pipeline.alibaba.tokens import TokenSource
from dropship_pipeline.problem import Problem
from dropship_pipeline.settings import AUTHORIZE_URL, Settings
from dropship_pipeline.storage.accounts import AccountVault
from dropship_pipeline.sync.place import find_place
from dropship_pipeline.sync.session import open_database, open_gateway, open_vault

_THANKS = "<!doctype html><meta charset=utf-8><title>dropship</title><p>{}</p>"
_DONE = "The account is authorised for dropship. You may close this page."
_FAILED = "That did not work: the terminal says why. You may close this page."


@dataclass(frozen=True, slots=True)
class Authority:
    """What authorising needs: where the API is, whose tokens they are, where they are kept."""

    app_key: str
    account: str
    vault: AccountVault
    client: Client
    tokens: TokenSource
    authorize_page: str

    def exchange(self, code: str) -> None:
        """Exchange an authorisation code for tokens and keep them. A code lasts 30 minutes and serves once."""
        grant = self.client.create_token(code)
        with self.vault.lock(self.account):
            self.vault.save(self.account, grant.pair, grant.profile)

    def refresh(self) -> None:
        """Refresh the tokens now, whatever their age."""
        pair = self.vault.load(self.account)
        if pair is None:
            raise Problem(f"Account {self.account} has no tokens", "Authorise it: dropship auth login")
        self.tokens.renew(pair.access_token)


@contextmanager
def open_authority(settings: Settings) -> Iterator[Authority]:
    """Open what authorising needs. Raises `Problem` where no app is named: the simulated one authorises itself."""
    if not settings.has_credentials:
        raise Problem(
            "No app is named, and the simulated Alibaba.com needs no login",
            "Set ALIBABA_APP_KEY and ALIBABA_APP_SECRET, from the app's page in the console",
        )
    database = open_database(settings)
    with (
        find_place(settings) as place,
        open_gateway(settings, place, database) as gateway,
        Client(gateway) as client,
    ):
        yield Authority(
            place.app_key,
            place.account,
            open_vault(settings, database),
            client,
            gateway.tokens,
            settings.alibaba_authorize_url or AUTHORIZE_URL,
        )
    database.close()


def login(authority: Authority, port: int, tell: Callable[[str], None], wait_seconds: float = 300.0) -> None:
    """Have a person authorise the account in a browser: `tell` is given the address to open.

    The callback is caught on loopback at `port`; one whose `state` is not the one sent is refused. Raises `Problem`
    when nobody comes in time, or the buyer says no.
    """
    state = secrets.token_urlsafe(24)
    answer: dict[str, str] = {}
    arrived = threading.Event()

    class Callback(BaseHTTPRequestHandler):
        """Takes one callback; says nothing of it in any log."""

        def do_GET(self) -> None:
            """The browser comes back."""
            query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
            genuine = hmac.compare_digest(query.get("state", ""), state)
            if genuine and not arrived.is_set():
                answer.update(query)
                arrived.set()
            self.send_response(200 if genuine and "code" in query else 400)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(_THANKS.format(_DONE if genuine and "code" in query else _FAILED).encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  as the base class names it
            """The request line holds the code: it is not logged."""

    try:
        server = HTTPServer(("127.0.0.1", port), Callback)
    except OSError as error:
        raise Problem(
            f"Port {port} for the callback is taken ({error.strerror})", "Name another one: --port"
        ) from error
    redirect_uri = f"http://127.0.0.1:{server.server_port}/callback"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        tell(authorize_url(authority.app_key, redirect_uri, state, authority.authorize_page))
        if not arrived.wait(wait_seconds):
            raise Problem(
                f"Nobody authorised the account within {wait_seconds:.0f} s", "Try again: dropship auth login"
            )
    finally:
        server.shutdown()
        server.server_close()
    if "code" not in answer:
        raise Problem(
            f"The buyer did not authorise the app ({answer.get('error', 'no code came back')})",
            "Try again: dropship auth login",
        )
    authority.exchange(answer["code"])
