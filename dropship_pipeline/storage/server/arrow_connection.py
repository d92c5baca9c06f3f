"""One connection for Arrow tables in bulk, which Ctrl-C can interrupt: its statements run in a thread of their own.

On the main thread ADBC takes SIGINT to itself for as long as a statement runs, and a Ctrl-C that comes when the
statement has just ended is lost. In another thread it leaves signals alone: the main thread waits, what the signal
raises there is raised at once, and the statement is cancelled. What to say to Postgres is not decided here.
"""

import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Any, TypeVar

import adbc_driver_manager
import pyarrow as pa
from adbc_driver_postgresql import StatementOptions

T = TypeVar("T")

_CANCEL_AGAIN = 0.1  # seconds: Postgres ignores a request that comes before the statement does


class ArrowConnection:
    """Owns an ADBC connection (DBAPI, autocommit). One caller's thread at a time. Raises the driver's own errors.

    After an interrupt the transaction under way cannot go on: all that is left to do is to `close`.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="adbc")
        self._ident = self._thread.submit(threading.get_ident).result()
        self._closed = False

    def do(self, job: Callable[[], T]) -> T:
        """Have the thread do all of `job`, which uses this connection, and give what it gives.

        Many statements then cost one change of threads. Whatever is raised while waiting cancels them first.
        """
        if threading.get_ident() == self._ident:
            return job()
        future = self._thread.submit(job)
        try:
            return future.result()
        except BaseException:
            self._cancel(future)
            raise

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        """Run one statement to its end, and give its rows."""

        def rows() -> list[tuple[Any, ...]]:
            with self._connection.cursor() as cursor:
                cursor.execute(statement)
                return list(cursor.fetchall()) if cursor.description else []

        return self.do(rows)

    def arrow(self, query: str) -> pa.Table:
        """Run a query, and give its rows as an Arrow table."""

        def table() -> pa.Table:
            with self._connection.cursor() as cursor:
                cursor.execute(query)
                rows: pa.Table = cursor.fetch_arrow_table()
                return rows

        return self.do(table)

    def batches(self, query: str, batch_bytes: int) -> Generator[pa.RecordBatch]:
        """Run a query, and give its rows batch by batch, each of some `batch_bytes` as Postgres sends them.

        To be closed by the caller before the connection is.
        """

        def begin() -> tuple[Any, pa.RecordBatchReader]:
            cursor = self._connection.cursor()
            cursor.adbc_statement.set_options(**{StatementOptions.BATCH_SIZE_HINT_BYTES.value: str(batch_bytes)})
            cursor.execute(query)
            return cursor, cursor.fetch_record_batch()

        cursor, reader = self.do(begin)
        try:
            while (batch := self.do(lambda: _next(reader))) is not None:
                yield batch
        except BaseException:
            self.cancel()  # or all the rows that are left would have to be received first
            raise
        finally:
            self.do(cursor.close)

    def load(self, schema: str, table: str, rows: pa.Table) -> None:
        """Append rows to a table; columns are matched by name, those not given stay NULL."""

        def ingest() -> None:
            with self._connection.cursor() as cursor:
                cursor.adbc_ingest(table, rows, mode="append", db_schema_name=schema)

        self.do(ingest)

    def cancel(self) -> None:
        """Ask Postgres to cancel what is under way, from any thread; nothing is, and the next one may be: ask again."""
        with suppress(adbc_driver_manager.Error):  # a server that cannot be asked has ended the statement too
            self._connection.adbc_cancel()

    def close(self) -> None:
        """Close the connection, once; a statement that an interrupt left under way is cancelled, its work undone."""
        if self._closed:
            return
        behind = self._thread.submit(bool)  # done as soon as nothing is under way
        wait([behind], _CANCEL_AGAIN)
        self._cancel(behind)
        self._thread.submit(self._connection.close).result()
        self._thread.shutdown()
        self._closed = True

    def _cancel(self, job: Future[Any]) -> None:
        """Ask Postgres to cancel until the job has ended."""
        while not job.done():
            self.cancel()
            wait([job], _CANCEL_AGAIN)


def _next(reader: pa.RecordBatchReader) -> pa.RecordBatch | None:
    try:
        return reader.read_next_batch()
    except StopIteration:
        return None
    except (OSError, pa.ArrowException) as error:
        # what breaks in the middle of a stream comes as Arrow's error, and must not pass for one of the lake
        raise adbc_driver_manager.OperationalError(
            str(error), status_code=adbc_driver_manager.AdbcStatusCode.IO
        ) from error
