"""Tokens are kept alive while nobody calls the API, and a person is told in time where they cannot be."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from deployment import SECRET_KEY, Deployment

from dropship_pipeline.alibaba.tokens import TokenPair
from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.ops.accounts import AccountVault
from dropship_pipeline.storage.ops.secrets import Cipher
from dropship_pipeline.sync.accounts.token_refresh import KeptAccount, Outcome, refresh_accounts

Deploy = Callable[..., Deployment]

NO_TOKENS = {"ALIBABA_ACCESS_TOKEN": "", "ALIBABA_REFRESH_TOKEN": ""}
DAY = timedelta(days=1)


class Accounts:
    """A merchant's accounts, each with tokens of the simulated Alibaba.com that last as long as a test says."""

    def __init__(self, merchant: Deployment) -> None:
        self.merchant = merchant
        self.vault = AccountVault(merchant.database, Cipher([SECRET_KEY]))
        self.granted = merchant.sandbox.env["ALIBABA_ACCESS_TOKEN"], merchant.sandbox.env["ALIBABA_REFRESH_TOKEN"]

    def add(self, account: str, access: timedelta | None, refresh: timedelta | None, **tokens: str | None) -> None:
        now = datetime.now(UTC)
        pair = TokenPair(
            self.granted[0],
            tokens.get("refresh_token", self.granted[1]),
            None if access is None else now + access,
            None if refresh is None else now + refresh,
        )
        self.vault.save(account, pair, {})

    def kept(self) -> dict[str, KeptAccount]:
        return {account.account: account for account in refresh_accounts(self.merchant.settings)}

    def access_token(self, account: str) -> str:
        pair = self.vault.load(account)
        assert pair is not None
        return pair.access_token

    def refreshes(self) -> int:
        return len(self.merchant.sandbox.control("log?path=/auth/token/refresh")["calls"])


@pytest.fixture
def accounts(deploy: Deploy) -> Accounts:
    return Accounts(deploy(variables=NO_TOKENS, products=1))


def test_what_ends_within_a_day_is_refreshed_and_what_lasts_is_not(accounts: Accounts) -> None:
    accounts.add("ends soon", access=DAY * 0.9, refresh=50 * DAY)
    accounts.add("lasts", access=9 * DAY, refresh=50 * DAY)
    kept = accounts.kept()
    assert [kept[name].outcome for name in ("ends soon", "lasts")] == [Outcome.REFRESHED, Outcome.LASTS]
    assert accounts.access_token("ends soon") != accounts.granted[0]
    assert accounts.access_token("lasts") == accounts.granted[0]
    until = kept["ends soon"].access_until
    assert until is not None
    assert until > datetime.now(UTC) + 9 * DAY
    assert accounts.refreshes() == 1
    assert accounts.kept()["ends soon"].outcome is Outcome.LASTS
    assert accounts.refreshes() == 1


def test_a_refresh_token_that_ends_within_a_week_is_renewed_although_the_access_token_lasts(
    accounts: Accounts,
) -> None:
    accounts.add("idle", access=300 * DAY, refresh=6 * DAY)
    assert accounts.kept()["idle"].outcome is Outcome.REFRESHED
    assert accounts.refreshes() == 1


@pytest.mark.parametrize(
    ("refresh", "tokens"),
    [(timedelta(0), {}), (None, {"refresh_token": None})],
    ids=["one that the gateway does not renew", "without a refresh token"],
)
def test_a_person_is_told_a_week_before_tokens_run_out_that_cannot_be_refreshed(
    accounts: Accounts, refresh: timedelta | None, tokens: dict[str, str | None]
) -> None:
    accounts.add("soon", 6 * DAY, refresh, **tokens)
    accounts.add("later", 8 * DAY, refresh, **tokens)
    kept = accounts.kept()
    assert kept["later"].outcome is Outcome.LASTS
    assert kept["soon"].outcome is Outcome.RUNS_OUT
    assert kept["soon"].access_until is not None
    assert f"{kept['soon'].access_until:%Y-%m-%d %H:%M}Z" in kept["soon"].said
    assert "dropship auth login" in kept["soon"].said
    assert accounts.refreshes() == 0


def test_what_is_refused_is_marked_and_told_once_and_the_others_are_kept(accounts: Accounts) -> None:
    accounts.add("refused", DAY / 2, 50 * DAY, refresh_token="50001600thisoneisnotknownatall")
    accounts.add("ended", -DAY, -DAY)
    accounts.add("well", DAY / 2, 50 * DAY)
    first, second = accounts.kept(), accounts.kept()
    for account in ("refused", "ended"):
        assert first[account].outcome is second[account].outcome is Outcome.REAUTHORISE
        assert (first[account].new, second[account].new) == (True, False)
        assert "dropship auth login" in first[account].said
        assert "dropship auth login" in second[account].said
    assert first["well"].outcome is Outcome.REFRESHED
    states = {row["account"]: row["state"] for row in accounts.merchant.rows("SELECT * FROM ops.accounts")}
    assert states == {"refused": "reauthorise", "ended": "reauthorise", "well": "active"}
    assert accounts.refreshes() == 2, "what was refused is not asked again"
    shown = str([*first.values(), *second.values()])
    for secret in ("thisoneisnotknown", *accounts.granted, accounts.access_token("well")):
        assert secret not in shown


def test_a_gateway_that_fails_leaves_the_tokens_as_they_were(accounts: Accounts) -> None:
    accounts.add("default", DAY / 2, 50 * DAY)
    accounts.merchant.sandbox.control("faults", {"fault": "refuse:code=InvalidAppKey:path=/auth/token/refresh"})
    failed = accounts.kept()["default"]
    assert failed.outcome is Outcome.FAILED
    assert accounts.merchant.value("SELECT state FROM ops.accounts") == "active"
    accounts.merchant.sandbox.control("faults", method="DELETE")
    assert accounts.kept()["default"].outcome is Outcome.REFRESHED


def test_tokens_of_the_environment_are_left_alone_for_nobody_knows_when_they_end(deploy: Deploy) -> None:
    accounts = Accounts(deploy(products=1))
    [kept] = accounts.kept().values()
    assert (kept.account, kept.outcome) == ("default", Outcome.UNKNOWN)
    assert accounts.refreshes() == 0


def test_there_is_nothing_to_do_without_credentials_and_nothing_is_started(deploy: Deploy) -> None:
    merchant = deploy(variables=dict.fromkeys(("ALIBABA_APP_KEY", "ALIBABA_APP_SECRET"), ""), products=1)
    assert refresh_accounts(merchant.settings) == []
    assert merchant.rows("SELECT * FROM ops.accounts") == []


def test_a_simulated_account_is_not_taken_to_a_real_gateway(accounts: Accounts) -> None:
    with accounts.merchant.database.begin() as connection:
        connection.exec_driver_sql("INSERT INTO ops.origin (the_one, origin, since) VALUES (true, 'simulated', now())")
    accounts.add("simulated", DAY / 2, 50 * DAY)
    with pytest.raises(Problem, match="simulated"):
        accounts.kept()
    assert accounts.refreshes() == 0
