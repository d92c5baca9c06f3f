"""The vault: what it keeps, that nobody can read it, and who may change it when."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from dropship_pipeline.alibaba.tokens import AccountTokens, TokenGrant, TokenPair
from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.ops.accounts import AccountVault
from dropship_pipeline.storage.ops.secrets import Cipher, WrongKey
from dropship_pipeline.storage.server.database import Database

SOON = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
PAIR = TokenPair("access-1", "refresh-1", SOON, SOON + timedelta(days=30))


@pytest.fixture
def vault(database: Database) -> AccountVault:
    return AccountVault(database, Cipher([Fernet.generate_key().decode()]))


def stored(database: Database, column: str = "accounts.*::text") -> str:
    with database.begin() as connection:
        return str(connection.exec_driver_sql(f"SELECT {column} FROM ops.accounts").scalar())


def test_a_pair_is_read_back_as_it_was_saved(vault: AccountVault) -> None:
    assert vault.load("default") is None
    vault.save("default", PAIR, {})
    assert vault.load("default") == PAIR
    vault.save("default", TokenPair("access-2"), {})
    assert vault.load("default") == TokenPair("access-2")
    assert vault.load("other") is None


def test_the_database_holds_no_token_in_the_clear(vault: AccountVault, database: Database) -> None:
    vault.save("default", PAIR, {"user_id": "200042362"})
    row = stored(
        database, "convert_from(access_token, 'UTF8') || convert_from(refresh_token, 'UTF8') || accounts::text"
    )
    assert "200042362" in row
    assert "access-1" not in row
    assert "refresh-1" not in row


def test_who_the_account_is_stays_when_a_refresh_does_not_tell_it(vault: AccountVault) -> None:
    vault.save("default", PAIR, {"user_id": "1", "havana_id": "2", "account_platform": "buyApp", "country": "us"})
    vault.save("default", TokenPair("access-2", "refresh-2"), {"user_id": "1"})
    (row,) = vault.accounts()
    assert (row.alibaba_user_id, row.havana_id, row.account_platform) == ("1", "2", "buyApp")
    assert row.access_token_expires_at is None


def test_an_account_to_authorise_again_says_why_until_it_is(vault: AccountVault) -> None:
    vault.save("default", PAIR, {})
    vault.mark_for_reauthorisation("default", "the refresh token has ended")
    (row,) = vault.accounts()
    assert (row.state, row.reason) == ("reauthorise", "the refresh token has ended")
    vault.save("default", PAIR, {})
    (row,) = vault.accounts()
    assert (row.state, row.reason) == ("active", None)


def test_what_is_shown_of_accounts_holds_no_token(vault: AccountVault) -> None:
    vault.save("default", PAIR, {})
    shown = repr(vault.accounts())
    assert "default" in shown
    assert "access-1" not in shown
    assert "refresh-1" not in shown


def seed(vault: AccountVault, access: str | None, refresh: str | None) -> None:
    vault.seed("default", SecretStr(access) if access else None, SecretStr(refresh) if refresh else None)


def test_the_environments_tokens_seed_an_account_once(vault: AccountVault) -> None:
    seed(vault, "env-1", "env-r1")
    assert vault.load("default") == TokenPair("env-1", "env-r1")
    vault.save("default", PAIR, {})
    seed(vault, "env-1", "env-r1")
    assert vault.load("default") == PAIR


def test_new_tokens_in_the_environment_seed_it_again(vault: AccountVault) -> None:
    seed(vault, "env-1", "env-r1")
    vault.save("default", PAIR, {"user_id": "7"})
    vault.mark_for_reauthorisation("default", "ended")
    seed(vault, "env-2", None)
    assert vault.load("default") == TokenPair("env-2")
    (row,) = vault.accounts()
    assert (row.state, row.reason, row.alibaba_user_id) == ("active", None, "7")


def test_an_environment_without_tokens_changes_nothing(vault: AccountVault) -> None:
    seed(vault, None, None)
    assert vault.accounts() == []
    vault.save("default", PAIR, {})
    seed(vault, None, None)
    assert vault.load("default") == PAIR


def test_a_refresh_token_alone_is_refreshed_before_the_first_call(vault: AccountVault) -> None:
    seed(vault, None, "env-r1")
    asked = []

    def refresh(pair: TokenPair) -> TokenGrant:
        asked.append(pair.refresh_token)
        return TokenGrant(PAIR, {})

    assert AccountTokens(vault, "default", refresh).access_token() == "access-1"
    assert asked == ["env-r1"]


def test_a_lost_key_is_said_and_new_tokens_mend_it(vault: AccountVault, database: Database) -> None:
    vault.save("default", PAIR, {})
    other = AccountVault(database, Cipher([Fernet.generate_key().decode()]))
    with pytest.raises(WrongKey):
        other.load("default")
    other.save("default", PAIR, {})
    assert other.load("default") == PAIR


def test_one_holds_the_lock_of_an_account_at_a_time(vault: AccountVault) -> None:
    inside: list[int] = []
    most = []

    def work(number: int) -> None:
        with vault.lock("default"):
            inside.append(number)
            most.append(len(inside))
            time.sleep(0.02)
            inside.remove(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 6


def test_accounts_do_not_wait_for_each_other(database: Database, vault: AccountVault) -> None:
    impatient = AccountVault(database, Cipher(["x" * 20]), lock_wait=timedelta(milliseconds=200))
    with vault.lock("one"), impatient.lock("two"):
        pass


def test_whoever_waits_too_long_for_the_lock_is_told_what_to_do(database: Database, vault: AccountVault) -> None:
    impatient = AccountVault(database, Cipher(["x" * 20]), lock_wait=timedelta(milliseconds=200))
    with (
        vault.lock("default"),
        pytest.raises(Problem, match=r"tokens of account default for 0\.2 seconds.*pg_locks"),
        impatient.lock("default"),
    ):
        pytest.fail("two are inside")
    with impatient.lock("default"):
        pass


def test_an_error_inside_gives_the_lock_back(vault: AccountVault) -> None:
    with pytest.raises(ZeroDivisionError), vault.lock("default"):
        _ = 1 / 0
    with vault.lock("default"):
        pass


def test_a_killed_process_does_not_keep_the_lock(database: Database, vault: AccountVault) -> None:
    code = (
        "import sys, time; from dropship_pipeline.storage.ops.accounts import AccountVault;"
        "from dropship_pipeline.storage.server.database import Database;"
        "from dropship_pipeline.storage.ops.secrets import Cipher;"
        "lock = AccountVault(Database(sys.argv[1]), Cipher(['x' * 20])).lock('default'); lock.__enter__();"
        "print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, database.libpq_url], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        os.kill(process.pid, signal.SIGKILL)
        began = time.monotonic()
        with vault.lock("default"):
            assert time.monotonic() - began < 5


def test_a_buyer_goes_by_one_name(vault: AccountVault) -> None:
    vault.authorise("default", PAIR, {"user_id": "1"}, replace=False)
    for replace in (False, True):
        with pytest.raises(Problem, match=r"user 1 is account default already.*auth login; .*auth forget default"):
            vault.authorise("shop", TokenPair("access-2"), {"user_id": "1"}, replace=replace)
    assert [row.account for row in vault.accounts()] == ["default"]
    vault.authorise("shop", TokenPair("access-2"), {"user_id": "2"}, replace=False)
    vault.authorise("default", TokenPair("access-3"), {"user_id": "1"}, replace=False)
    assert vault.load("default") == TokenPair("access-3")


def test_of_two_who_give_one_buyer_two_names_at_once_one_is_refused(vault: AccountVault) -> None:
    def authorise(name: str) -> bool:
        try:
            vault.authorise(name, PAIR, {"user_id": "1"}, replace=False)
        except Problem:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(authorise, ("a", "b", "c", "d"))) == 1
    assert len(vault.accounts()) == 1


def test_an_account_becomes_another_buyers_only_where_that_is_confirmed(vault: AccountVault) -> None:
    vault.authorise("default", PAIR, {"user_id": "1", "havana_id": "11", "account_platform": "old"}, replace=False)
    vault.note_use("default")
    with pytest.raises(Problem, match=r"default is Alibaba.com user 1, and user 2 has.*--account NAME.*--replace"):
        vault.authorise("default", TokenPair("access-2"), {"user_id": "2"}, replace=False)
    assert vault.load("default") == PAIR
    vault.authorise("default", TokenPair("access-2"), {"user_id": "2"}, replace=True)
    assert vault.load("default") == TokenPair("access-2")
    (row,) = vault.accounts()
    assert (row.alibaba_user_id, row.havana_id, row.account_platform, row.last_used_at) == ("2", None, None, None)


def test_a_buyer_of_whom_only_tokens_were_known_is_taken_for_the_one_who_logs_in(vault: AccountVault) -> None:
    seed(vault, "env-1", "env-r1")
    vault.authorise("default", PAIR, {"user_id": "1"}, replace=False)
    (row,) = vault.accounts()
    assert row.alibaba_user_id == "1"
    seed(vault, "env-1", "env-r1")
    assert vault.load("default") == PAIR, "the environment's are older"


def test_a_forgotten_account_is_gone_and_its_buyer_may_go_by_another_name(vault: AccountVault) -> None:
    vault.authorise("shop", PAIR, {"user_id": "1"}, replace=False)
    assert vault.forget("shop")
    assert not vault.forget("shop")
    assert vault.load("shop") is None
    vault.authorise("lakeshore", PAIR, {"user_id": "1"}, replace=False)
    assert [row.account for row in vault.accounts()] == ["lakeshore"]


def test_it_is_known_when_an_account_was_last_used(vault: AccountVault) -> None:
    vault.save("default", PAIR, {})
    vault.load("default")
    assert vault.accounts()[0].last_used_at is None
    assert AccountTokens(vault, "default", lambda _: TokenGrant(PAIR, {})).access_token() == "access-1"
    used = vault.accounts()[0].last_used_at
    assert used is not None
    assert abs(used - datetime.now(UTC)) < timedelta(minutes=1)
