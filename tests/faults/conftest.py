"""What the tests of faults share: one machine a worker, on the Postgres that all tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import rows_of_process
from machine import Machine

from dropship_pipeline.storage.server.database import Database


@pytest.fixture(scope="session")
def machine(server: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    rows_of_process.WORLDS = rows_of_process.WORLDS[:1]  # one small world for the sample: read once, undisturbed
    made = Machine(server, Path(tmp_path_factory.mktemp("faults")))
    yield made
    made.close()
