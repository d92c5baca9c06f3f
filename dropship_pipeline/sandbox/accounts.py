"""Apps, authorisation codes and tokens of the simulated Alibaba.com: who may call, for whom, until when.

Everything is kept in memory and runs on the sandbox clock (epoch milliseconds, handed in). The seeded tokens are
the same for the same seed, so that what the sandbox printed last time still works; every other token and code is
random, so that a token of an earlier run is never taken for somebody else's. How tokens are told over HTTP belongs
in `endpoints/auth.py`.
"""

import hashlib
import secrets
import string
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from dropship_pipeline.sandbox.api import Refusal
from dropship_pipeline.sandbox.world.buyers import BUYERS, Buyer, PaymentStanding

ALPHABET = string.ascii_letters + string.digits

# The documentation's own code and tokens (guide §1): they answer with the example's values however often they are used.
EXAMPLE_CODE = "3_500102_JxZ05Ux3cnnSSUm6dCxYg6Q26"
EXAMPLE_ACCESS_TOKEN = "50000601c30atpedfgu3LVvik87Ixlsvle3mSoB7701ceb156fPunYZ43GBg"  # noqa: S105 - published in the guide
EXAMPLE_REFRESH_TOKEN = "500016000300bwa2WteaQyfwBMnPxurcA0mXGhQdTt18356663CfcDTYpWoi"  # noqa: S105 - published in the guide


@dataclass(frozen=True, slots=True)
class App:
    """An application registered on the platform. Loopback redirect URIs need no registration: see
    `endpoints/authorize`.
    """

    key: str
    secret: str = field(repr=False)
    name: str = "Sandbox application"
    redirect_uris: tuple[str, ...] = ()


DEFAULT_APP = App(key="12345678", secret="helloworld")  # noqa: S106 - fixed and obviously fake; printed at start


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long what is issued lives, in seconds, and what a refresh gives (guide: Authentication; live facts:
    Tokens).

    `refresh_token_s` 0 means that tokens cannot be refreshed. `refresh_repeats_token` False leaves `refresh_token`
    out of the refresh answer. `rotate_refresh_token` gives a new refresh token each time and ends the one that was
    used.
    """

    access_token_s: int = 864_000
    refresh_token_s: int = 5_184_000
    code_s: int = 1_800
    refresh_repeats_token: bool = True
    rotate_refresh_token: bool = False

    def __post_init__(self) -> None:
        if self.rotate_refresh_token and not self.refresh_repeats_token:
            raise ValueError(
                "a refresh token that is rotated has to be told: rotate_refresh_token needs refresh_repeats_token"
            )


@dataclass(frozen=True, slots=True)
class Grant:
    """A pair of tokens as it is handed out: for whom, and the seconds that each has left."""

    buyer: Buyer
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int
    refresh_expires_in: int


@dataclass(slots=True)
class _Pair:
    """One authorisation of one app by one buyer: its two tokens and when each ends (epoch ms)."""

    user_id: str
    app_key: str
    access_token: str
    refresh_token: str
    access_ends_ms: int
    refresh_ends_ms: int


@dataclass(frozen=True, slots=True)
class _Code:
    user_id: str
    app_key: str
    ends_ms: int


def illegal_access_token() -> Refusal:
    """The gateway's answer to a token that is missing, unknown, revoked or expired."""
    return Refusal("IllegalAccessToken", "The specified access token is invalid or expired")


def illegal_refresh_token() -> Refusal:
    """The gateway's answer to a refresh token that is unknown, revoked, rotated away or expired."""
    return Refusal("IllegalRefreshToken", "The specified refresh token is invalid or expired")


def invalid_code() -> Refusal:
    """The gateway's answer to an authorisation code that is unknown, expired, used, or another app's."""
    return Refusal("InvalidCode", "Invalid authorization code")


class Accounts:
    """The apps, buyers and tokens of one running sandbox."""

    def __init__(
        self,
        seed: int,
        now_ms: int,
        lifetimes: Lifetimes | None = None,
        apps: Iterable[App] = (DEFAULT_APP,),
        buyers: Iterable[Buyer] = BUYERS,
    ) -> None:
        self._seed = seed
        self.lifetimes = lifetimes or Lifetimes()
        self._apps = {app.key: app for app in apps}
        self._buyers = {buyer.user_id: buyer for buyer in buyers}
        if not self._apps or not self._buyers:
            raise ValueError("a sandbox needs at least one app and one buyer")
        self.default_app = next(iter(self._apps.values()))
        self.default_buyer = next(iter(self._buyers.values()))
        self._connected = {self.default_buyer.user_id}
        self._codes: dict[str, _Code] = {}
        self._by_access: dict[str, _Pair] = {}
        self._by_refresh: dict[str, _Pair] = {}
        self._seeded: dict[str, Grant] = {}
        for buyer in self._buyers.values():
            self._seeded[buyer.user_id] = self._issue(
                buyer.user_id,
                self.default_app.key,
                now_ms,
                self._seeded_token("50000", buyer),
                self._seeded_token("50001", buyer),
            )
        self._issue_example(self.default_app.key, now_ms)

    # What the gateway and the endpoints ask

    def app(self, key: str) -> App | None:
        """The registered app with this key."""
        return self._apps.get(key)

    def buyer(self, user_id: str) -> Buyer:
        """The buyer with this id; KeyError where there is none."""
        return self._buyers[user_id]

    @property
    def buyers(self) -> tuple[Buyer, ...]:
        """Every buyer, the default one first."""
        return tuple(self._buyers.values())

    def buyer_of(self, access_token: str, now_ms: int) -> str:
        """The user id behind an access token. Raises the gateway's `IllegalAccessToken` refusal."""
        pair = self._by_access.get(access_token)
        if pair is None or now_ms >= pair.access_ends_ms:
            raise illegal_access_token()
        return pair.user_id

    def is_connected(self, user_id: str) -> bool:
        """Whether messages about this buyer's orders are pushed: the default buyer, and whoever logged in."""
        return user_id in self._connected

    def authorise(self, app_key: str, user_id: str, now_ms: int) -> str:
        """A code that this app can exchange once for this buyer's tokens, for 30 minutes (guide: OAuth Flow)."""
        self.buyer(user_id)
        self._codes = {code: kept for code, kept in self._codes.items() if now_ms < kept.ends_ms}
        code = f"3_500102_{_random_text(25)}"
        self._codes[code] = _Code(user_id, app_key, now_ms + self.lifetimes.code_s * 1000)
        return code

    def exchange(self, code: str, app_key: str, now_ms: int) -> Grant:
        """Tokens for a code. Raises `InvalidCode` where it is unknown, expired, used, or was given to another app."""
        if code == EXAMPLE_CODE:
            return self._issue_example(app_key, now_ms)
        kept = self._codes.get(code)
        if kept is None or kept.app_key != app_key or now_ms >= kept.ends_ms:
            raise invalid_code()
        del self._codes[code]
        self._connected.add(kept.user_id)
        return self._issue(kept.user_id, app_key, now_ms)

    def refresh(self, refresh_token: str, app_key: str, now_ms: int) -> Grant:
        """A new access token; the one before stops working. Raises `IllegalRefreshToken`."""
        pair = self._by_refresh.get(refresh_token)
        if pair is None or now_ms >= pair.refresh_ends_ms:
            raise illegal_refresh_token()
        if refresh_token == EXAMPLE_REFRESH_TOKEN:
            return self._issue_example(app_key, now_ms)
        if pair.app_key != app_key:
            raise illegal_refresh_token()
        self._by_access.pop(pair.access_token, None)
        pair.access_token = _random_token("50000")
        pair.access_ends_ms = now_ms + self.lifetimes.access_token_s * 1000
        self._by_access[pair.access_token] = pair
        if self.lifetimes.rotate_refresh_token:
            del self._by_refresh[pair.refresh_token]
            pair.refresh_token = _random_token("50001")
            pair.refresh_ends_ms = now_ms + self.lifetimes.refresh_token_s * 1000
            self._by_refresh[pair.refresh_token] = pair
        return self._grant(pair, now_ms)

    # What the control API does

    def seeded(self, user_id: str | None = None) -> Grant:
        """The deterministic tokens that a buyer (the default one) got at start, as the sandbox prints them."""
        return self._seeded[user_id or self.default_buyer.user_id]

    def issue(self, user_id: str, now_ms: int, app_key: str | None = None) -> Grant:
        """A fresh pair for a buyer without the OAuth page. KeyError where there is no such buyer."""
        self.buyer(user_id)
        self._connected.add(user_id)
        return self._issue(user_id, app_key or self.default_app.key, now_ms)

    def revoke(self, token: str) -> bool:
        """End the authorisation behind an access or refresh token, both tokens at once. False where there is none."""
        pair = self._by_access.get(token) or self._by_refresh.get(token)
        if pair is None:
            return False
        self._by_access.pop(pair.access_token, None)
        self._by_refresh.pop(pair.refresh_token, None)
        return True

    def expire(self, token: str, now_ms: int) -> bool:
        """Let one token, access or refresh, have run out just now; the other one stays. False where there is none."""
        if (pair := self._by_access.get(token)) is not None:
            pair.access_ends_ms = now_ms
        elif (pair := self._by_refresh.get(token)) is not None:
            pair.refresh_ends_ms = now_ms
        return pair is not None

    def set_payment(self, user_id: str, payment: PaymentStanding) -> None:
        """Change what happens when this buyer pays. KeyError where there is no such buyer."""
        self._buyers[user_id] = replace(self.buyer(user_id), payment=payment)

    # How tokens come about

    def _issue_example(self, app_key: str, now_ms: int) -> Grant:
        return self._issue(self.default_buyer.user_id, app_key, now_ms, EXAMPLE_ACCESS_TOKEN, EXAMPLE_REFRESH_TOKEN)

    def _issue(
        self, user_id: str, app_key: str, now_ms: int, access: str | None = None, refresh: str | None = None
    ) -> Grant:
        pair = _Pair(
            user_id=user_id,
            app_key=app_key,
            access_token=access or _random_token("50000"),
            refresh_token=refresh or _random_token("50001"),
            access_ends_ms=now_ms + self.lifetimes.access_token_s * 1000,
            refresh_ends_ms=now_ms + self.lifetimes.refresh_token_s * 1000,
        )
        self._by_access[pair.access_token] = pair
        self._by_refresh[pair.refresh_token] = pair
        return self._grant(pair, now_ms)

    def _grant(self, pair: _Pair, now_ms: int) -> Grant:
        return Grant(
            buyer=self._buyers[pair.user_id],
            access_token=pair.access_token,
            refresh_token=pair.refresh_token,
            expires_in=(pair.access_ends_ms - now_ms) // 1000,
            refresh_expires_in=max(0, pair.refresh_ends_ms - now_ms) // 1000,
        )

    def _seeded_token(self, prefix: str, buyer: Buyer) -> str:
        digest = hashlib.blake2b(f"{self._seed}:{prefix}:{buyer.user_id}".encode(), digest_size=55).digest()
        return prefix + "".join(ALPHABET[byte % len(ALPHABET)] for byte in digest)


def _random_text(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def _random_token(prefix: str) -> str:
    return prefix + _random_text(55)
