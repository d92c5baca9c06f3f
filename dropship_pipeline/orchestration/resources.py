"""What the assets are given: the session of the run, and the options of the run. No asset logic here."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import dagster as dg
from pydantic import Field

from dropship_pipeline.catalog.freshness import parse_age
from dropship_pipeline.settings import load_settings
from dropship_pipeline.sync.progress import Logged
from dropship_pipeline.sync.request import SyncRequest
from dropship_pipeline.sync.session import Session, open_session

_SESSION = "The API, Postgres and the lake, opened once a run."


class SyncOptions(dg.ConfigurableResource[None]):
    """The options of a run, as the launchpad shows them. Which feeds: the run's partitions."""

    max_age: str | None = Field(
        None, description="Refresh what is older than this: 24h, 90m, 7d. Unset: each kind's own age."
    )
    limit: int | None = Field(None, description="Refresh at most so many products of each kind.")
    force: bool = Field(default=False, description="Refresh whatever its age.")
    let_through: bool = Field(
        default=False, description="End memberships although the sweep would end more than a fifth of the feed."
    )

    @property
    def age(self) -> timedelta | None:
        """`max_age`, read. Raises `Problem` if it is no age."""
        return None if self.max_age is None else parse_age(self.max_age)

    def request(self, feeds: tuple[str, ...] = (), product_ids: tuple[str, ...] = ()) -> SyncRequest:
        """What the stages are asked, for these feeds or these products. Raises `Problem` for what cannot be asked."""
        return SyncRequest(feeds, product_ids, self.age, self.limit, self.force, self.let_through)


def options_config(request: SyncRequest) -> dict[str, object]:
    """The run config of `SyncOptions` that says what this request says."""
    age = None if request.max_age is None else f"{int(request.max_age.total_seconds())}s"
    return {"max_age": age, "limit": request.limit, "force": request.force, "let_through": request.let_through}


class RunSession:
    """The session of a run, opened by the first step that asks: what prevents it is then that step's own failure."""

    def __init__(self, open_it: Callable[[], Session]) -> None:
        self._open = open_it
        self._session: Session | None = None

    def get(self) -> Session:
        """The session. Raises the `Problem`s of opening it."""
        if self._session is None:
            self._session = self._open()
        return self._session


@dg.resource(description=_SESSION)
@contextmanager
def session_resource(context: dg.InitResourceContext) -> Iterator[RunSession]:
    """The session for a run that Dagster started; its progress goes to the run's log."""
    run_id = context.run.run_id if context.run is not None else "outside-a-run"
    assert context.log is not None  # noqa: S101  Dagster always gives one while a run goes
    progress = Logged(context.log)
    with ExitStack() as stack:
        yield RunSession(lambda: stack.enter_context(open_session(load_settings(), run_id, progress)))


def opened(session: Session) -> dg.ResourceDefinition:
    """A session that the command line has opened already, and will close."""
    return dg.ResourceDefinition.hardcoded_resource(RunSession(lambda: session), description=_SESSION)
