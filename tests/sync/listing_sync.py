"""A sync that only reads the feeds, as soon as it gets a line: it says what a person is told, and how it ended."""

import sys
import uuid

from dropship_pipeline.settings import load_settings
from dropship_pipeline.sync.progress import Silent
from dropship_pipeline.sync.request import SyncRequest
from dropship_pipeline.sync.session import open_session
from dropship_pipeline.sync.stages.discover import discover


class Told(Silent):
    """Prints what a person should see now."""

    def note(self, line: str) -> None:
        print(line, flush=True)


if __name__ == "__main__":
    with open_session(load_settings(), str(uuid.uuid4()), Told()) as session:
        print("open", flush=True)
        sys.stdin.readline()
        for feed in discover(session, SyncRequest()):
            print(feed.feed, feed.state, feed.resumed, flush=True)
