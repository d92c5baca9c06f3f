"""Discovering: each feed paged to its end, its pages landed, its memberships begun, ended or held.

All feeds are read side by side in rounds: every page that may be asked for now, of every feed; what they answer decides
what may be asked for next. When a complete sweep misses a member, a second one follows at once: two in a row end a
membership. When a sweep is complete is said by `catalog.sweep`.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta

from dropship_pipeline.alibaba.dialect import LARGEST_PAGE
from dropship_pipeline.alibaba.outcomes import Outcome
from dropship_pipeline.alibaba.products import read_product_page
from dropship_pipeline.alibaba.requests import ListProducts, Request
from dropship_pipeline.alibaba.values import Unreadable
from dropship_pipeline.catalog.delisting import is_held
from dropship_pipeline.catalog.feeds import Feed, feed
from dropship_pipeline.catalog.sweep import Complete, Incomplete, Running, Sweep
from dropship_pipeline.storage.catalog import memberships
from dropship_pipeline.storage.lake.raw import RawAnswer, read_raw, record_landed, sweep_files
from dropship_pipeline.sync.request import SyncRequest
from dropship_pipeline.sync.session import Session
from dropship_pipeline.sync.stages.landing import Settled, read_again, settled
from dropship_pipeline.sync.summary import FeedOutcome, FeedState

PAGES_A_FILE = 50
RESUMABLE = timedelta(hours=1)
"""How old landed pages and completed sweeps of a sync that was cut short may be to be taken over."""

KIND = "listing"


def page_request(of: Feed, page: int, size: int) -> ListProducts:
    """The call for one page of a feed, which may hold less than `size` products."""
    return ListProducts(of.endpoint, page, size, scene_id=of.scene_id, country=of.country, label=of.key)


def discover(session: Session, request: SyncRequest) -> list[FeedOutcome]:
    """Read the feeds of the request to their ends. Raises only what makes every call fail."""
    session.progress.begin("list", None)
    _find_dialect(session, feed(request.feeds[0]))
    readings = [_Reading(session, feed(key), request.let_through) for key in request.feeds]
    going = [reading for reading in readings if reading.goes_on()]
    while going:
        asked: dict[Request, _Reading] = {call: reading for reading in going for call in reading.calls()}
        for outcomes in session.fanout.batches(asked, PAGES_A_FILE):
            by_reading = defaultdict(list)
            for outcome in outcomes:
                by_reading[asked[outcome.request]].append(outcome)
            for reading, its_outcomes in by_reading.items():
                reading.take(its_outcomes)
            session.progress.advance(len(outcomes))
        going = [reading for reading in going if reading.goes_on()]
    session.progress.finish()
    ended = [reading.outcome for reading in readings]
    session.summary.feeds.extend(ended)
    return ended


def _find_dialect(session: Session, first: Feed) -> None:
    """Have one call decide the dialect, while it is unknown: the size of a page follows from it."""
    if session.gateway.dialect.undecided:
        session.fanout.map([page_request(first, 0, 1)])


class _Reading:
    """One feed of one sync: at most two sweeps, and what came of them."""

    def __init__(self, session: Session, of: Feed, let_through: bool) -> None:
        self._session = session
        self._feed = of
        self._let_through = let_through
        self._sweeps = 0
        self._new = 0
        self._pages = 0
        self._unlanded: list[RawAnswer] = []
        self.outcome: FeedOutcome
        # one that is held must be read again to be let through
        taken_over = None if let_through else memberships.finished_sweep(session.database, of.key, RESUMABLE)
        self._finished = taken_over is not None
        if taken_over is not None:
            self.outcome = _outcome(of.key, taken_over, 0, taken_over.new, taken_over.pages, resumed=True)
        else:
            self._begin(memberships.resumable_sweep(session.database, of.key, RESUMABLE))

    def calls(self) -> list[ListProducts]:
        """What may be asked for now."""
        return [page_request(self._feed, page, self._page_size) for page in self._sweep.wanted()]

    def take(self, outcomes: Iterable[Outcome]) -> None:
        """Keep the answers, then let them decide how it goes on."""
        for outcome in outcomes:
            answers, failures, raw = settled([outcome])
            self._unlanded += raw
            page = int(outcome.request.key.rpartition(":")[2])
            if failures:
                self._sweep.failed(page, failures[0].what)
            else:
                self._read(page, answers[0])
        if len(self._unlanded) >= PAGES_A_FILE:
            self._land()

    def goes_on(self) -> bool:
        """Whether there is more to ask. When a sweep has ended, its memberships are merged first."""
        while not self._finished and not isinstance(self._sweep.verdict(), Running):
            self._land()
            self._merge()
        return not self._finished

    def _begin(self, cut_short: str | None = None) -> None:
        session = self._session
        self._sweeps += 1
        self._page_size = LARGEST_PAGE[session.gateway.dialect.current]
        self._sweep = Sweep(self._page_size)
        self._sweep_id = cut_short or memberships.open_sweep(session.database, self._feed.key, session.run_id)
        if cut_short:
            for file in sweep_files(session.database, session.lake, cut_short):
                for page in read_again(page_request(self._feed, 0, 1).operation, read_raw(session.lake, file.path)):
                    self._read(int(page.key.rpartition(":")[2]), page)
                record_landed(session.database, file)

    def _read(self, page: int, answer: Settled) -> None:
        if answer.refusal is not None:
            self._sweep.failed(page, answer.refusal.what)
            return
        try:
            self._sweep.read(page, read_product_page(answer.payload))
        except Unreadable as why:
            self._sweep.failed(page, str(why))

    def _land(self) -> None:
        if self._unlanded:
            session = self._session
            record_landed(
                session.database, session.raw.land(KIND, session.run_id, self._unlanded, sweep_id=self._sweep_id)
            )
            self._unlanded = []

    def _merge(self) -> None:
        verdict = self._sweep.verdict()
        result = memberships.merge_sweep(
            self._session.database,
            sweep_id=self._sweep_id,
            feed=self._feed.key,
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
        self.outcome = _outcome(self._feed.key, result, self._sweeps, self._new, self._pages)
        if result.missed_once and self._sweeps == 1:
            self._begin()  # missed once is no proof: the second sweep follows now
        else:
            self._finished = True


def _outcome(
    key: str, result: memberships.SweepResult, sweeps: int, new: int, pages: int, *, resumed: bool = False
) -> FeedOutcome:
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
