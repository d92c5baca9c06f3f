"""Encryption at rest: the cipher for what must not be read from a stolen database, and where its key comes from.

What is encrypted, and in which columns, is not in here: see `accounts.py`, and `storage/orders/placements.py` for
recipients. How all of it gets another key is in `rekeying.py`.
"""

import base64
import os
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
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

    def __init__(self, keys: Sequence[str], current: Callable[[], Sequence[str]] | None = None) -> None:
        """Each key: 32 random bytes in URL-safe base64, or a passphrase of at least 16 characters.

        `current`, if given, is asked for the keys each time that they are used: another process may have replaced them.
        Raises `KeyProblem` for none at all and for one that is too short.
        """
        if not keys:
            raise KeyProblem(
                "There is no key to encrypt tokens with", f"Set DROPSHIP_SECRET_KEY to what {_GENERATE} prints"
            )
        self._first = _fernets(tuple(keys))
        self._current = current

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
            return cls(_split(_read_or_generate(path)), lambda: _split(path.read_text()))
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
        return MultiFernet(self._fernets()).encrypt(text.encode())

    def decrypt(self, data: bytes) -> str:
        """What was encrypted with any of the keys. Raises `WrongKey`."""
        try:
            return MultiFernet(self._fernets()).decrypt(data).decode()
        except InvalidToken:
            raise _wrong_key() from None

    def renewed(self, data: bytes) -> bytes | None:
        """The same, encrypted with the first key; None where it is already. Raises `WrongKey`."""
        newest, *_ = fernets = self._fernets()
        try:
            newest.decrypt(data)
        except InvalidToken:
            pass
        else:
            return None
        try:
            return MultiFernet(fernets).rotate(data)
        except InvalidToken:
            raise _wrong_key() from None

    def _fernets(self) -> tuple[Fernet, ...]:
        if self._current is None:
            return self._first
        try:
            return _fernets(tuple(self._current())) or self._first
        except (OSError, UnicodeDecodeError, KeyProblem):
            return self._first  # the file is gone or damaged: what was read when this was opened still holds


def put_new_key_first(home: Path) -> int:
    """Generate a key and put it before those in `home/secret.key`, which exists; how many there are now.

    The file is replaced at once, so that whoever reads it meets the old keys or all of them. Raises OSError.
    """
    path = home / KEY_FILE
    keys = [Fernet.generate_key().decode(), *_split(path.read_text())]
    _replace(path, keys)
    return len(keys)


def forget_old_keys(home: Path, kept: int) -> None:
    """Keep the first so many keys of `home/secret.key`, the newest. Raises OSError."""
    path = home / KEY_FILE
    keys = _split(path.read_text())
    if len(keys) > kept:
        _replace(path, keys[:kept])


def _wrong_key() -> WrongKey:
    return WrongKey(
        "The stored tokens were encrypted with another key than this one",
        f"Set DROPSHIP_SECRET_KEY (or {KEY_FILE} in DROPSHIP_HOME) to the key of that time; to the new one, a "
        "comma and that one if it was replaced. If it is lost, authorise again: dropship auth login",
    )


def _split(keys: str) -> list[str]:
    return [key.strip() for key in keys.split(",") if key.strip()]


@lru_cache(maxsize=8)  # to derive a key from a passphrase takes 40 ms
def _fernets(keys: tuple[str, ...]) -> tuple[Fernet, ...]:
    return tuple(_fernet(key) for key in keys)


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
        mine = _written_beside(path, [Fernet.generate_key().decode()])
        try:
            with suppress(FileExistsError):  # unlike a rename, a link leaves another process's key alone
                os.link(mine, path)
        finally:
            mine.unlink(missing_ok=True)
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
    return path.read_text()


def _replace(path: Path, keys: Sequence[str]) -> None:
    mine = _written_beside(path, keys)
    mine.replace(path)
    # the folder too, before anything is encrypted with a key that a crash of the machine could take back
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _written_beside(path: Path, keys: Sequence[str]) -> Path:
    """A file with these keys beside the one of that name, on the disk for good, for this user alone."""
    mine = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(",".join(keys) + "\n")
            file.flush()
            os.fsync(handle)
    except BaseException:
        mine.unlink(missing_ok=True)
        raise
    return mine
