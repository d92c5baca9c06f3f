"""What steps are given: the session of the run or the store alone, and the options of the run. No asset logic here."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Generic, TypeVar

import dagster as dg
from pydantic import Field

from dropship_pipeline.catalog.freshness import parse_age
from dropship_pipeline.settings import load_settings
from dropship_pipeline.sync.progress import Logged
from dropship_pipeline.sync.request import SyncRequest
from dropship_pipeline.sync.session import Desk, Session, Store, open_desk, open_session, open_store

T = TypeVar("T")

_SESSION = "The API, Postgres and the lake, opened once a run."
_DESK = "The API, Postgres and the lake, for what is no sync."
_STORE = "Postgres and the lake, opened once a run: for what makes no call."


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


class OnDemand(Generic[T]):
    """Opened by the first step of a run that asks: what prevents it is then that step's own failure."""

    def __init__(self, open_it: Callable[[], T]) -> None:
        self._open = open_it
        self._opened: T | None = None

    def get(self) -> T:
        """What it is. Raises the `Problem`s of opening it."""
        if self._opened is None:
            self._opened = self._open()
        return self._opened


RunSession = OnDemand[Session]
RunDesk = OnDemand[Desk]
RunStore = OnDemand[Store]


@dg.resource(description=_SESSION)
@contextmanager
def session_resource(context: dg.InitResourceContext) -> Iterator[RunSession]:
    """The session for a run that Dagster started; its progress goes to the run's log."""
    with ExitStack() as stack:
        yield RunSession(lambda: stack.enter_context(open_session(load_settings(), *_told(context))))


@dg.resource(description=_DESK)
@contextmanager
def desk_resource(context: dg.InitResourceContext) -> Iterator[RunDesk]:
    """The API for a run that Dagster started; its progress goes to the run's log."""
    with ExitStack() as stack:
        yield RunDesk(lambda: stack.enter_context(open_desk(load_settings(), *_told(context))))


@dg.resource(description=_STORE)
@contextmanager
def store_resource(context: dg.InitResourceContext) -> Iterator[RunStore]:
    """The store for a run that Dagster started; its progress goes to the run's log."""
    with ExitStack() as stack:
        yield RunStore(lambda: stack.enter_context(open_store(load_settings(), *_told(context))))


def _told(context: dg.InitResourceContext) -> tuple[str, Logged]:
    """The run's ID, and where its progress goes."""
    run_id = context.run.run_id if context.run is not None else "outside-a-run"
    assert context.log is not None  # noqa: S101  Dagster always gives one while a run goes
    return run_id, Logged(context.log)


def opened(session: Session) -> dict[str, dg.ResourceDefinition]:
    """The resources of a run for which the command line has opened a session already, and will close it."""
    return {
        "session": dg.ResourceDefinition.hardcoded_resource(RunSession(lambda: session), description=_SESSION),
        "store": dg.ResourceDefinition.hardcoded_resource(RunStore(lambda: session), description=_STORE),
    }
