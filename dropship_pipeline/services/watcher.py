"""Sees to it that no service outlives `dropship up`, however that ends: a process of its own that waits for it to go.

`python -I -S watcher.py FOLDER…`: each line of its standard input is `+GROUP SIGNAL SECONDS` or `-GROUP`, a process
group to end and one that has ended. When the input closes, as it does when the other end is killed, the groups are
ended, the last one first, and the folders removed. Standard library only, and little of it: it is there all the time.
"""

import os
import shutil
import signal
import sys
import time


def lives(group: int) -> bool:
    """Whether a process group has a process that is not a zombie."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS says so of zombies
        return False
    if not os.path.isdir("/proc/self"):  # noqa: PTH112  pathlib costs memory
        return True
    return any(_is_member(pid, group) for pid in os.listdir("/proc") if pid.isdigit())  # noqa: PTH208  likewise


def _is_member(pid: str, group: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123  likewise
            state, _, its_group = file.read().rpartition(b")")[2].split()[:3]
    except OSError:
        return False  # it has just ended
    return int(its_group) == group and state != b"Z"


def tell(group: int, number: int) -> None:
    """Send a signal to a process group; harmless where it has ended."""
    try:  # noqa: SIM105  contextlib costs memory
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        pass


def _end(group: int, number: int, seconds: float) -> None:
    tell(group, number)
    give_up = time.monotonic() + seconds
    while lives(group):
        if time.monotonic() > give_up:
            tell(group, signal.SIGKILL)
            return
        time.sleep(0.05)


def main(folders: list[str]) -> None:
    """Wait until the input closes, then clean up."""
    groups: dict[int, tuple[int, float]] = {}
    for line in sys.stdin:
        group, *how = line[1:].split()
        if line[0] == "+":
            groups[int(group)] = (int(how[0]), float(how[1]))
        else:
            groups.pop(int(group), None)
    for group, (number, seconds) in reversed(groups.items()):
        _end(group, number, seconds)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1:])
