"""Looking whether a service is ready, by using it as the next one will. Each look answers within seconds."""

import json
import socket
import urllib.request
from pathlib import Path
from typing import Any

from dropship_pipeline.sandbox.announcement import read_announcement
from dropship_pipeline.services.service import Started

_PATIENCE_S = 5.0
_LOCATIONS = "{ workspaceOrError { ... on Workspace { locationEntries { loadStatus } } } }"
_DAEMONS = "{ instance { daemonHealth { allDaemonStatuses { required lastHeartbeatTime } } } }"


def says_its_address(process: Started) -> bool:
    """Whether the embedded Postgres has told its address, which it does when it has been connected to."""
    return any(line.startswith("postgresql://") for line in process.lines)


def is_announced(process: Started, path: Path) -> bool:
    """Whether the simulated Alibaba.com of this process is announced there and answers."""
    announced = read_announcement(path)
    return announced is not None and announced.pid == process.pid and announced.answers


def accepts(path: Path) -> bool:
    """Whether somebody listens on a Unix socket: the code server does when it has loaded the code."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_PATIENCE_S)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def answers(address: str) -> bool:
    """Whether a GET of this address is answered with 200."""
    try:
        with urllib.request.urlopen(address, timeout=_PATIENCE_S) as answer:  # noqa: S310  our own
            return bool(answer.status == 200)
    except OSError:
        return False


def shows_the_code(address: str) -> bool:
    """Whether the UI gives its first page and has loaded the code location."""
    try:
        with urllib.request.urlopen(address, timeout=_PATIENCE_S) as page:  # noqa: S310  our own
            page.read(1)
        entries = _ask(address, _LOCATIONS)["workspaceOrError"]["locationEntries"]
        return bool(entries) and all(entry["loadStatus"] == "LOADED" for entry in entries)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def has_heartbeats(process: Started, address: str) -> bool:
    """Whether each part of the daemon has been alive since this process was started, as the UI at `address` knows."""
    try:
        parts = _ask(address, _DAEMONS)["instance"]["daemonHealth"]["allDaemonStatuses"]
        beats = [part["lastHeartbeatTime"] or 0.0 for part in parts if part["required"]]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return bool(beats) and min(beats) >= process.started_at


def _ask(address: str, query: str) -> Any:
    request = urllib.request.Request(  # noqa: S310  our own
        f"{address}/graphql", json.dumps({"query": query}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=_PATIENCE_S) as answer:  # noqa: S310  likewise
        return json.load(answer)["data"]
