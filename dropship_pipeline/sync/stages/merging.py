"""`Merging`: one hand-over is merged in a thread beside while the next is fetched, landed and normalised.

What is handed in was landed before: a kill in the middle of it repeats no call (`pipeline.recover`).
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import TracebackType

from dropship_pipeline.catalog.ledger import Ledger
from dropship_pipeline.storage.catalog.merge import MergeCounts, Merger

_CANCEL_AGAIN = 0.1  # seconds: what is cancelled between two statements does not notice


class Merging:
    """A context manager; its users are one thread, which leaves the merger alone meanwhile.

    One merge is under way at a time, in the order in which they are handed in. Each is told to `merged` in the user's
    thread; an error of one is raised by the next `start`, or at the end. Left by an error, it lets the merge that is
    under way come to its end; left by an interrupt, it has Postgres undo it.
    """

    def __init__(self, merger: Merger, merged: Callable[[MergeCounts, Ledger], None]) -> None:
        self._merger = merger
        self._merged = merged
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="merge")
        self._under_way: tuple[Future[MergeCounts], Ledger] | None = None

    def start(self, merge: Callable[[], MergeCounts], ledger: Ledger) -> None:
        """Begin a merge, once the one before it has ended."""
        self._finish()
        self._under_way = self._thread.submit(merge), ledger

    def __enter__(self) -> "Merging":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if kind is None or issubclass(kind, Exception):
                self._finish()
        finally:
            while self._under_way is not None and not self._under_way[0].done():
                self._merger.cancel()
                wait([self._under_way[0]], _CANCEL_AGAIN)
            self._thread.shutdown()

    def _finish(self) -> None:
        if self._under_way is None:
            return
        future, ledger = self._under_way
        counts = future.result()
        self._under_way = None
        self._merged(counts, ledger)
