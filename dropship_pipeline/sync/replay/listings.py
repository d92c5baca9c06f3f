"""Replaying listings: sweeps put together again from their landed pages, and the memberships that follow from them.

Of a feed whose log or memberships lack something, all landed sweeps are gone through, oldest first. Then the log is
believed: the memberships follow from it, each with the position where a sweep saw it last.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from dropship_pipeline.alibaba.dialect import LARGEST_PAGE, Dialect
from dropship_pipeline.alibaba.errors import ApiError
from dropship_pipeline.alibaba.products import read_product_page
from dropship_pipeline.alibaba.values import Unreadable
from dropship_pipeline.catalog.delisting import is_held
from dropship_pipeline.catalog.feeds import FEEDS, Feed
from dropship_pipeline.catalog.sweep import Complete, Running, Sweep
from dropship_pipeline.counting import counted
from dropship_pipeline.storage.catalog.listing_history import lacks_something, recorded_sweeps, tell_again
from dropship_pipeline.storage.catalog.listing_log import PastSweep, ToldSweep, mend_memberships
from dropship_pipeline.storage.lake.raw import RawAnswer, TornRawFile, by_sweep, introduce, read_raw
from dropship_pipeline.sync.replay.summary import KindReplayed
from dropship_pipeline.sync.session import Store
from dropship_pipeline.sync.stages.discover import page_request
from dropship_pipeline.sync.stages.landing import Settled, read_again

_MERGED = ("complete", "incomplete", "held")


def replay_listings(store: Store, paths: list[str], feeds: Sequence[str], done: KindReplayed, notes: list[str]) -> None:
    """Make the memberships of these feeds, or of all, what their landed sweeps say. `paths`: files, oldest first."""
    sweeps = by_sweep(store.database, store.lake, paths)
    recorded = recorded_sweeps(store.database, list(sweeps))
    by_feed: dict[str, list[str]] = defaultdict(list)
    # what tells of no sweep cannot be read: it is set aside when it is tried
    for path in sweeps.pop("", []):
        _read_file(store, path, done)
    for sweep_id in sweeps:
        by_feed[sweep_id.rpartition("Z-")[2]].append(sweep_id)
    for of in FEEDS:
        if feeds and of.key not in feeds:
            continue
        _Listing(store, of, {one: sweeps[one] for one in by_feed[of.key]}, recorded, done, notes).replay()
    store.progress.advance(len(paths))


class _Listing:
    """One feed: its landed sweeps, and what is told of them."""

    def __init__(
        self,
        store: Store,
        of: Feed,
        files: dict[str, list[str]],
        recorded: dict[str, PastSweep],
        done: KindReplayed,
        notes: list[str],
    ) -> None:
        self._store = store
        self._feed = of
        self._files = files
        self._recorded = {one: recorded[one] for one in files if one in recorded}
        self._done = done
        self._notes = notes
        self._counted: set[str] = set()

    def replay(self) -> None:
        """Mend the feed's memberships."""
        merged = [past for past in self._recorded.values() if past.state in _MERGED]
        unheard_of = self._files.keys() - self._recorded.keys()
        ids = [past.sweep_id for past in merged]
        database, key = self._store.database, self._feed.key
        if unheard_of or lacks_something(database, key, ids):
            self._done.rows_written += tell_again(database, key, self._told, is_held)
        self._done.rows_written += mend_memberships(database, key, self._newest_first)

    def _told(self) -> Iterator[ToldSweep]:
        """All of them that can be put together again, in the order in which they were merged."""
        for sweep_id in sorted(self._files, key=self._merged_at):
            told = self._tell(sweep_id)
            if told is not None:
                yield told

    def _newest_first(self) -> Iterator[ToldSweep]:
        """Back to the first that cannot be put together again: what it saw last, no older one can say."""
        for sweep_id in sorted(self._files, key=self._merged_at, reverse=True):
            told = self._tell(sweep_id)
            if told is not None:
                yield told
            elif sweep_id in self._recorded and self._recorded[sweep_id].state in ("complete", "held"):
                return

    def _merged_at(self, sweep_id: str) -> datetime:
        recorded = self._recorded.get(sweep_id)
        return _began(sweep_id) if recorded is None else recorded.ended_at

    def _tell(self, sweep_id: str) -> ToldSweep | None:
        """What a sweep saw. None if it was cut short, or its pages are not all there."""
        recorded = self._recorded.get(sweep_id)
        if recorded is not None and recorded.state not in _MERGED:
            return None
        sweep = Sweep(LARGEST_PAGE[Dialect.GUIDE])
        pages = self._pages(sweep_id)
        for page in pages:
            _read(sweep, page)
        seen, verdict = sweep.table(), sweep.verdict()
        if recorded is not None:
            if seen.num_rows != recorded.listed:
                self._note(
                    f"Sweep {sweep_id} saw {counted(recorded.listed, 'product')}, and its landed pages tell of "
                    f"{seen.num_rows:,}"
                )
                return None
            return ToldSweep(recorded, seen, recorded=True)
        if isinstance(verdict, Running) or not pages:
            return None
        past = PastSweep(
            sweep_id,
            self._feed.key,
            introduce(self._store.lake, self._files[sweep_id][0]).run_id,
            "complete" if isinstance(verdict, Complete) else "incomplete",
            _began(sweep_id),
            max(page.received_at for page in pages),
            sweep.pages_read,
            seen.num_rows,
        )
        return ToldSweep(past, seen, recorded=False)

    def _pages(self, sweep_id: str) -> list[Settled]:
        """The pages of a sweep, in the order in which they were landed; those of torn files are missing."""
        operation = page_request(self._feed, 0, 1).operation
        pages: list[Settled] = []
        for path in self._files[sweep_id]:
            for answer in _read_file(self._store, path, self._done):
                try:
                    pages += read_again(operation, [answer])
                except ApiError as error:  # a code that is known better by now: to be tried again
                    pages.append(Settled(answer.key, answer.received_at, answer.body, None, error))
        if sweep_id not in self._counted:
            self._counted.add(sweep_id)
            self._done.files += len(self._files[sweep_id])
            self._done.answers += len(pages)
            self._done.rederived += 1
        return pages

    def _note(self, line: str) -> None:
        if line not in self._notes:
            self._notes.append(line)
            self._store.progress.note(line)


def _read_file(store: Store, path: str, done: KindReplayed) -> list[RawAnswer]:
    """The answers of a file; none if it is torn, which is set aside and said once."""
    if path in done.torn:
        return []
    try:
        return read_raw(store.lake, path)
    except TornRawFile as torn:
        store.progress.note(str(torn))
        done.torn.append(path)
        return []


def _read(sweep: Sweep, page: Settled) -> None:
    number = int(page.key.rpartition(":")[2])
    if page.refusal is not None:
        sweep.failed(number, page.refusal.what)
        return
    try:
        sweep.read(number, read_product_page(page.payload))
    except Unreadable as why:
        sweep.failed(number, str(why))


def _began(sweep_id: str) -> datetime:
    return datetime.strptime(sweep_id.partition("Z-")[0], "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC)
