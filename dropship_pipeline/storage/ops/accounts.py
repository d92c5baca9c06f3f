"""The accounts that the app acts for, and their tokens, encrypted: rows of `ops.accounts`.

When a pair is refreshed and by whom is decided in `alibaba.tokens`; this is the vault that it asks for.
"""

import hashlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import SecretStr
from sqlalchemy import text

from dropship_pipeline.alibaba.tokens import TokenPair, login_command
from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.ops.secrets import Cipher
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.storage.server.locks import Held, hold

LOCK_WAIT = timedelta(minutes=5)  # a refresh that the gateway throttles may take minutes

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

_LOAD = text("""
    SELECT access_token, refresh_token, access_token_expires_at, refresh_token_expires_at
    FROM ops.accounts WHERE account = :account
""")

_SEED = text("""
    INSERT INTO ops.accounts AS a (account, access_token, refresh_token, state, seeded_from, updated_at)
    VALUES (:account, :access, :refresh, 'active', :seeded_from, clock_timestamp())
    ON CONFLICT (account) DO UPDATE SET
        access_token = excluded.access_token, refresh_token = excluded.refresh_token,
        access_token_expires_at = NULL, refresh_token_expires_at = NULL,
        state = 'active', reason = NULL, seeded_from = excluded.seeded_from, updated_at = excluded.updated_at
    WHERE a.seeded_from IS DISTINCT FROM excluded.seeded_from
""")

_SAVE = text("""
    INSERT INTO ops.accounts AS a (account, alibaba_user_id, havana_id, account_platform, access_token, refresh_token,
                                   access_token_expires_at, refresh_token_expires_at, state, updated_at)
    VALUES (:account, :user_id, :havana_id, :platform, :access, :refresh, :expires_at, :refresh_expires_at, 'active',
            clock_timestamp())
    ON CONFLICT (account) DO UPDATE SET
        alibaba_user_id = coalesce(excluded.alibaba_user_id, a.alibaba_user_id),
        havana_id = coalesce(excluded.havana_id, a.havana_id),
        account_platform = coalesce(excluded.account_platform, a.account_platform),
        access_token = excluded.access_token, refresh_token = excluded.refresh_token,
        access_token_expires_at = excluded.access_token_expires_at,
        refresh_token_expires_at = excluded.refresh_token_expires_at,
        state = 'active', reason = NULL, updated_at = excluded.updated_at
""")

# whoever authorises at the same moment waits: two names must not be given to one buyer
_ALONE = text("LOCK TABLE ops.accounts IN SHARE ROW EXCLUSIVE MODE")

_SAME = text("""
    SELECT account, alibaba_user_id FROM ops.accounts
    WHERE account = :account OR alibaba_user_id = :user_id ORDER BY account
""")

_NOBODYS = text("""
    UPDATE ops.accounts SET alibaba_user_id = NULL, havana_id = NULL, account_platform = NULL, last_used_at = NULL
    WHERE account = :account
""")

_FORGET = text("DELETE FROM ops.accounts WHERE account = :account RETURNING account")

_USED = text("UPDATE ops.accounts SET last_used_at = clock_timestamp() WHERE account = :account")

_MARK = text("""
    UPDATE ops.accounts SET state = 'reauthorise', reason = :reason, updated_at = clock_timestamp()
    WHERE account = :account
""")

_ACCOUNTS = text("""
    SELECT account, alibaba_user_id, havana_id, account_platform, access_token_expires_at, refresh_token_expires_at,
           state, reason, updated_at, last_used_at
    FROM ops.accounts ORDER BY account
""")


@dataclass(frozen=True, slots=True)
class AccountRow:
    """What may be shown of an account: no token. Times are UTC."""

    account: str
    alibaba_user_id: str | None
    havana_id: str | None
    account_platform: str | None
    access_token_expires_at: datetime | None
    refresh_token_expires_at: datetime | None
    state: str
    reason: str | None
    updated_at: datetime
    last_used_at: datetime | None

    @property
    def active(self) -> bool:
        """Whether calls can be made for it; if not, a person has to authorise it again."""
        return self.state == "active"


class AccountVault:
    """Implements `alibaba.tokens.TokenVault`. Safe to share among threads."""

    def __init__(self, database: Database, cipher: Cipher, lock_wait: timedelta = LOCK_WAIT) -> None:
        self._database = database
        self._cipher = cipher
        self._lock_wait = lock_wait

    def seed(self, account: str, access: SecretStr | None, refresh: SecretStr | None) -> None:
        """Take over the environment's tokens, unless the account was seeded from the same ones before.

        Tokens that were refreshed or authorised since then are newer and stay. How long the environment's are valid
        nobody knows; a refresh token alone is enough.
        """
        if access is None and refresh is None:
            return
        tokens = [None if token is None else token.get_secret_value() for token in (access, refresh)]
        row = {
            "account": account,
            "access": self._encrypted(tokens[0]),
            "refresh": self._encrypted(tokens[1]),
            "seeded_from": hashlib.sha256("\n".join(token or "" for token in tokens).encode()).hexdigest(),
        }
        with self._database.begin() as connection:
            connection.execute(_SEED, row)

    def load(self, account: str) -> TokenPair | None:
        """See `TokenVault`. Raises `WrongKey` for tokens that were encrypted with another key."""
        with self._database.begin() as connection:
            row = connection.execute(_LOAD, {"account": account}).one_or_none()
        if row is None or (row.access_token is None and row.refresh_token is None):
            return None
        refresh_token = None if row.refresh_token is None else self._cipher.decrypt(bytes(row.refresh_token))
        if row.access_token is None:
            # only the refresh token is known: an access token that ended long ago is refreshed before the first call
            return TokenPair("", refresh_token, _LONG_AGO, row.refresh_token_expires_at)
        return TokenPair(
            self._cipher.decrypt(bytes(row.access_token)),
            refresh_token,
            row.access_token_expires_at,
            row.refresh_token_expires_at,
        )

    def lock(self, account: str) -> AbstractContextManager[Held]:
        """See `TokenVault`. Ends with this process, however it ends. Raises `Problem` after `lock_wait`."""
        waited = f"{self._lock_wait.total_seconds():g} seconds"
        held = Problem(
            f"Another process has been renewing the tokens of account {account} for {waited}",
            "Run the command again; if that goes on, see which session holds an advisory lock in pg_locks",
        )
        return hold(self._database, f"account {account}", self._lock_wait, held)

    def save(self, account: str, pair: TokenPair, profile: Mapping[str, str]) -> None:
        """See `TokenVault`. What `profile` does not tell (guide §1: `user_info`) stays as it is."""
        with self._database.begin() as connection:
            connection.execute(_SAVE, self._row(account, pair, profile))

    def authorise(self, account: str, pair: TokenPair, profile: Mapping[str, str], *, replace: bool) -> None:
        """Keep what a buyer has just granted for this account; be inside `lock`.

        Raises Problem, and keeps nothing, for a buyer who is known under another name, and for another buyer than the
        account was of before, unless it is to `replace` that one.
        """
        row = self._row(account, pair, profile)
        with self._database.begin() as connection:
            connection.execute(_ALONE)
            known = {other.account: other.alibaba_user_id for other in connection.execute(_SAME, row)}
            user = row["user_id"]
            for name in known.keys() - {account}:
                raise Problem(
                    f"Alibaba.com user {user} is account {name} already",
                    f"Authorise it under that name: {login_command(name)}; or let go of that one first: "
                    f"dropship auth forget {name}",
                )
            before = known.get(account)
            if before is not None and user is not None and user != before:
                if not replace:
                    raise Problem(
                        f"Account {account} is Alibaba.com user {before}, and user {user} has just authorised the app",
                        "Authorise that one under a name of its own: --account NAME; or confirm that it takes the "
                        "place of the other: --replace",
                    )
                connection.execute(_NOBODYS, row)
            connection.execute(_SAVE, row)

    def forget(self, account: str) -> bool:
        """Let go of an account and its tokens; False where there is none. Waits for whoever renews them just now."""
        with self.lock(account), self._database.begin() as connection:
            return connection.execute(_FORGET, {"account": account}).scalar() is not None

    def note_use(self, account: str) -> None:
        """See `TokenVault`."""
        with self._database.begin() as connection:
            connection.execute(_USED, {"account": account})

    def _row(self, account: str, pair: TokenPair, profile: Mapping[str, str]) -> dict[str, object]:
        return {
            "account": account,
            "user_id": profile.get("user_id"),
            "havana_id": profile.get("havana_id"),
            "platform": profile.get("account_platform"),
            "access": self._encrypted(pair.access_token),
            "refresh": self._encrypted(pair.refresh_token),
            "expires_at": pair.expires_at,
            "refresh_expires_at": pair.refresh_expires_at,
        }

    def mark_for_reauthorisation(self, account: str, reason: str) -> None:
        """See `TokenVault`."""
        with self._database.begin() as connection:
            connection.execute(_MARK, {"account": account, "reason": reason})

    def accounts(self) -> list[AccountRow]:
        """Every account, by name, without its tokens."""
        with self._database.begin() as connection:
            return [AccountRow(*row) for row in connection.execute(_ACCOUNTS)]

    def _encrypted(self, token: str | None) -> bytes | None:
        return None if token is None else self._cipher.encrypt(token)
