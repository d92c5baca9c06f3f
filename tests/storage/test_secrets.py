"""Encryption at rest: keys, where they come from, and what a person reads when one does not fit."""

import stat
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.ops.secrets import KEY_FILE, Cipher, KeyProblem, WrongKey

TOKEN = "50000601c30atpedfgu3LVvik87Ixlsvle3mSoB7701ceb156fPunYZ43GBg"


def key() -> str:
    return Fernet.generate_key().decode()


def test_what_was_encrypted_is_read_back_and_does_not_show() -> None:
    cipher = Cipher([key()])
    encrypted = cipher.encrypt(TOKEN)
    assert TOKEN.encode() not in encrypted
    assert cipher.decrypt(encrypted) == TOKEN
    assert cipher.encrypt(TOKEN) != encrypted


def test_an_old_key_after_a_comma_still_reads_and_the_first_one_encrypts(tmp_path: Path) -> None:
    old, new = key(), key()
    before = Cipher([old]).encrypt(TOKEN)
    rotated = Cipher.from_settings(SecretStr(f"{new}, {old}"), tmp_path, shared=True)
    assert rotated.decrypt(before) == TOKEN
    assert Cipher([new]).decrypt(rotated.encrypt(TOKEN)) == TOKEN


def test_a_wrong_key_is_named_with_its_remedy() -> None:
    encrypted = Cipher([key()]).encrypt(TOKEN)
    with pytest.raises(WrongKey, match=r"another key.*DROPSHIP_SECRET_KEY.*dropship auth login") as caught:
        Cipher([key()]).decrypt(encrypted)
    assert TOKEN not in str(caught.value)


def test_bytes_that_nobody_encrypted_are_refused() -> None:
    with pytest.raises(WrongKey):
        Cipher([key()]).decrypt(TOKEN.encode())


def test_a_passphrase_is_a_key_too_and_another_one_does_not_fit() -> None:
    encrypted = Cipher(["correct horse battery staple"]).encrypt(TOKEN)
    assert Cipher(["correct horse battery staple"]).decrypt(encrypted) == TOKEN
    with pytest.raises(WrongKey):
        Cipher(["correct horse battery stapler"]).decrypt(encrypted)


@pytest.mark.parametrize("keys", ["short", f"short,{'x' * 44}", ",", " "])
def test_no_key_or_a_short_one_is_refused_without_showing_it(tmp_path: Path, keys: str) -> None:
    with pytest.raises(KeyProblem, match=r"Set (it|DROPSHIP_SECRET_KEY) to what") as caught:
        Cipher.from_settings(SecretStr(keys), tmp_path, shared=False)
    assert "short," not in str(caught.value)


def test_the_command_in_the_remedy_prints_a_key() -> None:
    import subprocess
    import sys

    with pytest.raises(KeyProblem) as caught:
        Cipher([])
    code = caught.value.remedy.split('-c "')[1].split('" prints')[0]
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    Fernet(printed.strip())


def test_a_key_is_generated_once_for_this_user_alone(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    encrypted = Cipher.from_settings(None, home, shared=False).encrypt(TOKEN)
    assert Cipher.from_settings(None, home, shared=False).decrypt(encrypted) == TOKEN
    assert stat.S_IMODE((home / KEY_FILE).stat().st_mode) == 0o600
    assert [path.name for path in home.iterdir()] == [KEY_FILE]


def test_a_key_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_text(key())
    (tmp_path / KEY_FILE).chmod(0o644)
    Cipher.from_settings(None, tmp_path, shared=False)
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600


def _encrypt_in(home: Path) -> bytes:
    return Cipher.from_settings(None, home, shared=False).encrypt(TOKEN)


def test_processes_that_start_together_end_with_one_key(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4) as pool:
        encrypted = list(pool.map(_encrypt_in, [tmp_path] * 8))
    cipher = Cipher.from_settings(None, tmp_path, shared=False)
    assert [cipher.decrypt(data) for data in encrypted] == [TOKEN] * 8


def test_a_shared_database_needs_a_key_that_is_shared_too(tmp_path: Path) -> None:
    with pytest.raises(KeyProblem, match="DROPSHIP_SECRET_KEY is not set"):
        Cipher.from_settings(None, tmp_path, shared=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"gar\xff\xfebage", b"torn"])
def test_a_damaged_key_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / KEY_FILE).write_bytes(content)
    with pytest.raises(Problem, match=KEY_FILE):
        Cipher.from_settings(None, tmp_path, shared=False)


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(KeyProblem, match=r"file/home/secret\.key cannot be read or made: Not a directory"):
        Cipher.from_settings(None, tmp_path / "file" / "home", shared=False)


def test_a_cipher_does_not_show_its_keys() -> None:
    secret = key()
    assert secret not in repr(Cipher([secret]))
