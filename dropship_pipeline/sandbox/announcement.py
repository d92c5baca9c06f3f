"""The file by which a running sandbox is found: its address and what its clients read. Standard library only."""

import json
import os
import secrets
import urllib.request
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

_PATIENCE_S = 2.0


@dataclass(frozen=True, slots=True)
class Announcement:
    """A sandbox in process `pid`. `base_url` ends in /rest; `env` is what a client of it reads."""

    pid: int
    base_url: str
    env: dict[str, str] = field(repr=False)

    @property
    def answers(self) -> bool:
        """Whether that process lives and answers: a killed one leaves its file behind."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass  # another user's
        health = self.base_url.removesuffix("/rest") + "/_sandbox/health"
        try:
            with urllib.request.urlopen(health, timeout=_PATIENCE_S) as answer:  # noqa: S310 - as it was announced
                return bool(json.load(answer)["status"] == "up")
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def write(self, path: Path) -> None:
        """Put it into `path` (0600), whole or not at all."""
        new = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(asdict(self), file)
        new.rename(path)

    def withdraw(self, path: Path) -> None:
        """Remove it from `path`, unless another sandbox has announced itself there since."""
        if read_announcement(path) == self:
            with suppress(FileNotFoundError):
                path.unlink()


def read_announcement(path: Path) -> Announcement | None:
    """What `path` announces; None where there is nothing, or nothing that can be read."""
    try:
        told = json.loads(path.read_text())
        return Announcement(int(told["pid"]), str(told["base_url"]), {str(k): str(v) for k, v in told["env"].items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
