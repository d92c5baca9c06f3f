"""A vault in a directory, with a lock that holds between processes: for tests of who refreshes."""

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import orjson

from dropship_pipeline.alibaba.tokens import TokenPair


class FileVault:
    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def load(self, account: str) -> TokenPair | None:
        path = self.directory / f"{account}.json"
        if not path.exists():
            return None
        kept = orjson.loads(path.read_bytes())
        ends = [datetime.fromisoformat(text) if text else None for text in (kept["ends"], kept["refresh_ends"])]
        return TokenPair(kept["access"], kept["refresh"], *ends)

    @contextmanager
    def lock(self, account: str) -> Iterator[None]:
        with (self.directory / f"{account}.lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def save(self, account: str, pair: TokenPair, profile: Mapping[str, str]) -> None:
        kept = {
            "access": pair.access_token,
            "refresh": pair.refresh_token,
            "ends": pair.expires_at.isoformat() if pair.expires_at else None,
            "refresh_ends": pair.refresh_expires_at.isoformat() if pair.refresh_expires_at else None,
            "profile": dict(profile),
        }
        (self.directory / f"{account}.json").write_bytes(orjson.dumps(kept))

    def mark_for_reauthorisation(self, account: str, reason: str) -> None:
        with (self.directory / f"{account}.marked").open("a") as handle:
            handle.write(reason + "\n")

    def note_use(self, account: str) -> None:
        with (self.directory / f"{account}.used").open("a") as handle:
            handle.write("used\n")

    def marks(self, account: str) -> list[str]:
        path = self.directory / f"{account}.marked"
        return path.read_text().splitlines() if path.exists() else []
