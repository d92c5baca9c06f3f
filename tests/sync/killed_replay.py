"""A replay in a process of its own, to be killed: says each file that it is done with, ends."""

import sys

from dropship_pipeline.settings import load_settings
from dropship_pipeline.sync.progress import Silent
from dropship_pipeline.sync.replay.run import replay
from dropship_pipeline.sync.session import open_store


class Said(Silent):
    """A line whenever something is done."""

    def advance(self, count: int, total: int | None = None) -> None:
        """Say it."""
        del total
        print(count, flush=True)


if __name__ == "__main__":
    with open_store(load_settings(), "killed", Said()) as store:
        replay(store)
    sys.exit(0)
