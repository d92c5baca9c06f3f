"""Discovering: each feed paged to its end, its pages landed, its memberships begun, ended or held.

All feeds are read side by side in rounds: every page that may be asked for now, of every feed; what they answer decides
what may be asked for next. When a complete sweep misses a member, a second one follows at once: two in a row end a
membership. When a sweep is complete is said by `catalog.sweep`.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta

from dropship_pipeline.alibaba.dialect import LARGEST_PAGE
from dropship_pipeline.alibaba.outcomes import Outcome
from dropship_pipeline.alibaba.products import read_product_page
from dropship_pipeline.alibaba.requests import ListProducts, Request
from dropship_pipeline.alibaba.values import Unreadable
from dropship_pipeline.catalog.delisting import is_held
from dropship_pipeline.catalog.feeds import Feed, feed
from dropship_pipeline.catalog.ledger import rejected_row
from dropship_pipeline.catalog.sweep import Complete, Incomplete, Running, Sweep
from dropship_pipeline.storage.catalog import sweeps
from dropship_pipeline.storage.catalog.memberships import merge_sweep
from dropship_pipeline.storage.catalog.rejects import RejectRow
from dropship_pipeline.storage.catalog.sweeps import LeaseLost, SweepLease, SweepResult
from dropship_pipeline.storage.lake.raw import RawAnswer, RawFile, TornRawFile, read_raw, sweep_files
from dropship_pipeline.storage.server.locks import Locks
from dropship_pipeline.storage.server.statistics import look_again
from dropship_pipeline.sync.request import SyncRequest
from dropship_pipeline.sync.session import Session
from dropship_pipeline.sync.stages.landing import Settled, read_again, settled
from dropship_pipeline.sync.summary import FeedOutcome, FeedState

PAGES_A_FILE = 50
RESUMABLE = timedelta(hours=1)
"""How old landed pages and completed sweeps of a sync that was cut short may be to be taken over."""

HUNG = timedelta(minutes=10)
"""How long another run that reads a feed is waited for since it last began, landed or ended anything of it."""

KIND = "listing"

_PAUSE = 0.25  # seconds between looks whether another run has read a feed
_LOSSES = 3  # times that a feed is begun anew because others took it over


def page_request(of: Feed, page: int, size: int) -> ListProducts:
    """The call for one page of a feed, which may hold less than `size` products."""
    return ListProducts(of.endpoint, page, size, scene_id=of.scene_id, country=of.country, label=of.key)


def discover(session: Session, request: SyncRequest) -> list[FeedOutcome]:
    """Read the feeds of the request to their ends; one that another run reads just now is waited for.

    Raises only what makes every call fail.
    """
    session.progress.begin("list", None)
    _find_dialect(session, feed(request.feeds[0]))
    with closing(Locks(session.database)) as locks:
        readings = [_Reading(session, locks, feed(key), request.let_through) for key in request.feeds]
        waited = False
        while going := [reading for reading in readings if reading.goes_on()]:
            asked: dict[Request, _Reading] = {call: reading for reading in going for call in reading.calls()}
            if not asked:
                if not waited:
                    names = ", ".join(reading.key for reading in going)
                    session.progress.note(f"Another run reads {names} just now: waiting for what it finds")
                waited = True
                time.sleep(_PAUSE)
                continue
            for outcomes in session.fanout.batches(asked, PAGES_A_FILE):
                by_reading = defaultdict(list)
                for outcome in outcomes:
                    by_reading[asked[outcome.request]].append(outcome)
                for reading, its_outcomes in by_reading.items():
                    reading.take(its_outcomes)
                session.progress.advance(len(outcomes))
    session.progress.finish()
    ended = [reading.outcome for reading in readings]
    look_again(session.database)
    session.summary.feeds.extend(ended)
    return ended


def _find_dialect(session: Session, first: Feed) -> None:
    """Have one call decide the dialect, while it is unknown: the size of a page follows from it."""
    if session.gateway.dialect.undecided:
        session.fanout.map([page_request(first, 0, 1)])


class _Reading:
    """One feed of one sync: at most two sweeps, and what came of them.

    It waits while another run reads the feed, then takes over what that came to, or goes on where it was killed. Where
    the sweep was taken over by another run meanwhile, nothing was written since, and it waits in turn.
    """

    def __init__(self, session: Session, locks: Locks, of: Feed, let_through: bool) -> None:
        self._session = session
        self._locks = locks
        self._lock = f"feed {of.key}"
        self._feed = of
        self.key = of.key
        self._let_through = let_through
        self._lease: SweepLease | None = None
        self._finished = False
        self._losses = 0
        self._unlanded: list[RawAnswer] = []
        self._unread: list[tuple[Settled, Unreadable]] = []
        self.outcome: FeedOutcome
        self._start_over()

    @property
    def waits(self) -> bool:
        """Whether another run reads the feed."""
        return self._lease is None and not self._finished

    def calls(self) -> list[ListProducts]:
        """What may be asked for now; nothing while it waits."""
        if self._lease is None:
            return []
        return [page_request(self._feed, page, self._lease.page_size) for page in self._sweep.wanted()]

    def take(self, outcomes: Iterable[Outcome]) -> None:
        """Keep the answers, then let them decide how it goes on."""
        if self._lease is None:
            return  # they are of a sweep that another run has taken over meanwhile
        for outcome in outcomes:
            answers, failures, raw = settled([outcome])
            self._unlanded += raw
            page = int(outcome.request.key.rpartition(":")[2])
            if failures:
                self._sweep.failed(page, failures[0].what)
            else:
                self._read(page, answers[0])
        if len(self._unlanded) >= PAGES_A_FILE:
            with self._giving_way():
                self._land()

    def goes_on(self) -> bool:
        """Whether there is more to ask, or to wait for. When a sweep has ended, its memberships are merged first."""
        if self.waits and self._may_begin():
            with self._giving_way():
                self._begin()
        while self._lease is not None and not isinstance(self._sweep.verdict(), Running):
            with self._giving_way():
                self._land()
                self._merge()
        return not self._finished

    def _may_begin(self) -> bool:
        """Whether nobody else reads the feed, or whoever does has shown no sign of life for long."""
        if self._locks.take(self._lock):
            return True
        waited = time.monotonic() - self._waiting_since
        return waited > HUNG.total_seconds() and not sweeps.is_stirring(self._session.database, self.key, HUNG)

    def _begin(self) -> None:
        session, database, key = self._session, self._session.database, self.key
        taken_over = sweeps.finished_sweep(database, key, RESUMABLE, session.started_at)
        # one that is held must be read again to be let through
        if taken_over is not None and not self._let_through:
            self._finish(_outcome(key, taken_over, 0, taken_over.new, taken_over.pages, resumed=True))
            return
        cut_short = sweeps.take_over(database, key, RESUMABLE)
        if cut_short:
            self._begin_sweep(cut_short)
            self._read_landed(cut_short)
        else:
            self._open_sweep(LARGEST_PAGE[session.gateway.dialect.current])

    def _open_sweep(self, page_size: int) -> None:
        self._begin_sweep(sweeps.open_sweep(self._session.database, self.key, self._session.run_id, page_size))

    def _begin_sweep(self, lease: SweepLease) -> None:
        self._sweeps += 1
        self._most = 0
        self._sweep = Sweep(lease.page_size)
        self._lease = lease

    def _read_landed(self, lease: SweepLease) -> None:
        """Take up the pages that were landed before us. A torn file is set aside, and its pages are asked for again."""
        session = self._session
        operation = page_request(self._feed, 0, 1).operation
        for file in sweep_files(session.database, session.lake, lease.sweep_id, lease.fence):
            try:
                landed = read_raw(session.lake, file.path)
            except TornRawFile as torn:
                session.progress.note(str(torn))
                continue
            for page in read_again(operation, landed):
                self._read(int(page.key.rpartition(":")[2]), page)
            sweeps.record_pages(session.database, lease, file, self._unread_in(file))

    def _read(self, page: int, answer: Settled) -> None:
        if answer.refusal is not None:
            self._sweep.failed(page, answer.refusal.what)
            return
        try:
            listed = read_product_page(answer.payload)
            self._most = max(self._most, len(listed.product_ids))
            self._sweep.read(page, listed)
        except Unreadable as why:
            self._sweep.failed(page, str(why))
            self._unread.append((answer, why))

    def _unread_in(self, file: RawFile) -> list[RejectRow]:
        """The pages of a file that could not be read."""
        unread, self._unread = self._unread, []
        return [
            rejected_row(KIND, page.key, why, page.received_at, page.payload, raw_file=file.path)
            for page, why in unread
        ]

    def _land(self) -> None:
        if self._unlanded and self._lease is not None:
            session, lease = self._session, self._lease
            file = session.raw.land(KIND, session.run_id, self._unlanded, lease.sweep_id, lease.fence)
            try:
                sweeps.record_pages(session.database, lease, file, self._unread_in(file))
            except LeaseLost:
                session.lake.delete(file.path)  # it tells of a sweep that others told otherwise
                raise
            self._unlanded = []

    def _merge(self) -> None:
        if self._lease is None:
            return
        verdict = self._sweep.verdict()
        result = merge_sweep(
            self._session.transactions,
            self._lease,
            seen=self._sweep.table(),
            pages=self._sweep.pages_read,
            reported_total=self._sweep.reported_total,
            complete=isinstance(verdict, Complete),
            reason=verdict.reason if isinstance(verdict, Incomplete) else None,
            is_held=is_held,
            let_through=self._let_through,
        )
        self._new += result.new
        self._pages += self._sweep.pages_read
        if result.missed_once and self._sweeps == 1:
            # Missed once is no proof: the second sweep follows now. Where pages shift while they are read, what falls
            # between two of them is missed: with other pages that is another product.
            self._open_sweep(max(self._most - 1, 1))
        else:
            self._finish(_outcome(self.key, result, self._sweeps, self._new, self._pages))

    @contextmanager
    def _giving_way(self) -> Iterator[None]:
        """Inside, whoever lost the sweep to another run begins to wait for it, and gives up if that happens often."""
        try:
            yield
        except LeaseLost as lost:
            self._session.progress.note(str(lost))
            self._locks.give_back(self._lock)  # the other one may not have it: we were taken for hung
            self._losses += 1
            self._start_over()
            if self._losses == _LOSSES:
                nothing = SweepResult("incomplete", 0, 0, 0, 0, 0, 0, "other runs took it over again and again")
                self._finish(_outcome(self.key, nothing, 0, 0, 0))

    def _start_over(self) -> None:
        self._lease = None
        self._waiting_since = time.monotonic()
        self._sweeps = self._new = self._pages = 0
        self._unlanded, self._unread = [], []

    def _finish(self, outcome: FeedOutcome) -> None:
        self.outcome = outcome
        self._finished = True
        self._lease = None
        self._locks.give_back(self._lock)


def _outcome(key: str, result: SweepResult, sweeps: int, new: int, pages: int, *, resumed: bool = False) -> FeedOutcome:
    return FeedOutcome(
        feed=key,
        state=FeedState(result.state),
        listed=result.listed,
        new=new,
        missing=result.missing,
        delisted=result.delisted,
        pages=pages,
        sweeps=sweeps,
        resumed=resumed,
        reason=result.reason or "",
    )
