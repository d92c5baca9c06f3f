"""Encryption at rest: the cipher for what must not be read from a stolen database, and where its key comes from.

What is encrypted, and in which columns, is not in here: see `accounts.py`.
"""

import base64
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from pydantic import SecretStr

from dropship_pipeline.problem import Problem

KEY_FILE = "secret.key"
SHORTEST_PASSPHRASE = 16

_GENERATE = 'python -c "import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())"'
# Not secret: it keeps a table of keys that was made for some other product from fitting this one.
_SALT = b"dropship_pipeline: tokens at rest"


class KeyProblem(Problem):
    """There is no key that could be used."""


class WrongKey(Problem):
    """What is stored was encrypted with another key."""


class Cipher:
    """Encrypts text with the first of its keys, and reads what any of them encrypted: that is how a key is rotated."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Each key: 32 random bytes in URL-safe base64, or a passphrase of at least 16 characters.

        Raises `KeyProblem` for none at all and for one that is too short.
        """
        if not keys:
            raise KeyProblem(
                "There is no key to encrypt tokens with", f"Set DROPSHIP_SECRET_KEY to what {_GENERATE} prints"
            )
        self._fernet = MultiFernet([_fernet(key) for key in keys])

    def __repr__(self) -> str:
        return "Cipher()"

    @classmethod
    def from_settings(cls, secret_key: SecretStr | None, home: Path, *, shared: bool) -> "Cipher":
        """The cipher of this deployment.

        `secret_key`: DROPSHIP_SECRET_KEY, several keys separated by commas, the newest first. Without it the key is in
        `home/secret.key` (0600), generated there the first time; but a database that is `shared` with other machines
        needs a key that they share too. Raises `KeyProblem`.
        """
        if secret_key is not None:
            return cls(_split(secret_key.get_secret_value()))
        if shared:
            raise KeyProblem(
                "DROPSHIP_SECRET_KEY is not set, and a shared database needs one that every machine has",
                f"Set it, on each of them to the same: {_GENERATE} prints a new one",
            )
        path = home / KEY_FILE
        try:
            return cls(_split(_read_or_generate(path)))
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not text"
            raise KeyProblem(
                f"The key in {path} cannot be read or made: {reason}",
                "Mend that, or set DROPSHIP_SECRET_KEY",
            ) from error
        except KeyProblem:
            raise KeyProblem(
                f"The key in {path} is no key",
                "Restore the file, or remove it and authorise again: dropship auth login",
            ) from None

    def encrypt(self, text: str) -> bytes:
        """The text, encrypted with the first key."""
        return self._fernet.encrypt(text.encode())

    def decrypt(self, data: bytes) -> str:
        """What was encrypted with any of the keys. Raises `WrongKey`."""
        try:
            return self._fernet.decrypt(data).decode()
        except InvalidToken:
            raise WrongKey(
                "The stored tokens were encrypted with another key than this one",
                f"Set DROPSHIP_SECRET_KEY (or {KEY_FILE} in DROPSHIP_HOME) to the key of that time; to the new one, a "
                "comma and that one if it was replaced. If it is lost, authorise again: dropship auth login",
            ) from None


def _split(keys: str) -> list[str]:
    return [key.strip() for key in keys.split(",") if key.strip()]


def _fernet(key: str) -> Fernet:
    try:
        return Fernet(key)
    except ValueError:
        pass
    if len(key) < SHORTEST_PASSPHRASE:
        raise KeyProblem(
            f"DROPSHIP_SECRET_KEY holds a key of fewer than {SHORTEST_PASSPHRASE} characters",
            f"Set it to what {_GENERATE} prints",
        )
    # 16 MB and some 40 ms a guess
    derived = Scrypt(salt=_SALT, length=32, n=2**14, r=8, p=1).derive(key.encode())
    return Fernet(base64.urlsafe_b64encode(derived))


def _read_or_generate(path: Path) -> str:
    """The key in the file. Of several processes that find none, one's is taken by all."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        mine = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        try:
            handle = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(Fernet.generate_key() + b"\n")
                file.flush()
                os.fsync(handle)
            with suppress(FileExistsError):  # unlike a rename, a link leaves another process's key alone
                os.link(mine, path)
        finally:
            mine.unlink(missing_ok=True)
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
    return path.read_text()
