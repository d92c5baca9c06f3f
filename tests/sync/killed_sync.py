"""A sync in a process of its own, to be killed: reads its settings from the environment, runs the stages, ends."""

import uuid

from deployment import all_stages

from dropship_pipeline.settings import load_settings
from dropship_pipeline.sync.progress import Silent
from dropship_pipeline.sync.request import SyncRequest
from dropship_pipeline.sync.session import open_session

if __name__ == "__main__":
    with open_session(load_settings(), str(uuid.uuid4()), Silent()) as session:
        print("open", flush=True)
        all_stages(session, SyncRequest())
