"""One kept connection that runs transactions to their end, whatever gets in their way.

A transaction that lost against another one, or whose connection broke before COMMIT, did nothing and is begun again.
Where the connection broke during COMMIT, Postgres is asked on another one what became of it: what stands is done, what
does not is begun again. Only where nobody answers is the outcome unknown, and that is said.
"""

import random
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.storage.server.failures import CommitUnknown, is_conflict, is_lost
from dropship_pipeline.storage.server.staging import Stage

T = TypeVar("T")

_TRIES = 5
_FIRST_PAUSE = 0.1  # seconds, doubling: a server that was restarted is back after the last, or it is down
_SETTLING = 30.0  # seconds that a COMMIT may still be under way in a server which has lost us

_ID = "SELECT pg_current_xact_id_if_assigned()::text"  # NULL: nothing was written


class Transactions:
    """A `Stage` that is opened when it is needed and again when it broke. Not to be shared among threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._stage: Stage | None = None
        self._cancelled = threading.Event()

    @property
    def address(self) -> str:
        """Which database, in the fewest words: for messages."""
        return self._database.address

    def close(self) -> None:
        """Close the connection."""
        if self._stage is not None:
            self._stage.close()
            self._stage = None

    def cancel(self) -> None:
        """From another thread: what is under way is to fail and be undone. It may need to be told so again."""
        self._cancelled.set()
        stage = self._stage
        if stage is not None:
            stage.cancel()

    def run(self, prepare: Callable[[Stage], None], work: Callable[[Stage], T], *, commit: bool = True) -> T:
        """Do `work` in one transaction and give what it gives. `prepare` makes temporary tables, before it begins.

        Without `commit` everything is rolled back: to see whether it would do. Raises the drivers' own errors, and
        `CommitUnknown`.
        """
        self._cancelled.clear()
        try:
            return self._run(prepare, work, commit=commit)
        except Exception:
            raise
        except BaseException:
            self.close()  # interrupted: the transaction is undone here and now, with the locks that it holds
            raise

    def _run(self, prepare: Callable[[Stage], None], work: Callable[[Stage], T], *, commit: bool) -> T:
        tries = 0
        while True:
            tries += 1
            try:
                stage = self._opened()
                # all in one change of threads, up to the moment from which on a failure may have done something
                done, transaction = stage.do(partial(_begun, stage, prepare, work, commit=commit))
            except Exception as error:
                self._abandon(error)
                if self._is_over(tries) or not (is_conflict(error) or is_lost(error)):
                    raise
                self._pause(tries)
                continue
            try:
                stage.run("COMMIT" if commit else "ROLLBACK")
            except Exception as error:
                self._abandon(error)
                if not is_lost(error):  # a conflict, or a constraint that is looked at so late: nothing was done
                    if self._is_over(tries) or not is_conflict(error):
                        raise
                elif not commit or transaction is None or self._stands(transaction, error):
                    return done
                elif self._is_over(tries):
                    raise
                self._pause(tries)
                continue
            return done

    def _opened(self) -> Stage:
        if self._stage is None:
            self._stage = Stage(self._database)
        return self._stage

    def _abandon(self, error: Exception) -> None:
        """Roll back; where the connection is gone, or will not even do that, let it go."""
        if self._stage is None:
            return
        if not is_lost(error):
            try:
                self._stage.run("ROLLBACK")
            except Exception as worse:
                if not is_lost(worse):
                    raise
            else:
                return
        self.close()

    def _stands(self, transaction: str, lost: Exception) -> bool:
        """Whether a transaction was committed, whose connection broke meanwhile. Raises `CommitUnknown`."""
        give_up = time.monotonic() + _SETTLING
        tries = 0
        while True:
            tries += 1
            try:
                [(status,)] = self._opened().run(f"SELECT pg_xact_status('{transaction}')")
            except Exception as error:  # noqa: BLE001  whatever it is, it cannot be asked: which is raised in the end
                self._abandon(error)
                if self._is_over(tries):
                    raise self._unknown() from lost
            else:
                if status in ("committed", "aborted"):
                    return bool(status == "committed")
                if status is None or time.monotonic() > give_up:
                    raise self._unknown() from lost
            self._pause(min(tries, _TRIES))

    def _is_over(self, tries: int) -> bool:
        return tries >= _TRIES or self._cancelled.is_set()

    def _pause(self, tries: int) -> None:
        self._cancelled.wait(_FIRST_PAUSE * 2 ** (tries - 1) * random.uniform(0.5, 1.5))  # noqa: S311  no secret

    def _unknown(self) -> CommitUnknown:
        return CommitUnknown(
            f"The connection to the database {self._database.address} broke while a batch was being committed, and "
            "nobody could be asked what became of it",
            "Run the command again: if the batch was committed it finds nothing to do, else it is merged then",
        )


def _begun(
    stage: Stage, prepare: Callable[[Stage], None], work: Callable[[Stage], T], *, commit: bool
) -> tuple[T, str | None]:
    """What the work gives, and the number of its transaction; None where nothing was written or will be kept."""
    prepare(stage)
    stage.run("BEGIN")
    done = work(stage)
    return done, stage.run(_ID)[0][0] if commit else None
