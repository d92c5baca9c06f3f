"""Access tokens: when a pair is renewed, by whom, and where it is kept between runs.

A pair is refreshed half an hour before it ends, and once when the gateway refuses it; always by one process at a time,
which holds the vault's lock and looks again before it calls. What cannot be refreshed is marked, and one error says
what a person has to do. The vault itself (encryption, rows) is in `storage.ops.accounts`; the call that refreshes is
`client`'s.
"""

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from dropship_pipeline.alibaba.errors import ApiError, Permanent, Throttled, TokenRefused, Transient
from dropship_pipeline.alibaba.values import Nulled, integer, text

REFRESH_AHEAD = timedelta(minutes=30)  # guide §2: Usage Notes
_RETRY_AHEAD = timedelta(minutes=1)  # a refresh ahead of time that failed in passing is not tried at every call
LOGIN = "Authorise the account again: dropship auth login"
DEFAULT_ACCOUNT = "default"
"""The name of an account that nobody named."""


def login_command(account: str) -> str:
    """What a person types to authorise this account."""
    return "dropship auth login" if account == DEFAULT_ACCOUNT else f"dropship auth login --account {account}"


@dataclass(frozen=True, slots=True)
class TokenPair:
    """The tokens of one account. Times are UTC; None: not known, taken as valid until the gateway says otherwise."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None
    refresh_expires_at: datetime | None = None

    def needs_refresh(self, now: datetime, ahead: timedelta = REFRESH_AHEAD) -> bool:
        """Whether the access token ends within `ahead`."""
        return self.expires_at is not None and now >= self.expires_at - ahead

    def refreshable(self, now: datetime) -> bool:
        """Whether there is a refresh token that still counts. `refresh_expires_in` 0 means that it never did."""
        return self.refresh_token is not None and (self.refresh_expires_at is None or now < self.refresh_expires_at)


@dataclass(frozen=True, slots=True)
class TokenGrant:
    """What the gateway granted: the pair, and who it belongs to (`user_info` and the account's fields, as text)."""

    pair: TokenPair
    profile: Mapping[str, str] = field(default_factory=dict, repr=False)


_PROFILE_FIELDS = ("account", "account_id", "account_platform", "country", "havana_id")


def read_token_grant(payload: object, now: datetime, previous: TokenPair | None = None) -> TokenGrant:
    """The grant in the answer of create or refresh (guide §1, §2). Lifetimes may be numbers or text.

    A refresh answer may leave out the refresh token: the `previous` one stays (live facts: Tokens). Raises Permanent
    for an answer without an access token.
    """
    document = payload if isinstance(payload, dict) else {}
    notes: list[Nulled] = []
    access_token = text(document.get("access_token"), "access_token", notes)
    if access_token is None:
        raise Permanent("NoToken", "the answer holds no access token", path="/auth/token", remedy=LOGIN)
    refresh_token = text(document.get("refresh_token"), "refresh_token", notes)
    lifetime = integer(document.get("expires_in"), "expires_in", notes)
    refresh_lifetime = integer(document.get("refresh_expires_in"), "refresh_expires_in", notes)
    refresh_expires_at = _after(now, refresh_lifetime)
    if refresh_token is None and previous is not None:
        refresh_token = previous.refresh_token
        refresh_expires_at = refresh_expires_at or previous.refresh_expires_at
    found = {name: text(document.get(name), name, notes) for name in _PROFILE_FIELDS}
    user_info = document.get("user_info")
    if isinstance(user_info, dict):
        found |= {name: text(value, name, notes) for name, value in user_info.items() if isinstance(name, str)}
    return TokenGrant(
        TokenPair(access_token, refresh_token, _after(now, lifetime), refresh_expires_at),
        {name: value for name, value in found.items() if value is not None},
    )


def _after(now: datetime, seconds: int | None) -> datetime | None:
    if seconds is None:
        return None
    # Lifetimes beyond ten years are no lifetimes; they must not overflow a date either.
    return now + timedelta(seconds=min(max(seconds, 0), 315_360_000))


class TokenSource(Protocol):
    """Where a gateway's calls get their access token. Safe to call from any thread."""

    def ready(self) -> str | None:
        """The token, if it can be had without waiting."""

    def access_token(self) -> str:
        """The token, refreshed first where that is due. Blocks. Raises TokenRefused, or what the refresh raised."""

    def renew(self, stale: str) -> str:
        """A token other than `stale`, which the gateway has refused. Blocks. Raises like `access_token`."""

    def give_up(self, refused: str, reason: str) -> None:
        """Even the renewed token was refused: a person has to authorise the account again."""


class TokenVault(Protocol):
    """Where pairs are kept between runs, shared by all processes."""

    def load(self, account: str) -> TokenPair | None:
        """The account's pair; None where there is none."""

    def lock(self, account: str) -> AbstractContextManager[object]:
        """Held by one process at a time."""

    def save(self, account: str, pair: TokenPair, profile: Mapping[str, str]) -> None:
        """Keep the pair, and whatever `profile` tells of the account."""

    def mark_for_reauthorisation(self, account: str, reason: str) -> None:
        """A person has to log in again; `reason` is fit to be shown."""

    def note_use(self, account: str) -> None:
        """Calls are about to be made with the account's tokens."""


class StaticTokens:
    """One token that cannot be renewed."""

    def __init__(self, token: str) -> None:
        self._token = token

    def ready(self) -> str | None:
        """See `TokenSource`."""
        return self._token

    def access_token(self) -> str:
        """See `TokenSource`."""
        return self._token

    def renew(self, stale: str) -> str:  # noqa: ARG002 - there is only one
        """Raises TokenRefused."""
        raise _refused("the access token is refused and no refresh token is known", LOGIN)

    def give_up(self, refused: str, reason: str) -> None:
        """There is nothing to mark."""


class NoTokens:
    """For calls that need none, and a clear error for the others."""

    def ready(self) -> str | None:
        """See `TokenSource`."""
        return None

    def access_token(self) -> str:
        """Raises TokenRefused."""
        raise _no_token("this app")

    def renew(self, stale: str) -> str:  # noqa: ARG002 - there is none
        """Raises TokenRefused."""
        raise _no_token("this app")

    def give_up(self, refused: str, reason: str) -> None:
        """There is nothing to mark."""


Refresher = Callable[[TokenPair], TokenGrant]
"""Asks the gateway for a new pair; raises ApiError."""


class AccountTokens:
    """The tokens of an account in a vault."""

    def __init__(
        self, vault: TokenVault, account: str, refresher: Refresher, clock: Callable[[], datetime] | None = None
    ) -> None:
        self._vault = vault
        self._account = account
        self._refresher = refresher
        self._now = clock or (lambda: datetime.now(UTC))
        self._lock = threading.RLock()
        self._pair: TokenPair | None = None
        self._dead: tuple[str, TokenRefused] | None = None
        self._check_at = datetime.min.replace(tzinfo=UTC)

    def __repr__(self) -> str:
        return f"AccountTokens({self._account!r})"

    def ready(self) -> str | None:
        """See `TokenSource`."""
        pair = self._pair
        return None if pair is None or self._now() >= self._check_at else pair.access_token

    def access_token(self) -> str:
        """See `TokenSource`."""
        with self._lock:
            token = self.ready()
            if token is not None:
                return token
            pair = self._vault.load(self._account)
            if pair is None:
                raise self._without_tokens()
            self._vault.note_use(self._account)
            now = self._now()
            if not pair.needs_refresh(now) or (not pair.refreshable(now) and not pair.needs_refresh(now, timedelta())):
                return self._use(pair)
            return self._refresh_ahead(pair, now)

    def renew(self, stale: str) -> str:
        """See `TokenSource`."""
        with self._lock:
            if self._pair is not None and self._pair.access_token != stale:
                return self._pair.access_token
            return self._refresh(stale)

    def give_up(self, refused: str, reason: str) -> None:
        """See `TokenSource`."""
        with self._lock, self._vault.lock(self._account):
            pair = self._vault.load(self._account)
            if pair is not None and pair.access_token == refused:
                self._vault.mark_for_reauthorisation(self._account, reason)
            self._pair = None

    def _refresh_ahead(self, pair: TokenPair, now: datetime) -> str:
        try:
            return self._refresh(pair.access_token)
        except (Transient, Throttled):
            if pair.needs_refresh(now, timedelta()):
                raise
            self._pair, self._check_at = pair, now + _RETRY_AHEAD
            return pair.access_token

    def _refresh(self, stale: str) -> str:
        """A token other than `stale`: another process's if there is one by now, else a new one."""
        with self._vault.lock(self._account):
            pair = self._vault.load(self._account)
            if pair is None:
                raise self._without_tokens()
            if pair.access_token != stale:
                return self._use(pair)
            if self._dead is not None and self._dead[0] == stale:
                raise self._dead[1]  # asking again changes nothing: a person has to log in first
            if not pair.refreshable(self._now()):
                raise self._marked(
                    stale, "the access token is refused or has ended, and the refresh token has ended too"
                )
            try:
                granted = self._refresher(pair)
            except ApiError as error:
                if isinstance(error, Transient | Throttled) or (isinstance(error, Permanent) and error.fatal):
                    raise  # no verdict on the token
                raise self._marked(stale, f"the refresh token is refused: {error.code} {error.message}") from error
            self._vault.save(self._account, granted.pair, granted.profile)
            return self._use(granted.pair, fresh=True)

    def _use(self, pair: TokenPair, *, fresh: bool = False) -> str:
        self._pair = pair
        if pair.expires_at is None:
            self._check_at = datetime.max.replace(tzinfo=UTC)
        elif fresh and pair.needs_refresh(self._now()):
            # An app whose tokens live for less than half an hour: not refreshed at every call, but just before the end.
            self._check_at = self._now() + (pair.expires_at - self._now()) * 0.9
        else:
            self._check_at = max(pair.expires_at - REFRESH_AHEAD, self._now() + _RETRY_AHEAD)
        return pair.access_token

    def _marked(self, token: str, reason: str) -> TokenRefused:
        self._vault.mark_for_reauthorisation(self._account, reason)
        self._pair = None
        remedy = f"Authorise the account again: {login_command(self._account)}"
        error = _refused(f"account {self._account}: {reason}", remedy)
        self._dead = token, error
        return error

    def _without_tokens(self) -> TokenRefused:
        return _no_token(f"account {self._account}", login_command(self._account))


def _refused(words: str, remedy: str) -> TokenRefused:
    return TokenRefused("IllegalAccessToken", words, remedy=remedy)


def _no_token(whose: str, login: str = "dropship auth login") -> TokenRefused:
    return TokenRefused("NoToken", f"no token of {whose}", remedy=f"Authorise: {login}")
