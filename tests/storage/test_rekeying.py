"""Rotation of the key: everything encrypted gets the newest one, whatever kills it on its way, and nothing is lost."""

import multiprocessing
import random
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from deployment import clean_environment
from sqlalchemy import text

from dropship_pipeline.alibaba.tokens import TokenPair
from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.ops.accounts import AccountVault
from dropship_pipeline.storage.ops.rekeying import ENCRYPTED, rekey, rekey_with_new
from dropship_pipeline.storage.ops.secrets import KEY_FILE, Cipher, WrongKey
from dropship_pipeline.storage.server.database import Database

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def fill(database: Database, cipher: Cipher, accounts: int = 3) -> dict[str, tuple[str, str | None]]:
    """Accounts with tokens, and a placement whose recipient is kept; what should be read of them afterwards."""
    vault = AccountVault(database, cipher)
    for number in range(accounts):
        vault.save(f"account {number}", TokenPair(f"access {number}", f"refresh {number}"), {})
    with database.begin() as connection:
        connection.execute(
            text("""
                INSERT INTO orders.placements (channel_refer_id, account, state, request, recipient, fingerprint,
                    likeness, sends, created_at, updated_at)
                VALUES ('R1', 'account 0', 'planned', '{}', :recipient, '', '', 0, now(), now())"""),
            {"recipient": cipher.encrypt("to somebody")},
        )
    return read(database, cipher)


def read(database: Database, cipher: Cipher) -> dict[str, tuple[str, str | None]]:
    vault = AccountVault(database, cipher)
    pairs = {row.account: vault.load(row.account) for row in vault.accounts()}
    found = {name: (pair.access_token, pair.refresh_token) for name, pair in pairs.items() if pair is not None}
    with database.begin() as connection:
        [recipient] = connection.exec_driver_sql("SELECT recipient FROM orders.placements").scalars()
    return {**found, "R1": (cipher.decrypt(bytes(recipient)), None)}


def test_everything_encrypted_is_of_the_newest_key_afterwards(database: Database) -> None:
    before = fill(database, Cipher([OLD]))
    assert before["account 2"] == ("access 2", "refresh 2")
    assert rekey(database, Cipher([NEW, OLD])) == 7
    assert read(database, Cipher([NEW])) == before
    with pytest.raises(WrongKey):
        read(database, Cipher([OLD]))
    assert rekey(database, Cipher([NEW, OLD])) == 0


def test_a_value_that_no_key_reads_is_named_and_nothing_is_changed(database: Database) -> None:
    before = fill(database, Cipher([OLD]))
    lost = Cipher([Fernet.generate_key().decode()])
    AccountVault(database, lost).save("stranger", TokenPair("unknown", None), {})
    with pytest.raises(WrongKey, match=r"access_token of 'stranger' in ops\.accounts is of a key that is not given"):
        rekey(database, Cipher([NEW, OLD]))
    AccountVault(database, lost).forget("stranger")
    assert read(database, Cipher([OLD])) == before


def test_every_column_of_bytes_is_known_to_be_encrypted() -> None:
    assert [f"{table.full_name}.{column.name}" for table, column in ENCRYPTED] == [
        "orders.placements.recipient", "ops.accounts.access_token", "ops.accounts.refresh_token"
    ]  # fmt: skip
    for table, column in ENCRYPTED:
        assert "ncrypted" in column.comment + table.comment


def test_a_key_in_the_home_is_replaced_and_processes_at_work_notice(database: Database, tmp_path: Path) -> None:
    at_work = Cipher.from_settings(None, tmp_path, shared=False)
    first = (tmp_path / KEY_FILE).read_text().strip()
    before = fill(database, at_work)
    assert rekey_with_new(database, tmp_path) == 7
    keys = (tmp_path / KEY_FILE).read_text().strip().split(",")
    assert keys[1:] == [first]
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]
    assert read(database, Cipher(keys[:1])) == before
    assert read(database, at_work) == before
    assert Cipher(keys[:1]).decrypt(at_work.encrypt("later")) == "later"

    rekey_with_new(database, tmp_path)
    assert first not in (tmp_path / KEY_FILE).read_text()
    assert read(database, at_work) == before


def test_however_it_is_killed_nothing_becomes_unreadable_and_the_next_one_finishes(
    database: Database, tmp_path: Path
) -> None:
    before = fill(database, Cipher.from_settings(None, tmp_path, shared=False), accounts=40)
    with database.begin() as connection:  # so that there is a middle in which it can be killed
        connection.exec_driver_sql("""
            CREATE FUNCTION ops.slow() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN PERFORM pg_sleep(0.004); RETURN new; END $$;
            CREATE TRIGGER slow BEFORE UPDATE ON ops.accounts FOR EACH ROW EXECUTE FUNCTION ops.slow()""")
    luck = random.Random(7)
    keys = (tmp_path / KEY_FILE).read_text()
    began, killed = 0, 0
    for _ in range(6):
        database.close()
        process = multiprocessing.get_context("fork").Process(target=rekeyed, args=(database.libpq_url, tmp_path))
        process.start()
        time.sleep(luck.uniform(0.02, 0.3))
        process.kill()
        process.join()
        killed += process.exitcode != 0
        began += (tmp_path / KEY_FILE).read_text() != keys
        assert read(database, Cipher.from_settings(None, tmp_path, shared=False)) == before
    assert began
    assert killed
    rekey_with_new(database, tmp_path)
    newest, *others = (tmp_path / KEY_FILE).read_text().strip().split(",")
    assert read(database, Cipher([newest])) == before
    assert len(others) == 1


def rekeyed(url: str, home: Path) -> None:
    rekey_with_new(Database(url), home)


def test_two_at_once_take_turns(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import timedelta

    from dropship_pipeline.storage.ops import rekeying
    from dropship_pipeline.storage.server.locks import hold

    fill(database, Cipher.from_settings(None, tmp_path, shared=False))
    monkeypatch.setattr(rekeying, "_WAIT", timedelta(0))
    with (
        hold(database, "rekey", timedelta(0), Problem("")),
        pytest.raises(Problem, match="just replacing the key"),
    ):
        rekey_with_new(Database(database.libpq_url), tmp_path)


def test_the_command_rotates_the_keys_of_the_environment(
    database: Database, tmp_path: Path, type_db: Callable[..., str]
) -> None:
    before = fill(database, Cipher([OLD]))
    told = type_db("rekey", {"DROPSHIP_DATABASE_URL": database.libpq_url, "DROPSHIP_SECRET_KEY": f"{NEW},{OLD}"})
    assert told.startswith("7 of the encrypted values were of an older key.")
    assert NEW not in told
    assert read(database, Cipher([NEW])) == before


@pytest.fixture
def type_db(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    import os

    from dropship_pipeline.cli.commands import run

    def type_one(command: str, variables: dict[str, str]) -> str:
        for name in set(os.environ) - set(clean_environment()):
            monkeypatch.delenv(name)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        assert run(["db", command]) == 0
        return capfd.readouterr().out

    return type_one
