"""Dead letters read again: from the answers that were landed, without a call, as far as this version can read them.

What is asked of the API again goes the way of every sync (`orchestration.run`, `sync.orders`); dead letters themselves
are in `storage.catalog.rejects`. A record that is read is resolved by the merge, here as there.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType

from dropship_pipeline.alibaba.errors import ApiError
from dropship_pipeline.alibaba.exhibits import exhibit
from dropship_pipeline.alibaba.operations import OPERATIONS, Operation
from dropship_pipeline.storage.catalog.rejects import Reject, left_of
from dropship_pipeline.storage.lake.place import Lake
from dropship_pipeline.storage.lake.raw import RawAnswer, TornRawFile, read_raw
from dropship_pipeline.sync.session import Store
from dropship_pipeline.sync.stages.describe import DESCRIPTION
from dropship_pipeline.sync.stages.landing import Settled, products_of, read_again
from dropship_pipeline.sync.stages.pipeline import Kind, R, settle
from dropship_pipeline.sync.stages.quote import KIND as FREIGHT
from dropship_pipeline.sync.stages.quote import CutShort, by_quote, quoted_again, settle_quotes
from dropship_pipeline.sync.stages.stock import STOCK


def retry_landed(store: Store, rejects: Sequence[Reject]) -> list[Reject]:
    """Read their last answers again, where they were landed and are still kept; gives those that are left.

    An answer that cannot be read this time either is the one of before: no attempt is counted. Makes no call.
    """
    by_file: dict[tuple[str, str], list[Reject]] = defaultdict(list)
    for reject in rejects:
        if reject.kind in _READERS and reject.raw_file is not None:
            by_file[reject.kind, reject.raw_file].append(reject)
    store.progress.begin("read landed answers", len(by_file))
    for (kind, path), together in by_file.items():
        try:
            answers = read_raw(store.lake, path) if store.lake.exists(path) else []
        except TornRawFile as torn:
            store.progress.note(str(torn))
        else:
            _READERS[kind](store, path, answers, together)
        store.progress.advance(1)
    store.progress.finish()
    return left_of(store.database, rejects)


def landed_payload(lake: Lake, reject: Reject) -> str | None:
    """What was answered last, from where it was landed, as JSON fit to be shown; None where it is kept no more."""
    if reject.kind not in _OPERATIONS or reject.raw_file is None or not lake.exists(reject.raw_file):
        return None
    for answer in read_raw(lake, reject.raw_file):
        if reject.record_key in products_of(answer) and answer.received_at == reject.last_seen_at:
            for settled in _settled(_OPERATIONS[reject.kind], [answer]):
                if settled.key == reject.record_key:
                    return exhibit(settled.payload)
    return None


def _read_products(
    kind: Kind[R], store: Store, path: str, landed: Sequence[RawAnswer], rejects: Sequence[Reject]
) -> None:
    """Answers that stand for themselves: descriptions, stock."""
    wanted = {(reject.record_key, reject.last_seen_at) for reject in rejects}
    of = {key for key, _ in wanted}
    chosen = [answer for answer in landed if not of.isdisjoint(products_of(answer))]
    answers = [one for one in _settled(kind.operation, chosen) if (one.key, one.received_at) in wanted]
    if answers:
        settle(store.merger, kind, answers, path, ())


def _read_quotes(store: Store, path: str, landed: Sequence[RawAnswer], rejects: Sequence[Reject]) -> None:
    """Answers of which several add up to a quote."""
    wanted = {(reject.record_key, reject.destination, reject.last_seen_at) for reject in rejects}
    quotes = []
    for (product_id, to), answers in by_quote(landed).items():
        if (product_id, str(to), answers[-1].received_at) in wanted:
            try:
                quotes.append(quoted_again((product_id, to), answers))
            except (ApiError, CutShort):  # it goes on where it had ended: what comes next has to be asked for
                continue
    if quotes:
        settle_quotes(store.merger, quotes, path, ())


def _settled(operation: Operation, answers: Sequence[RawAnswer]) -> Iterator[Settled]:
    for answer in answers:
        try:
            yield from read_again(operation, [answer])
        except ApiError:  # a code that is known better by now: to be asked again
            continue


_READERS: Mapping[str, Callable[[Store, str, Sequence[RawAnswer], Sequence[Reject]], None]] = MappingProxyType(
    {
        DESCRIPTION.name: partial(_read_products, DESCRIPTION),
        STOCK.name: partial(_read_products, STOCK),
        FREIGHT: _read_quotes,
    }
)
_OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        DESCRIPTION.name: DESCRIPTION.operation,
        STOCK.name: STOCK.operation,
        FREIGHT: OPERATIONS["estimate_freight"],
    }
)
