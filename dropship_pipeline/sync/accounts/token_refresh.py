"""Keeping the accounts' tokens alive while nobody calls the API, and saying when a person is needed.

A sync refreshes the tokens that it uses half an hour before they end. An account that is not used for weeks would lose
its refresh token meanwhile; here every account is looked at. Guide §2; live facts: Tokens.
"""

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from dropship_pipeline.alibaba.client import Client
from dropship_pipeline.alibaba.errors import TokenRefused
from dropship_pipeline.alibaba.tokens import AccountTokens, TokenGrant, TokenPair, login_command
from dropship_pipeline.problem import Problem
from dropship_pipeline.settings import Settings
from dropship_pipeline.storage.ops.accounts import AccountRow, AccountVault
from dropship_pipeline.storage.ops.origin import claim_origin
from dropship_pipeline.storage.server.opening import open_database
from dropship_pipeline.sync.place import find_announced, find_place
from dropship_pipeline.sync.session import open_gateway, open_vault

ACCESS_AHEAD = timedelta(days=1)
"""An access token that ends within this is refreshed."""

REFRESH_AHEAD = timedelta(days=7)
"""A refresh token that ends within this is renewed, where the gateway does that, and warned about where it does not."""


class Outcome(StrEnum):
    """What became of an account's tokens."""

    LASTS = "lasts"  # nothing to do
    REFRESHED = "refreshed"
    UNKNOWN = "unknown"  # those of the environment: how long they last nobody said
    RUNS_OUT = "runs out"  # cannot be refreshed, or not for much longer: a person is needed soon
    REAUTHORISE = "reauthorise"  # a person is needed now
    FAILED = "failed"  # could not be refreshed for a reason that has nothing to do with the tokens


@dataclass(frozen=True, slots=True)
class KeptAccount:
    """What became of one account's tokens, in words without secrets. Times are UTC, None where they are not known.

    `new`: it has to be authorised again since just now, and nobody was told yet.
    """

    account: str
    outcome: Outcome
    access_until: datetime | None
    refresh_until: datetime | None
    said: str
    new: bool = False


def refresh_accounts(
    settings: Settings,
    *,
    access_ahead: timedelta = ACCESS_AHEAD,
    refresh_ahead: timedelta = REFRESH_AHEAD,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> list[KeptAccount]:
    """Refresh what runs out soon, of every account, by name; one that fails does not stop the others.

    Without credentials: those of the simulated Alibaba.com that `dropship up` runs, and none where it runs none. Tokens
    whose end is not known are left alone: another deployment may have been seeded with the same ones. Raises `Problem`
    where the accounts cannot be read.
    """
    if not settings.has_credentials and find_announced(settings.absolute_home) is None:
        return []
    with ExitStack() as stack:
        database = stack.enter_context(closing(open_database(settings)))
        place = stack.enter_context(find_place(settings))
        claim_origin(database, place.origin)
        gateway = stack.enter_context(open_gateway(settings, place, database))
        client = stack.enter_context(Client(gateway))
        vault = open_vault(settings, database)
        keeper = _Keeper(vault, client.refresh_token, access_ahead, refresh_ahead, clock)
        # a merchant who has had an app since may have accounts of it beside the simulated one
        rows = [row for row in vault.accounts() if row.account == place.account or not place.simulated]
        return [keeper.keep(row) for row in rows]


@dataclass(frozen=True, slots=True)
class _Keeper:
    vault: AccountVault
    refresh: Callable[[TokenPair], TokenGrant]
    access_ahead: timedelta
    refresh_ahead: timedelta
    clock: Callable[[], datetime]

    def keep(self, row: AccountRow) -> KeptAccount:
        if row.state == "reauthorise":
            return self._told(row.account, None, Outcome.REAUTHORISE, f"{row.reason}. {_again(row.account)}")
        try:
            return self._kept(row.account)
        except TokenRefused as error:  # which marked the account
            return self._told(row.account, None, Outcome.REAUTHORISE, str(error), new=True)
        except Problem as problem:
            return self._told(row.account, None, Outcome.FAILED, str(problem))

    def _kept(self, account: str) -> KeptAccount:
        pair, now = self.vault.load(account), self.clock()
        if pair is None:
            return self._told(account, None, Outcome.REAUTHORISE, f"It has no tokens. {_again(account)}")
        ended = pair.needs_refresh(now, timedelta())
        if ended or (pair.refreshable(now) and self._is_due(pair, now)):
            # the tokens' own lock, and their own verdict on those that are refused
            AccountTokens(self.vault, account, self.refresh, self.clock).renew(pair.access_token)
            return self._judged(account, self.vault.load(account) or pair, Outcome.REFRESHED)
        return self._judged(account, pair, Outcome.LASTS)

    def _is_due(self, pair: TokenPair, now: datetime) -> bool:
        return pair.needs_refresh(now, self.access_ahead) or (
            pair.refresh_expires_at is not None and now >= pair.refresh_expires_at - self.refresh_ahead
        )

    def _judged(self, account: str, pair: TokenPair, outcome: Outcome) -> KeptAccount:
        """What a person should know of tokens that are valid now."""
        now = self.clock()
        if pair.expires_at is None:
            said = "How long its tokens last is not known: they are used until the gateway refuses them"
            return self._told(account, pair, Outcome.UNKNOWN, said)
        last = _last(pair.expires_at, pair)
        if last is not None and now >= last - self.refresh_ahead:
            return self._told(account, pair, Outcome.RUNS_OUT, f"Its tokens run out at {_at(last)}. {_again(account)}")
        said = "Its tokens were refreshed" if outcome is Outcome.REFRESHED else "Its tokens last"
        return self._told(account, pair, outcome, f"{said}: until {_at(pair.expires_at)}")

    def _told(
        self, account: str, pair: TokenPair | None, outcome: Outcome, said: str, *, new: bool = False
    ) -> KeptAccount:
        return KeptAccount(
            account,
            outcome,
            None if pair is None else pair.expires_at,
            None if pair is None else pair.refresh_expires_at,
            said,
            new,
        )


def _last(access_until: datetime, pair: TokenPair) -> datetime | None:
    """Until when a pair does without a person; None: not known."""
    if pair.refresh_token is None:
        return access_until
    return None if pair.refresh_expires_at is None else max(access_until, pair.refresh_expires_at)


def _again(account: str) -> str:
    return f"Authorise the account again: {login_command(account)}"


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}Z"
