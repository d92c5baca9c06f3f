"""What the assets are given: an open session of the pipeline, and the options of a run. No asset logic here."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import dagster as dg
from pydantic import Field

from dropship_pipeline.catalog.freshness import parse_age
from dropship_pipeline.settings import load_settings
from dropship_pipeline.sync.progress import Logged
from dropship_pipeline.sync.request import SyncRequest
from dropship_pipeline.sync.session import Session, open_session


class SyncOptions(dg.ConfigurableResource[None]):
    """The options of a run, as the launchpad shows them. Which feeds: the run's partitions."""

    max_age: str | None = Field(
        None, description="Refresh what is older than this: 24h, 90m, 7d. Unset: each kind's own age."
    )
    limit: int | None = Field(None, ge=0, description="Refresh at most so many products of each kind.")
    force: bool = Field(default=False, description="Refresh whatever its age.")
    let_through: bool = Field(
        default=False, description="End memberships although the sweep would end more than a fifth of the feed."
    )

    @property
    def age(self) -> timedelta | None:
        """`max_age`, read."""
        return None if self.max_age is None else parse_age(self.max_age)

    def request(self, feeds: tuple[str, ...] = (), product_ids: tuple[str, ...] = ()) -> SyncRequest:
        """What the stages are asked, for these feeds or these products."""
        return SyncRequest(feeds, product_ids, self.age, self.limit, self.force, self.let_through)


def options_config(request: SyncRequest) -> dict[str, object]:
    """The run config of `SyncOptions` that says what this request says."""
    age = None if request.max_age is None else f"{int(request.max_age.total_seconds())}s"
    return {"max_age": age, "limit": request.limit, "force": request.force, "let_through": request.let_through}


@dg.resource(description="The API, Postgres and the lake, opened once a run.")
@contextmanager
def session_resource(context: dg.InitResourceContext) -> Iterator[Session]:
    """Open a session for the run; its progress goes to the run's log."""
    run_id = context.run.run_id if context.run is not None else "outside-a-run"
    assert context.log is not None  # noqa: S101  Dagster always gives one while a run goes
    with open_session(load_settings(), run_id, Logged(context.log)) as session:
        yield session


def opened(session: Session) -> dg.ResourceDefinition:
    """A session that the command line has opened already."""
    return dg.ResourceDefinition.hardcoded_resource(session)
