"""Opening what the work needs, and closing it in one place: Postgres and the lake alone, or the API with them.

What publishes, replays or tidies up makes no call: it takes a `Store`, for which no gateway is sought and no simulated
Alibaba.com started. A `Desk` is a store with the API, which following orders takes; a `Session` is a desk whose work is
noted as a sync, which its stages take.
"""

import hashlib
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from dropship_pipeline.alibaba.client import Client
from dropship_pipeline.alibaba.dialect import Dialect, DialectMemory
from dropship_pipeline.alibaba.fanout import FanOut
from dropship_pipeline.alibaba.gateway import Gateway
from dropship_pipeline.alibaba.tokens import AccountTokens, NoTokens, TokenGrant, TokenPair, login_command
from dropship_pipeline.catalog.destinations import Destination, parse_destinations
from dropship_pipeline.garbage import collect_seldom, leave_what_is_there
from dropship_pipeline.problem import Problem
from dropship_pipeline.settings import Settings
from dropship_pipeline.storage.catalog.merge import Merger
from dropship_pipeline.storage.lake.place import Lake
from dropship_pipeline.storage.lake.raw import RawWriter
from dropship_pipeline.storage.ops.accounts import AccountRow, AccountVault
from dropship_pipeline.storage.ops.budget import PostgresCallBudget
from dropship_pipeline.storage.ops.origin import claim_origin
from dropship_pipeline.storage.ops.secrets import Cipher
from dropship_pipeline.storage.ops.syncs import close_sync, feed_counts, open_sync
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.storage.server.opening import open_database
from dropship_pipeline.storage.server.transactions import Transactions
from dropship_pipeline.sync.place import SIMULATED_ACCOUNT, Place, find_place
from dropship_pipeline.sync.progress import Progress
from dropship_pipeline.sync.summary import CallCounts, FeedRow, SyncSummary
from dropship_pipeline.tables.arrow import without_pandas


def open_vault(settings: Settings, database: Database) -> AccountVault:
    """Where the accounts' tokens are kept, encrypted."""
    cipher = Cipher.from_settings(settings.secret_key, settings.absolute_home, shared=settings.database_url is not None)
    return AccountVault(database, cipher)


@contextmanager
def open_gateway(settings: Settings, place: Place, database: Database) -> Iterator[Gateway]:
    """The API of `place`, with the shared budget and the account's tokens; those of the environment are taken over."""
    vault = open_vault(settings, database)
    vault.seed(place.account, place.access_token, place.refresh_token)
    app = hashlib.sha256(f"{place.base_url} {place.app_key}".encode()).hexdigest()[:16]
    budget = PostgresCallBudget(database, app, ceiling=place.calls_per_second)
    gateway = Gateway(
        base_url=place.base_url,
        app_key=place.app_key,
        app_secret=place.app_secret.get_secret_value(),
        dialect=DialectMemory(Dialect(place.dialect.value)),
        tokens=NoTokens(),
        budget=budget,
    )
    gateway.tokens = _tokens(vault, place.account, gateway)
    with closing(budget):
        yield gateway


def _tokens(vault: AccountVault, account: str, gateway: Gateway) -> AccountTokens:
    def refresh(pair: TokenPair) -> TokenGrant:
        # a call of this very gateway, one that needs no token
        with Client(gateway) as client:
            return client.refresh_token(pair)

    return AccountTokens(vault, account, refresh)


@dataclass(kw_only=True)
class Store:
    """The tables and the lake, for one run."""

    settings: Settings
    database: Database
    lake: Lake
    run_id: str
    progress: Progress
    _open: ExitStack = field(default_factory=ExitStack)

    @cached_property
    def merger(self) -> Merger:
        """The writer of the public tables."""
        return self._open.enter_context(Merger(self.database))

    @cached_property
    def transactions(self) -> Transactions:
        """What runs the merges of sweeps: one connection for all of them."""
        return self._open.enter_context(closing(Transactions(self.database)))

    @cached_property
    def raw(self) -> RawWriter:
        """Where every answer is landed before it is interpreted."""
        return RawWriter(self.lake)

    def close(self) -> None:
        """Let go of everything that was opened on the way."""
        self._open.close()


@dataclass(kw_only=True)
class Desk(Store):
    """A store with the API: for what makes calls and is no sync, such as following orders."""

    place: Place
    gateway: Gateway

    @property
    def destinations(self) -> tuple[Destination, ...]:
        """Where freight is quoted to."""
        return parse_destinations(self.settings.destinations)

    @cached_property
    def fanout(self) -> FanOut:
        """Many calls at once."""
        return self._open.enter_context(FanOut(self.gateway, concurrency=self.settings.alibaba_concurrency))

    @cached_property
    def client(self) -> Client:
        """Single calls."""
        return self._open.enter_context(Client(self.gateway))

    @cached_property
    def vault(self) -> AccountVault:
        """Where the accounts' tokens are kept."""
        return open_vault(self.settings, self.database)

    def accounts(self) -> list[AccountRow]:
        """The accounts of this place as they stand, by name: the simulated one, or all but that."""
        return [row for row in self.vault.accounts() if (row.account == SIMULATED_ACCOUNT) == self.place.simulated]

    @contextmanager
    def of(self, account: str) -> Iterator["Desk"]:
        """This desk with the tokens of another account; calls are paced and counted together. Raises as `Place.of`."""
        place = self.place.of(account)
        if place is self.place:
            yield self
            return
        desk = Desk(
            settings=self.settings,
            place=place,
            database=self.database,
            gateway=self.gateway.with_tokens(_tokens(self.vault, account, self.gateway)),
            lake=self.lake,
            run_id=self.run_id,
            progress=self.progress,
        )
        with closing(desk):
            yield desk

    def calls(self) -> CallCounts:
        """What was asked of the API so far, for all accounts."""
        tally = self.gateway.tally.snapshot()
        return CallCounts(tally.total_calls, tally.throttles, tally.retries)


@dataclass(kw_only=True)
class Session(Desk):
    """Everything that a stage needs, opened once a run (once a step, where steps are processes of their own)."""

    summary: SyncSummary
    started_at: datetime
    _began: float = field(default_factory=time.monotonic)

    def failed(self, problem: Problem | str) -> None:
        """A stage could not go on: the sync has failed."""
        self.summary.failure = str(problem).rstrip(".")

    def close(self) -> None:
        """Let go of everything, and note how the sync ended."""
        super().close()
        summary = self.summary
        summary.calls = self.calls()
        summary.seconds = time.monotonic() - self._began
        summary.feeds_table = [
            FeedRow(row.feed, row.listed, row.new, row.changed, row.delisted, row.rejected, self._state_of(row.feed))
            for row in feed_counts(self.database, self.started_at, [feed.feed for feed in summary.feeds])
        ]
        close_sync(self.database, self.run_id, "failed" if summary.problems else "done", summary.as_json())

    def _state_of(self, key: str) -> str:
        return next(feed.state.value for feed in self.summary.feeds if feed.feed == key)


@contextmanager
def open_store(settings: Settings, run_id: str, progress: Progress) -> Iterator[Store]:
    """Open the tables, migrated to this version, and the lake. No API: no credentials are read, nothing is started
    but the embedded Postgres.

    Raises `Problem`s that name what is wrong: a database that is down, a lake that cannot be opened.
    """
    with closing(open_database(settings)) as database:
        store = Store(
            settings=settings, database=database, lake=Lake(settings.lake_url), run_id=run_id, progress=progress
        )
        with closing(store):
            yield store


@contextmanager
def open_desk(settings: Settings, run_id: str, progress: Progress, account: str | None = None) -> Iterator[Desk]:
    """Open the tables, the lake and the API, for this account or the default one. Nothing is noted as a sync.

    Raises as `open_session`, and Problem for an account that nobody has authorised.
    """
    with ExitStack() as stack:
        database, place = _open_origin(stack, settings)
        desk = Desk(
            settings=settings,
            place=place,
            database=database,
            gateway=stack.enter_context(open_gateway(settings, place, database)),
            lake=Lake(settings.lake_url),
            run_id=run_id,
            progress=progress,
        )
        with closing(desk):
            if account is None:
                yield desk
            else:
                find_account(desk, account)
                with desk.of(account) as own:
                    yield own


def find_account(desk: Desk, account: str) -> AccountRow:
    """The account of this name. Raises Problem where nobody has authorised it."""
    rows = {row.account: row for row in desk.accounts()}
    if account in rows:
        return rows[account]
    desk.place.of(account)
    known = f"There are: {', '.join(rows)}. " if rows else ""
    raise Problem(f"No account is called {account}", f"{known}Authorise it: {login_command(account)}")


def _open_origin(stack: ExitStack, settings: Settings) -> tuple[Database, Place]:
    """The database, and the API whose catalogue it holds."""
    database = open_database(settings)
    stack.callback(database.close)
    place = stack.enter_context(find_place(settings))
    claim_origin(database, place.origin)
    return database, place


@contextmanager
def open_session(settings: Settings, run_id: str, progress: Progress) -> Iterator[Session]:
    """Open a session; everything it opened is closed at the end, the simulated Alibaba.com included.

    Raises `Problem`s that name what is wrong: a database that is down, a catalogue of another origin, no token.
    """
    parse_destinations(settings.destinations)
    without_pandas()
    leave_what_is_there()
    collect_seldom()
    with ExitStack() as stack:
        database, place = _open_origin(stack, settings)
        lake = Lake(settings.lake_url)
        started_at = open_sync(database, run_id)
        session = Session(
            settings=settings,
            place=place,
            database=database,
            gateway=stack.enter_context(open_gateway(settings, place, database)),
            lake=lake,
            run_id=run_id,
            progress=progress,
            started_at=started_at,
            summary=SyncSummary(
                run_id,
                simulated=place.simulated,
                places={"Tables": f"{database.safe_url}, schema catalog", "Parquet": f"{lake.location}/latest"},
            ),
        )
        try:
            yield session
        except BaseException as error:
            session.failed(error if isinstance(error, Problem) else f"Interrupted: {type(error).__name__}")
            raise
        finally:
            session.close()
