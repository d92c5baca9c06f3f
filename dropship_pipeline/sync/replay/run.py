"""Replaying: the tables derived again from the landed answers, without one call.

For when a parser was mended, a table was altered or emptied by hand, or an older backup was restored. Each landed
answer is held against what the tables are of:

- an older one is passed over;
- the very one is read again, and what differs is mended: neither logged nor dated as a change, for nothing changed at
  Alibaba.com;
- a newer one is merged as the sync does, in the order in which they were landed, so that change logs, `first_seen_at`
  and `changed_at` come out as they did. To a product whose row is gone all its answers are newer, and so they are to
  tables that were emptied together with `ops.fetches`: their whole landed history is gone through.

What is in order is not written. A replay that was killed is repeated: it goes on where it was.

What cannot be derived: what came before the oldest landed answer (DROPSHIP_RAW_DAYS), so that `first_seen_at`,
`changed_at` and `first_listed_at` of a row that was lost are no earlier; `first_seen_at` and `changed_at` that were
altered in a row which is still there; rows that were taken out of a log of prices or stock while the products stayed.
To have all of it derived afresh, truncate the tables of `catalog` and `ops.fetches`, and replay. Whose catalogue it is
(`ops.origin`) is not in the answers: the next sync says it.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from types import MappingProxyType

from dropship_pipeline.alibaba.errors import ApiError
from dropship_pipeline.alibaba.operations import Operation
from dropship_pipeline.catalog.feeds import feed
from dropship_pipeline.catalog.ledger import Ledger
from dropship_pipeline.garbage import leave_what_is_there
from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.catalog.merge import MergeCounts
from dropship_pipeline.storage.catalog.replays import Landed, forget_lost, mend_market, of_use
from dropship_pipeline.storage.lake.raw import RawAnswer, RawFile, TornRawFile, landed, read_raw, unrecorded
from dropship_pipeline.sync.replay.listings import replay_listings
from dropship_pipeline.sync.replay.summary import KindReplayed, ReplaySummary
from dropship_pipeline.sync.session import Store
from dropship_pipeline.sync.stages.describe import DESCRIPTION
from dropship_pipeline.sync.stages.discover import KIND as LISTING
from dropship_pipeline.sync.stages.landing import Settled, products_of, read_again
from dropship_pipeline.sync.stages.pipeline import Kind, R, settle
from dropship_pipeline.sync.stages.quote import KIND as FREIGHT
from dropship_pipeline.sync.stages.quote import CutShort, Quoted, by_quote, quoted_again, settle_quotes
from dropship_pipeline.sync.stages.stock import STOCK


@dataclass(frozen=True, slots=True)
class _File:
    """The answers of a landed file. `done`: the file itself, if a merge of it is to be recorded."""

    path: str
    answers: list[RawAnswer]
    done: tuple[RawFile, ...]


def replay(
    store: Store, since: timedelta | None = None, kinds: Sequence[str] = (), feeds: Sequence[str] = ()
) -> ReplaySummary:
    """Derive the tables again from what was landed in the time `since`, or from all that is kept.

    `kinds`: some of `KINDS`; all where it is empty. `feeds`: only products that these list or listed. Raises `Problem`
    for a kind or a feed that there is not, and where nothing is landed; and what the database and the lake raise.
    """
    began = time.monotonic()
    leave_what_is_there()
    for key in feeds:
        feed(key)
    done = {kind: KindReplayed(kind) for kind in _chosen(kinds)}
    summary = ReplaySummary(list(done.values()))
    paths = landed(store.lake, done, since)
    if not paths:
        raise Problem(
            f"No answers {'are landed' if since is None else 'of that time are landed'} in {store.lake.at('raw')}",
            "Check DROPSHIP_HOME and DROPSHIP_LAKE_URL; answers are kept for DROPSHIP_RAW_DAYS days",
        )
    store.progress.begin("replaying raw files", len(paths))
    listings = [path for path in paths if _kind_of(path) == LISTING]
    if listings:
        replay_listings(store, listings, feeds, done[LISTING], summary.notes)
    forget_lost(store.database, list(done), feeds)
    others = [path for path in paths if _kind_of(path) != LISTING]
    orphans = unrecorded(store.database, store.lake, others)
    for path in others:
        # of a file that nobody merged, the products of other feeds are still to be merged
        recorded = (orphans[path],) if path in orphans and not feeds else ()
        _replay_file(store, path, recorded, feeds, done[_kind_of(path)])
        store.progress.advance(1)
    if _DECIDE_WHAT_IS_ON_OFFER & done.keys():
        summary.kinds[0].rows_written += mend_market(store.database, feeds)
    store.progress.finish()
    summary.seconds = time.monotonic() - began
    return summary


def _replay_file(
    store: Store, path: str, recorded: tuple[RawFile, ...], feeds: Sequence[str], done: KindReplayed
) -> None:
    try:
        file = _File(path, read_raw(store.lake, path), recorded)
    except TornRawFile as torn:
        store.progress.note(str(torn))
        done.torn.append(path)
        return
    done.files += 1
    _SETTLERS[done.kind](store, file, feeds, done)


def _replay_products(kind: Kind[R], store: Store, file: _File, feeds: Sequence[str], done: KindReplayed) -> None:
    """Answers that stand for themselves: descriptions, stock. One about several products counts once for each."""
    asked = [(at, product_id) for at, raw in enumerate(file.answers) for product_id in products_of(raw)]
    told = [Landed(product_id, file.answers[at].received_at) for at, product_id in asked]
    places = of_use(store.database, kind.name, told, feeds)
    done.answers += len(told)
    done.passed_over += len(told) - len(places)
    useful: dict[int, set[str]] = defaultdict(set)
    for at, product_id in (asked[place] for place in sorted(places)):
        useful[at].add(product_id)
    answers = [
        answer
        for at, product_ids in useful.items()
        for answer in _settled(kind.operation, file.answers[at], done)
        if answer.key in product_ids
    ]
    if answers or file.done:
        _count(done, *settle(store.merger, kind, answers, file.path, file.done))


def _replay_quotes(store: Store, file: _File, feeds: Sequence[str], done: KindReplayed) -> None:
    """Answers of which several add up to a quote. It is as old as the last of them."""
    tries = list(by_quote(file.answers).items())
    told = [Landed(product_id, answers[-1].received_at, str(to)) for (product_id, to), answers in tries]
    places = of_use(store.database, FREIGHT, told, feeds)
    done.answers += len(file.answers)
    quotes: list[Quoted] = []
    for place, (asked, answers) in enumerate(tries):
        if place not in places:
            done.passed_over += len(answers)
            continue
        try:
            quotes.append(quoted_again(asked, answers))
        except (ApiError, CutShort):
            done.unsettled += len(answers)
    if quotes or file.done:
        counts, ledger, _ = settle_quotes(store.merger, quotes, file.path, file.done)
        _count(done, counts, ledger)


def _settled(operation: Operation, answer: RawAnswer, done: KindReplayed) -> list[Settled]:
    try:
        return read_again(operation, [answer])
    except ApiError:  # a code that is known better by now: to be tried again, not a refusal
        done.unsettled += 1
        return []


def _count(done: KindReplayed, counts: MergeCounts, ledger: Ledger) -> None:
    done.rederived += counts.products
    done.rows_written += sum(counts.rows_written.values())
    done.refused += ledger.refused
    done.rejected += ledger.rejected + counts.rejected


_SETTLERS: Mapping[str, Callable[[Store, _File, Sequence[str], KindReplayed], None]] = MappingProxyType(
    {
        DESCRIPTION.name: partial(_replay_products, DESCRIPTION),
        STOCK.name: partial(_replay_products, STOCK),
        FREIGHT: _replay_quotes,
    }
)
_DECIDE_WHAT_IS_ON_OFFER = {LISTING, DESCRIPTION.name}

KINDS = (LISTING, *_SETTLERS)
"""The kinds of answers that are landed and can be replayed: a new one gets a row in the table above."""


def _chosen(kinds: Sequence[str]) -> tuple[str, ...]:
    for kind in kinds:
        if kind not in KINDS:
            raise Problem(f"There is no kind of answer {kind!r}", f"Choose among {', '.join(KINDS)}")
    return tuple(kind for kind in KINDS if not kinds or kind in kinds)


def _kind_of(path: str) -> str:
    return path.split("/")[1]
