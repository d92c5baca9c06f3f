"""Where Dagster keeps what it remembers: the classes that `dagster_home/dagster.yaml` names, and opening the instance.

They take their places from the project's settings, so that `dropship`, `dagster dev` and `dg` all find the same
instance with nothing more than DAGSTER_HOME. No asset logic here.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.storage.compute_log_manager import CapturedLogContext
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager  # as dagster.yaml names it
from dagster._core.storage.root import LocalArtifactStorage
from dagster._serdes import ConfigurableClassData

from dropship_pipeline.orchestration.dagster_tables import PooledStorage
from dropship_pipeline.settings import Settings, find_dagster_home, load_settings, set_in_environment
from dropship_pipeline.storage.dagster_schema import dagster_url
from dropship_pipeline.storage.server.opening import open_database

POOL, ORDERS_POOL = "alibaba_api", "alibaba_orders"
"""The pools of the steps that call the API: of the runs that have a step of one, one goes at a time. Orders wait for
each other, and not for the hours that a full sync of the catalogue may take.
"""


class _FromSettings:
    """What dagster.yaml names without a configuration."""

    @classmethod
    def config_type(cls) -> Any:
        """Nothing to configure: the settings say it all."""
        return {}


class RunStorage(_FromSettings, PooledStorage):
    """Dagster's tables in schema `dagster` of the catalogue's own Postgres, the embedded one included."""

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "RunStorage":
        """Open it where the settings say."""
        del config_value
        # the materialisations of a range of feeds are written together, not one by one
        set_in_environment({"DAGSTER_EVENT_BATCH_SIZE": "100"})
        database = open_database(load_settings())
        url = dagster_url(database)
        database.close()
        storage = cls(url, inst_data)
        events = storage.event_log_storage
        for pool in {POOL, ORDERS_POOL} - events.get_concurrency_keys():
            # else the queue would let through all that waits at its very first look: it makes a pool after looking
            events.set_concurrency_slots(pool, 1)
        return storage


class ComputeLogs(_FromSettings, LocalComputeLogManager):
    """What steps print, under DROPSHIP_HOME; `on_terminal`: nothing is kept, what they print is for the terminal."""

    on_terminal = False

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "ComputeLogs":
        """Open it where the settings say."""
        del config_value
        return cls(base_dir=str(load_settings().absolute_home / "dagster" / "logs"), inst_data=inst_data)

    @contextmanager
    def capture_logs(self, log_key: Sequence[str]) -> Generator[CapturedLogContext, None, None]:
        """Keep what is printed inside. Dagster puts a file in the terminal's place and mirrors it by four processes."""
        if self.on_terminal:
            yield CapturedLogContext(log_key)
            complete = Path(self.get_captured_local_path(log_key, "complete"))
            complete.parent.mkdir(parents=True, exist_ok=True)
            complete.touch()
        else:
            with super().capture_logs(log_key) as context:
                yield context


class ArtifactStorage(_FromSettings, LocalArtifactStorage):
    """The little that Dagster keeps in files, under DROPSHIP_HOME."""

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "ArtifactStorage":
        """Open it where the settings say."""
        del config_value
        return cls(base_dir=str(load_settings().absolute_home / "dagster"), inst_data=inst_data)


@contextmanager
def open_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The instance that the UI shows, for a run in this process. The database must be up: see `open_database`."""
    set_in_environment({"DAGSTER_HOME": str(find_dagster_home(settings))})
    with dg.DagsterInstance.get() as instance:
        if isinstance(instance.compute_log_manager, ComputeLogs):
            instance.compute_log_manager.on_terminal = True
        yield instance
