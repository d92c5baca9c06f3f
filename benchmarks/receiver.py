"""Whether the receiver of push messages keeps what it acknowledges, and how soon it does, at 1,000 messages a second.

    python benchmarks/receiver.py [--rate 1000] [--seconds 30] [--kill-after 10]

The receiver has one core to itself where the machine has two; Postgres, the embedded one with its fsync, and the sender
share the rest. Every message is another one, signed as the guide says. A time is from the moment at which a message was
due to be sent to its answer: a sender that is held up does not make the receiver look quick. Checked afterwards: each
message that was answered with 200 is in the inbox, and nothing else is.

Then the same again, with the receiver killed in the middle (SIGKILL) and started again: none that was acknowledged may
be missing.

Prints a line of JSON a part; exits 1 where a message is missing or the 99th percentile is 100 ms or more.
"""

import argparse
import asyncio
import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import uvloop

from dropship_pipeline.storage.server import embedded
from dropship_pipeline.storage.server.database import Database

KEY, SECRET = "12345678", "helloworld"
CONNECTIONS = 64
LIMIT_MS = 100.0


@dataclass
class Tally:
    """What came of the messages: seconds of each that was answered with 200, and how the others ended."""

    acknowledged: dict[str, float] = field(default_factory=dict)
    others: Counter[str] = field(default_factory=Counter)

    def quantile(self, share: float) -> float:
        """Milliseconds within which this share was acknowledged."""
        times = sorted(self.acknowledged.values())
        return round(times[min(len(times) - 1, int(len(times) * share))] * 1000, 1) if times else float("nan")


def message(number: int) -> tuple[str, bytes]:
    """The key of a message in the inbox, and its body: every tenth of an order, the others of products."""
    data: dict[str, str] = (
        {"trade_id_str": f"25{number:016d}", "status": "paid", "status_update_time": "2026-01-01 00:00:00"}
        if number % 10 == 0
        else {"productId": f"16{number:011d}", "skuId": str(number), "option": "PRICE_CHANGE", "value": "11.00"}
    )
    document = {"seller_id": "BROADCAST", "message_type": 1, "data": data, "timestamp": int(time.time())}
    body = json.dumps(document).encode()
    return hashlib.sha256(body).hexdigest(), body


class Line(asyncio.Protocol):
    """A kept-alive connection that carries one request at a time. As little as a sender can do: it is not measured."""

    def __init__(self, host: str, port: int) -> None:
        self._where = (host, port)
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[int] | None = None
        self._read = b""

    async def ask(self, request: bytes) -> int:
        """The status of the answer. Raises OSError where there is none."""
        loop = asyncio.get_running_loop()
        if self._transport is None:
            await loop.create_connection(lambda: self, *self._where)
        assert self._transport is not None
        self._answer, self._read = loop.create_future(), b""
        self._transport.write(request)
        return await asyncio.wait_for(self._answer, 5)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is of another family

    def data_received(self, data: bytes) -> None:
        """Some of the answer."""
        self._read += data
        head, has_head, body = self._read.partition(b"\r\n\r\n")
        if has_head and self._answer is not None and not self._answer.done():
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            if len(body) >= int(length):
                self._answer.set_result(int(head.split(b" ", 2)[1]))

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone; the next request opens another."""
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("closed"))


async def send(address: str, rate: float, seconds: float, start_at: int, tally: Tally) -> None:
    """Send `rate` messages a second, at their times however long the answers take."""
    where = urlsplit(address)
    free: asyncio.LifoQueue[Line] = asyncio.LifoQueue()
    for _ in range(CONNECTIONS):
        free.put_nowait(Line(where.hostname or "", where.port or 0))
    under_way: set[asyncio.Task[None]] = set()
    began = time.perf_counter()

    async def one(line: Line, number: int, due: float) -> None:
        key, body = message(start_at + number)
        signed = hmac.new(SECRET.encode(), KEY.encode() + body, hashlib.sha256).hexdigest()
        head = (
            f"POST {where.path} HTTP/1.1\r\nHost: x\r\nAuthorization: {signed}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        try:
            status = await line.ask(head.encode() + body)
            if status == 200:
                tally.acknowledged[key] = time.perf_counter() - due
            else:
                tally.others[str(status)] += 1
        except (TimeoutError, OSError) as error:
            tally.others[type(error).__name__] += 1
        finally:
            free.put_nowait(line)

    for number in range(int(rate * seconds)):
        due = began + number / rate
        if due > time.perf_counter():
            await asyncio.sleep(due - time.perf_counter())
        task = asyncio.create_task(one(await free.get(), number, due))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    await asyncio.gather(*under_way)


class Receiver:
    """The receiver as a process, on a core of its own where there are several."""

    def __init__(self, home: Path, port: int) -> None:
        self.home, self.port = home, port
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ALIBABA_", "DROPSHIP_"))}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "dropship_pipeline.cli", "webhooks", "serve", "--port", str(self.port)],
            env={**kept, "ALIBABA_APP_KEY": KEY, "ALIBABA_APP_SECRET": SECRET, "DROPSHIP_HOME": str(self.home)},
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=_on_the_first_core,  # noqa: PLW1509  no thread runs in this program yet
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip().rpartition(" ")[2]
        self.port = urlsplit(self.address).port or 0

    def cpu_seconds(self) -> float:
        """What it has taken of its core so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self, how: signal.Signals) -> None:
        """Stop it, or kill it."""
        self.process.send_signal(how)
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


def _on_the_first_core() -> None:
    if len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def kept(database: Database) -> set[str]:
    """The keys of all messages in the inbox."""
    with database.begin() as connection:
        return set(connection.exec_driver_sql("SELECT message_key FROM ops.webhook_inbox").scalars())


def emptied(database: Database) -> None:
    """Forget what an earlier part has stored."""
    with database.begin() as connection:
        connection.exec_driver_sql("TRUNCATE ops.webhook_inbox")


async def undisturbed(receiver: Receiver, database: Database, rate: float, seconds: float) -> dict[str, object]:
    """Everything is acknowledged, soon, and kept."""
    emptied(database)
    tally, before = Tally(), receiver.cpu_seconds()
    began = time.perf_counter()
    await send(receiver.address, rate, seconds, 0, tally)
    took = time.perf_counter() - began
    there = kept(database)
    return {
        "part": "undisturbed",
        "rate": round(len(tally.acknowledged) / took),
        "acknowledged": len(tally.acknowledged),
        "missing": len(tally.acknowledged.keys() - there),
        "not_acknowledged": dict(tally.others),
        "p50_ms": tally.quantile(0.5),
        "p99_ms": tally.quantile(0.99),
        "p999_ms": tally.quantile(0.999),
        "max_ms": tally.quantile(1),
        "core": round((receiver.cpu_seconds() - before) / took, 2),
        "load": round(os.getloadavg()[0], 1),  # of the whole machine: well above its cores, others were at work
    }


async def killed(
    receiver: Receiver, database: Database, rate: float, seconds: float, kill_after: float
) -> dict[str, object]:
    """None that was acknowledged is missing, although the receiver was killed in the middle."""
    emptied(database)
    tally = Tally()
    sending = asyncio.create_task(send(receiver.address, rate, seconds, 10_000_000, tally))
    await asyncio.sleep(kill_after)
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, receiver.end, signal.SIGKILL)
    acknowledged_by_then = len(tally.acknowledged)
    await loop.run_in_executor(None, receiver.start)
    await sending
    there = kept(database)
    return {
        "part": "killed in the middle",
        "acknowledged_before": acknowledged_by_then,
        "acknowledged": len(tally.acknowledged),
        "missing": len(tally.acknowledged.keys() - there),
        "kept_without_an_answer": len(there - tally.acknowledged.keys()),
        "not_acknowledged": dict(tally.others),
    }


def main() -> int:
    """Run both parts, and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=1_000, help="messages/s")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--kill-after", type=float, default=10, help="seconds into the second part")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        database = Database(embedded.start(home))
        receiver = Receiver(home, 0)
        if len(os.sched_getaffinity(0)) > 1:
            os.sched_setaffinity(0, os.sched_getaffinity(0) - {min(os.sched_getaffinity(0))})
        try:
            parts = [uvloop.run(undisturbed(receiver, database, options.rate, options.seconds))]
            print(json.dumps(parts[0]), flush=True)
            second = killed(receiver, database, options.rate, options.seconds, options.kill_after)
            parts.append(uvloop.run(second))
            print(json.dumps(parts[1]), flush=True)
        finally:
            receiver.end(signal.SIGTERM)
        database.close()
    late = float(str(parts[0]["p99_ms"])) >= LIMIT_MS
    return 1 if late or any(part["missing"] for part in parts) else 0


if __name__ == "__main__":
    sys.exit(main())
