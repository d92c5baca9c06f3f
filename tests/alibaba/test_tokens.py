"""When a token pair is renewed, by whom, and what happens when it cannot be."""

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from file_vault import FileVault
from scripted_gateway import Reply, ScriptedGateway, Seen, refusal

from dropship_pipeline.alibaba.client import Client
from dropship_pipeline.alibaba.dialect import DialectMemory
from dropship_pipeline.alibaba.errors import Permanent, TokenRefused, Transient, api_error
from dropship_pipeline.alibaba.gateway import Gateway
from dropship_pipeline.alibaba.rate import UNLIMITED, LocalCallBudget
from dropship_pipeline.alibaba.tokens import (
    AccountTokens,
    NoTokens,
    StaticTokens,
    TokenGrant,
    TokenPair,
    read_token_grant,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
GUIDE_ANSWER = {
    "access_token": "50000601c30atpedfgu3LVvik87Ixlsvle3mSoB7701ceb156fPunYZ43GBg",
    "refresh_token": "500016000300bwa2WteaQyfwBMnPxurcA0mXGhQdTt18356663CfcDTYpWoi",
    "expires_in": "864000",
    "refresh_expires_in": "5184000",
    "account_id": "7063844",
    "account": "buyer@example.com",
    "account_platform": "buyApp",
    "country": "sg",
    "user_info": {"country": "GLOBAL", "loginId": "buyer123", "user_id": "200042362", "seller_id": "1001"},
    "code": "0",
}


def pair(
    access: str = "access-1", *, ends_in: timedelta | None = timedelta(days=10), refresh: str | None = "refresh-1"
) -> TokenPair:
    return TokenPair(access, refresh, None if ends_in is None else NOW + ends_in, NOW + timedelta(days=60))


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


class Refreshes:
    """Stands for the gateway: each refresh gives the next pair, or raises what it is told to."""

    def __init__(self, clock: Clock, lifetime: timedelta = timedelta(days=10)) -> None:
        self.count = 0
        self.error: Exception | None = None
        self._clock = clock
        self._lifetime = lifetime

    def __call__(self, _stale: TokenPair) -> TokenGrant:
        self.count += 1
        if self.error is not None:
            raise self.error
        fresh = TokenPair(f"access-{self.count + 1}", "refresh-2", self._clock() + self._lifetime, None)
        return TokenGrant(fresh, {"account_id": "7"})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def vault(tmp_path: Path) -> FileVault:
    return FileVault(tmp_path)


def test_the_guides_answer_is_read_whole() -> None:
    grant = read_token_grant(GUIDE_ANSWER, NOW)
    assert grant.pair.access_token == GUIDE_ANSWER["access_token"]
    assert grant.pair.refresh_token == GUIDE_ANSWER["refresh_token"]
    assert grant.pair.expires_at == NOW + timedelta(days=10)
    assert grant.pair.refresh_expires_at == NOW + timedelta(days=60)
    assert grant.profile["user_id"] == "200042362"
    assert grant.profile["account_platform"] == "buyApp"
    assert not any(token in str(grant.profile) for token in (grant.pair.access_token, grant.pair.refresh_token))


def test_lifetimes_may_be_numbers_and_may_be_missing() -> None:
    grant = read_token_grant({"access_token": "a", "expires_in": 60}, NOW)
    assert grant.pair.expires_at == NOW + timedelta(minutes=1)
    assert read_token_grant({"access_token": "a"}, NOW).pair.expires_at is None
    assert read_token_grant({"access_token": "a", "expires_in": 10**18}, NOW).pair.expires_at is not None


def test_a_refresh_token_that_the_answer_leaves_out_is_kept() -> None:
    grant = read_token_grant({"access_token": "a2", "expires_in": 60}, NOW, pair())
    assert grant.pair.refresh_token == "refresh-1"
    assert grant.pair.refresh_expires_at == NOW + timedelta(days=60)


def test_refresh_expires_in_zero_means_that_it_cannot_be_refreshed() -> None:
    grant = read_token_grant({"access_token": "a", "refresh_token": "r", "refresh_expires_in": "0"}, NOW)
    assert not grant.pair.refreshable(NOW)


@pytest.mark.parametrize("payload", [None, [], {}, {"access_token": "null"}, {"access_token": None}])
def test_an_answer_without_a_token_is_an_error(payload: object) -> None:
    with pytest.raises(Permanent, match="no access token"):
        read_token_grant(payload, NOW)


def test_a_pair_is_due_half_an_hour_before_it_ends() -> None:
    assert not pair().needs_refresh(NOW)
    assert not pair(ends_in=timedelta(minutes=31)).needs_refresh(NOW)
    assert pair(ends_in=timedelta(minutes=30)).needs_refresh(NOW)
    assert not pair(ends_in=None).needs_refresh(NOW)


def test_a_valid_token_is_had_without_asking_twice(vault: FileVault, clock: Clock) -> None:
    vault.save("a", pair(), {})
    tokens = AccountTokens(vault, "a", refreshes := Refreshes(clock), clock)
    assert tokens.ready() is None
    assert tokens.access_token() == "access-1"
    assert tokens.ready() == "access-1"
    assert refreshes.count == 0


def test_a_token_is_refreshed_ahead_of_its_end_and_kept(vault: FileVault, clock: Clock) -> None:
    vault.save("a", pair(), {})
    tokens = AccountTokens(vault, "a", refreshes := Refreshes(clock), clock)
    tokens.access_token()
    clock.now += timedelta(days=10) - timedelta(minutes=30)
    assert tokens.ready() is None
    assert tokens.access_token() == "access-2"
    assert refreshes.count == 1
    kept = vault.load("a")
    assert kept is not None
    assert (kept.access_token, kept.refresh_token) == ("access-2", "refresh-2")


def test_a_pair_of_unknown_end_is_used_until_it_is_refused(vault: FileVault, clock: Clock) -> None:
    vault.save("a", TokenPair("access-1", "refresh-1"), {})
    tokens = AccountTokens(vault, "a", refreshes := Refreshes(clock), clock)
    clock.now += timedelta(days=400)
    assert tokens.access_token() == "access-1"
    assert tokens.renew("access-1") == "access-2"
    assert refreshes.count == 1


def test_what_another_process_refreshed_is_used(vault: FileVault, clock: Clock) -> None:
    vault.save("a", pair(), {})
    tokens = AccountTokens(vault, "a", refreshes := Refreshes(clock), clock)
    tokens.access_token()
    vault.save("a", pair("access-of-another"), {})
    assert tokens.renew("access-1") == "access-of-another"
    assert tokens.renew("access-1") == "access-of-another"
    assert refreshes.count == 0


def test_a_refresh_ahead_of_time_that_fails_in_passing_does_not_stop_the_work(vault: FileVault, clock: Clock) -> None:
    vault.save("a", pair(ends_in=timedelta(minutes=20)), {})
    refreshes = Refreshes(clock)
    refreshes.error = api_error("ServiceTimeout")
    tokens = AccountTokens(vault, "a", refreshes, clock)
    assert tokens.access_token() == "access-1"
    assert tokens.access_token() == "access-1"
    assert refreshes.count == 1, "not tried again at every call"
    clock.now += timedelta(minutes=2)
    refreshes.error = None
    assert tokens.access_token() == "access-3"


def test_a_token_that_has_ended_and_cannot_be_refreshed_now_is_an_error(vault: FileVault, clock: Clock) -> None:
    vault.save("a", pair(ends_in=timedelta(minutes=-1)), {})
    refreshes = Refreshes(clock)
    refreshes.error = api_error("ServiceTimeout")
    with pytest.raises(Transient):
        AccountTokens(vault, "a", refreshes, clock).access_token()
    assert vault.marks("a") == []


def test_tokens_that_live_for_minutes_are_not_refreshed_at_every_call(vault: FileVault, clock: Clock) -> None:
    vault.save("a", pair(ends_in=timedelta(minutes=10)), {})
    tokens = AccountTokens(vault, "a", refreshes := Refreshes(clock, timedelta(minutes=10)), clock)
    for _ in range(40):
        tokens.access_token()
        clock.now += timedelta(seconds=30)
    assert refreshes.count == 3


def test_a_pair_that_cannot_be_refreshed_is_used_to_its_end(vault: FileVault, clock: Clock) -> None:
    vault.save("a", pair(ends_in=timedelta(minutes=20), refresh=None), {})
    tokens = AccountTokens(vault, "a", Refreshes(clock), clock)
    assert tokens.access_token() == "access-1"
    clock.now += timedelta(minutes=21)
    with pytest.raises(TokenRefused, match="dropship auth login"):
        tokens.access_token()


@pytest.mark.parametrize("code", ["IllegalRefreshToken", "IllegalAccessToken", "4242"])
def test_a_refused_refresh_marks_the_account_and_says_what_to_do(vault: FileVault, clock: Clock, code: str) -> None:
    vault.save("a", pair(), {})
    refreshes = Refreshes(clock)
    refreshes.error = api_error(code, "gateway's own words")
    tokens = AccountTokens(vault, "a", refreshes, clock)
    for _ in range(3):
        with pytest.raises(TokenRefused, match="gateway's own words") as raised:
            tokens.renew("access-1")
    assert "dropship auth login" in str(raised.value)
    assert refreshes.count == 1, "one refusal is enough"
    assert len(vault.marks("a")) == 1
    vault.save("a", pair("access-after-login"), {})
    assert tokens.renew("access-1") == "access-after-login"


def test_a_wrong_app_secret_says_nothing_about_the_token(vault: FileVault, clock: Clock) -> None:
    vault.save("a", pair(), {})
    refreshes = Refreshes(clock)
    refreshes.error = api_error("IncompleteSignature")
    with pytest.raises(Permanent):
        AccountTokens(vault, "a", refreshes, clock).renew("access-1")
    assert vault.marks("a") == []


def test_a_token_refused_even_after_renewal_marks_the_account_unless_it_was_replaced(
    vault: FileVault, clock: Clock
) -> None:
    vault.save("a", pair(), {})
    tokens = AccountTokens(vault, "a", Refreshes(clock), clock)
    tokens.give_up("an-older-one", "refused")
    assert vault.marks("a") == []
    tokens.give_up("access-1", "refused")
    assert vault.marks("a") == ["refused"]


def test_an_account_without_tokens_says_how_to_get_some(vault: FileVault, clock: Clock) -> None:
    with pytest.raises(TokenRefused, match="dropship auth login"):
        AccountTokens(vault, "nobody", Refreshes(clock), clock).access_token()
    with pytest.raises(TokenRefused, match="dropship auth login"):
        NoTokens().access_token()
    with pytest.raises(TokenRefused, match="dropship auth login"):
        StaticTokens("t").renew("t")


def test_threads_that_meet_a_stale_token_refresh_it_once(vault: FileVault, clock: Clock) -> None:
    vault.save("a", pair(), {})
    tokens = AccountTokens(vault, "a", refreshes := Refreshes(clock), clock)
    with ThreadPoolExecutor(16) as pool:
        renewed = set(pool.map(lambda _: tokens.renew("access-1"), range(64)))
    assert renewed == {"access-2"}
    assert refreshes.count == 1


def _refresh_in_a_process(directory: Path, url: str) -> str:
    gateway = Gateway(url, "1", "s", DialectMemory(), NoTokens(), LocalCallBudget(UNLIMITED, UNLIMITED))
    with Client(gateway) as client:
        return AccountTokens(FileVault(directory), "a", client.refresh_token).renew("access-1")


def test_processes_that_meet_a_stale_token_refresh_it_once(vault: FileVault) -> None:
    issued = iter(range(2, 100))

    def script(seen: Seen) -> Reply:
        number = next(issued)
        return Reply({"access_token": f"access-{number}", "expires_in": "864000", "code": "0"}, delay=0.2)

    vault.save("a", TokenPair("access-1", "refresh-1"), {})
    context = multiprocessing.get_context("spawn")
    with ScriptedGateway(script) as server, context.Pool(4) as pool:
        renewed = pool.starmap(_refresh_in_a_process, [(vault.directory, server.url)] * 4)
        pool.close()  # left alone, it would be told to end by a signal, which children of this process may ignore
        pool.join()
    assert set(renewed) == {"access-2"}
    assert [seen.params["refresh_token"] for seen in server.seen] == ["refresh-1"]


def test_a_lost_refresh_answer_is_asked_for_again(vault: FileVault) -> None:
    replies = iter([Reply(status=0), Reply({"access_token": "access-2", "code": "0"})])
    vault.save("a", TokenPair("access-1", "refresh-1"), {})
    with ScriptedGateway(lambda _seen: next(replies)) as server:
        assert _refresh_in_a_process(vault.directory, server.url) == "access-2"
    assert len(server.seen) == 2


def test_a_refused_refresh_over_http_tells_the_gateways_words(vault: FileVault) -> None:
    vault.save("a", TokenPair("access-1", "refresh-1"), {})
    with (
        ScriptedGateway(lambda _seen: refusal("IllegalRefreshToken", "refresh-1 has ended")) as server,
        pytest.raises(TokenRefused, match=r"IllegalRefreshToken \*\*\* has ended"),
    ):
        _refresh_in_a_process(vault.directory, server.url)
