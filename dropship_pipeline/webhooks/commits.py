"""Group commit: messages that arrive while transactions are under way are stored together by the next one.

Two transactions go at once: while one waits for the disk, the other gathers. Nothing is held back to wait for company,
so that a single message takes as long as its own transaction.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from dropship_pipeline.storage.ops.inbox import Message, can_store, store_messages
from dropship_pipeline.storage.server.database import Database, DatabaseProblem
from dropship_pipeline.webhooks.counters import Counters

_log = logging.getLogger(__name__)

_TOGETHER = 500
"""Messages a transaction."""

MOST_WAITING = 5_000
"""Messages that wait to be stored: more are refused at once. Some five seconds of the most that is expected."""

_WRITERS = 2

_PROBED_EVERY = 1.0  # seconds


class NotStored(Exception):
    """The message could not be stored in time; it may have been nevertheless."""


@dataclass(slots=True)
class _Waiting:
    message: Message
    stored: "asyncio.Future[bool]"


class GroupCommits:
    """Stores messages of one event loop. `start` before the first `put`; `stop` stores what waits."""

    def __init__(self, database: Database, counters: Counters, *, patience: float = 2.0) -> None:
        """`patience`: seconds that a message waits to be stored before its sender is told to come again."""
        self._database = database
        self._counters = counters
        self._patience = patience
        self._waiting: list[_Waiting] = []
        self._arrived = asyncio.Event()
        self._stopping = False
        self._writers: list[asyncio.Task[None]] = []
        # one more, that looks: transactions that hang must not make the looking hang
        self._threads = ThreadPoolExecutor(_WRITERS + 1, "webhooks")
        self._last = datetime.min.replace(tzinfo=UTC)
        self._broken_since: float | None = None
        self._looked_at = 0.0
        self._could = True

    def start(self) -> None:
        """Begin to store. Called on the event loop."""
        self._writers = [asyncio.get_running_loop().create_task(self._write()) for _ in range(_WRITERS)]

    async def stop(self) -> None:
        """Store what waits, and end."""
        self._stopping = True
        self._arrived.set()
        await asyncio.gather(*self._writers)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def arrival(self) -> datetime:
        """Now (UTC), and later than the last time that this was asked: what arrived later sorts later."""
        self._last = max(datetime.now(UTC), self._last + timedelta(microseconds=1))
        return self._last

    async def put(self, message: Message) -> bool:
        """Store it; whether it was new. Returns when it is committed. Raises `NotStored`."""
        if len(self._waiting) >= MOST_WAITING:
            raise NotStored
        waiting = _Waiting(message, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._arrived.set()
        try:
            return await asyncio.wait_for(waiting.stored, self._patience)
        except TimeoutError:
            raise NotStored from None

    async def can_store(self) -> bool:
        """Whether messages can be stored now. Looked at no more than once a second, whoever asks."""
        now = time.monotonic()
        if now - self._looked_at >= _PROBED_EVERY:
            self._looked_at = now
            look = asyncio.get_running_loop().run_in_executor(self._threads, can_store, self._database)
            try:
                await asyncio.wait_for(look, self._patience)
            except (DatabaseProblem, TimeoutError):
                self._could = False
            else:
                self._could = True
        return self._could

    async def _write(self) -> None:
        while not (self._stopping and not self._waiting):
            await self._arrived.wait()
            together, self._waiting = self._waiting[:_TOGETHER], self._waiting[_TOGETHER:]
            if not self._waiting and not self._stopping:
                self._arrived.clear()
            # whoever was told to come again does so: storing theirs too would only keep the others waiting
            together = [waiting for waiting in together if not waiting.stored.done()]
            if together:
                await self._commit(together)

    async def _commit(self, together: Sequence[_Waiting]) -> None:
        messages: dict[str, Message] = {}
        for waiting in together:
            first = messages.setdefault(waiting.message.message_key, waiting.message)
            if first is not waiting.message:
                messages[first.message_key] = replace(first, deliveries=first.deliveries + 1)
        loop = asyncio.get_running_loop()
        try:
            new = await loop.run_in_executor(self._threads, store_messages, self._database, list(messages.values()))
        except Exception as error:  # noqa: BLE001  whatever it is, the senders are told, and the next transaction is tried
            self._failed(error)
            for waiting in together:
                if not waiting.stored.done():
                    waiting.stored.set_exception(NotStored())
            return
        self._went_well()
        self._counters.stored.inc(len(new))
        for waiting in together:
            if not waiting.stored.done():
                waiting.stored.set_result(waiting.message.message_key in new)
            new.discard(waiting.message.message_key)

    def _failed(self, error: Exception) -> None:
        self._counters.can_store.set(0)
        if self._broken_since is None:
            self._broken_since = time.monotonic()
            words = str(error) if isinstance(error, DatabaseProblem) else f"{type(error).__name__}."
            _log.error("Push messages cannot be stored, and are answered with 503. %s", words)

    def _went_well(self) -> None:
        if self._broken_since is not None:
            _log.warning("Push messages are stored again, after %.0f s", time.monotonic() - self._broken_since)
            self._broken_since = None
        self._counters.can_store.set(1)
