"""One kept connection that runs transactions to their end, whatever gets in their way.

A transaction that lost against another one, or whose connection broke before COMMIT, did nothing and is begun again;
one whose connection broke during COMMIT may stand or not, and says so.
"""

import random
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


class Transactions:
    """A `Stage` that is opened when it is needed and again when it broke. Not to be shared among threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._stage: Stage | None = None

    def close(self) -> None:
        """Close the connection."""
        if self._stage is not None:
            self._stage.close()
            self._stage = None

    def run(self, prepare: Callable[[Stage], None], work: Callable[[Stage], T], *, commit: bool = True) -> T:
        """Do `work` in one transaction and give what it gives. `prepare` makes temporary tables, before it begins.

        Without `commit` everything is rolled back: to see whether it would do. Raises the drivers' own errors, and
        `CommitUnknown`.
        """
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
            try:
                if self._stage is None:
                    self._stage = Stage(self._database)
                stage = self._stage
                done = stage.do(partial(_begun, stage, prepare, work))
            except Exception as error:
                self._abandon(error)
                tries += 1
                if tries == _TRIES or not (is_conflict(error) or is_lost(error)):
                    raise
                time.sleep(_FIRST_PAUSE * 2 ** (tries - 1) * random.uniform(0.5, 1.5))  # noqa: S311  no secret
                continue
            self._finish(stage, commit=commit)
            return done

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

    def _finish(self, stage: Stage, *, commit: bool) -> None:
        try:
            stage.run("COMMIT" if commit else "ROLLBACK")
        except Exception as error:
            if not is_lost(error):
                raise
            self.close()
            raise CommitUnknown(
                f"The connection to the database {self._database.address} broke while a batch was being committed",
                "Run the command again: if the batch was committed it finds nothing to do, else it is merged then",
            ) from error


def _begun(stage: Stage, prepare: Callable[[Stage], None], work: Callable[[Stage], T]) -> T:
    prepare(stage)
    stage.run("BEGIN")
    return work(stage)
