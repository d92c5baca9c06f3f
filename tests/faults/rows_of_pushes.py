"""Rows of the pushes: messages that come twice, out of order, forged, or not at all; a receiver that dies.

What a message says is never written into a table: whatever it names is fetched. So the tables must be the same whatever
became of the messages; and each that was acknowledged must be in the inbox, once.
"""

import http.client
import json
import os
import random
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from machine import Merchant
from posting import body_of, signature
from rows_of_process import some_world
from sqlalchemy import text
from trials import Row, Schedule, Trial, judge, recover, undisturbed

from dropship_pipeline.sync.inbox import RunState, drain


@dataclass
class Post:
    """Posts messages to one receiver, and remembers which were acknowledged."""

    merchant: Merchant
    address: str
    acknowledged: set[bytes] = field(default_factory=set)

    def send(self, body: bytes, authorization: str | None = None) -> int:
        """The status that is answered; 0 where the connection broke."""
        where = urlsplit(self.address)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=20)
        try:
            connection.request("POST", where.path, body, {"Authorization": authorization or self.sign(body)})
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()
        if status == 200:
            self.acknowledged.add(body)
        return status

    def sign(self, body: bytes, secret: str | None = None) -> str:
        environment = self.merchant.environment
        return signature(body, secret or environment["ALIBABA_APP_SECRET"], environment["ALIBABA_APP_KEY"])


@contextmanager
def receiving(merchant: Merchant) -> Iterator[tuple[int, Post]]:
    """A receiver in a process of its own: its ID, and somebody who posts to it."""
    forks = merchant.machine.forks
    pid = forks.start(merchant.work("receive"))
    until = time.monotonic() + 60
    while not (found := re.search(r"at (http\S+)", forks.output_so_far(pid))):
        if time.monotonic() > until:
            raise TimeoutError(forks.output_so_far(pid))
        time.sleep(0.01)
    try:
        yield pid, Post(merchant, found[1])
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        merchant.machine.forks.wait(pid)


def message(product_id: str, option: str = "PRICE_CHANGE", seconds_ago: float = 0.0, **more: Any) -> bytes:
    return body_of(seconds_ago, productId=product_id, skuId="1", option=option, **more)


def some_messages(merchant: Merchant, draw: random.Random, most: int = 40) -> list[bytes]:
    """A message for each product that is listed, in some order."""
    listed = sorted(
        {str(one) for key in merchant.truth("feeds") for one in merchant.truth(f"feed?key={key}")["product_ids"]}
    )
    draw.shuffle(listed)
    return [
        message(one, value=f"{number}.00", seconds_ago=draw.randrange(30)) for number, one in enumerate(listed[:most])
    ]


def _inbox(merchant: Merchant) -> list[dict[str, Any]]:
    return merchant.rows("SELECT body, kind, subject, state, deliveries FROM ops.webhook_inbox")


def _all_kept_once(trial: Trial, merchant: Merchant, acknowledged: set[bytes]) -> None:
    kept = [row["body"].encode() for row in _inbox(merchant)]
    lost = acknowledged - set(kept)
    trial.require(not lost, "I1", "ops.webhook_inbox", f"{len(lost)} acknowledged messages are missing")
    trial.require(len(kept) == len(set(kept)), "I2", "ops.webhook_inbox", "a message is there twice")


def _work_off(trial: Trial, merchant: Merchant) -> None:
    """Hand over what waits until nothing does, a run for each batch, as the sensor does."""
    ran: dict[str, RunState] = {}
    for _ in range(6):
        drained = drain(merchant.database, lambda batch: ran.get(batch.batch, RunState.MISSING))
        for batch in drained.to_run:
            ended = trial.keep(merchant.run(product_ids=tuple(batch.subjects)))
            ran[batch.batch] = RunState.SUCCEEDED if ended.is_done else RunState.FAILED
        if not drained.to_run and not drained.going:
            break
    left = merchant.rows("SELECT subject FROM ops.webhook_inbox WHERE state NOT IN ('done', 'dead', 'unknown')")
    trial.require(not left, "I1", "ops.webhook_inbox", f"{len(left)} messages were never settled")


def play_ways(trial: Trial, ways: Sequence["Pushed"]) -> None:
    """Messages delivered in several ways to one merchant, one after the other."""
    schedule = Schedule(some_world(trial.draw), (), new=False, days=0.25)
    trial.plan = str(schedule)
    expected = undisturbed(trial.machine, schedule)
    with trial.machine.merchant(schedule.world) as merchant:
        trial.machine.reader.watch(merchant.lake)
        merchant.days_pass(schedule.days)
        for way in ways:
            way.deliver(trial, merchant, trial.draw)
            _work_off(trial, merchant)
            with merchant.database.begin() as connection:
                connection.execute(text("TRUNCATE ops.webhook_inbox"))
        recover(trial, merchant)
        judge(trial, merchant, expected.rows, None, tuple(name for way in ways for name in way.apart_from))


@dataclass(frozen=True)
class Pushed:
    """A trial: hours pass at Alibaba.com, messages are delivered in a certain way, the inbox is worked off."""

    deliver: Callable[[Trial, Merchant, random.Random], None]
    apart_from: tuple[str, ...] = ()

    def __call__(self, trial: Trial) -> None:
        play_ways(trial, [self])


def _duplicates(trial: Trial, merchant: Merchant, draw: random.Random) -> None:
    with receiving(merchant) as (_, post), ThreadPoolExecutor(4) as several:
        bodies = [body for body in some_messages(merchant, draw, 8) for _ in range(12)]
        draw.shuffle(bodies)
        answered = set(several.map(post.send, bodies))
        trial.require(answered == {200}, "I1", "receiver", f"answered {answered}")
        _all_kept_once(trial, merchant, post.acknowledged)
        counted = {row["deliveries"] for row in _inbox(merchant)}
        trial.require(counted == {12}, "I2", "ops.webhook_inbox", f"deliveries counted {counted}")


def _out_of_order(trial: Trial, merchant: Merchant, draw: random.Random) -> None:
    with receiving(merchant) as (_, post):
        bodies = some_messages(merchant, draw, 10)
        later = [message(json.loads(body)["data"]["productId"], value="99.00", seconds_ago=-1) for body in bodies]
        both = bodies + later
        draw.shuffle(both)
        for body in both:
            post.send(body)
        _all_kept_once(trial, merchant, set(both))


def _two_in_a_second(trial: Trial, merchant: Merchant, draw: random.Random) -> None:
    with receiving(merchant) as (_, post):
        products = [json.loads(body)["data"]["productId"] for body in some_messages(merchant, draw, 8)]
        bodies = [message(one, value=value) for one in products for value in ("1.00", "2.00")]
        for body in bodies:
            post.send(body)
        _all_kept_once(trial, merchant, set(bodies))


def _not_genuine(trial: Trial, merchant: Merchant, draw: random.Random) -> None:
    with receiving(merchant) as (_, post):
        genuine = some_messages(merchant, draw, 4)
        for body in genuine:
            post.send(body)
        body = message("1600000000001", value="0.01")
        again = json.dumps(json.loads(genuine[0]), separators=(",", ":")).encode()
        week = message("1600000000001", seconds_ago=7 * 86_400)
        refused = {
            "forged": post.send(body, post.sign(body, secret="guessed")),
            "unsigned": post.send(body, "-"),
            "re-serialised": post.send(again, post.sign(genuine[0])),
            "of last week": post.send(week),
        }
        right = {"forged": 401, "unsigned": 401, "re-serialised": 401, "of last week": 400}
        trial.require(refused == right, "I2", "receiver", f"answered {refused}")
        kept = {row["body"].encode() for row in _inbox(merchant)}
        trial.require(kept == set(genuine), "I2", "ops.webhook_inbox", "holds what is not genuine")


def _unknown(trial: Trial, merchant: Merchant, draw: random.Random) -> None:
    with receiving(merchant) as (_, post):
        odd = json.dumps({"message_type": draw.randrange(50, 90), "data": {}, "timestamp": int(time.time())}).encode()
        nobody = message("1699999999999", option="ADD")
        for body in (odd, nobody, *some_messages(merchant, draw, 4)):
            trial.require(post.send(body) == 200, "I1", "receiver", "refused a genuine message")
        _all_kept_once(trial, merchant, post.acknowledged)
        states = {row["state"] for row in _inbox(merchant) if row["kind"] == "unknown"}
        trial.require(states == {"unknown"}, "I6", "ops.webhook_inbox", f"a message of an unknown type is {states}")


def _delete_then_add(trial: Trial, merchant: Merchant, draw: random.Random) -> None:
    with receiving(merchant) as (_, post):
        for body in some_messages(merchant, draw, 6):
            product_id = json.loads(body)["data"]["productId"]
            for option in ("DELETE", "ADD"):
                post.send(message(product_id, option=option))
        _all_kept_once(trial, merchant, post.acknowledged)


def _dies(how: signal.Signals) -> Callable[[Trial, Merchant, random.Random], None]:
    def deliver(trial: Trial, merchant: Merchant, draw: random.Random) -> None:
        """The receiver dies amid messages; the sender repeats what was not acknowledged, as Alibaba.com does."""
        bodies = some_messages(merchant, draw, 40)
        with receiving(merchant) as (pid, post):
            wait = draw.uniform(0.0, 0.15)
            threading.Timer(wait, _kill, (pid, how)).start()
            with ThreadPoolExecutor(4) as several:
                answered = list(several.map(post.send, bodies))
            acknowledged = set(post.acknowledged)
        kept = {row["body"].encode() for row in _inbox(merchant)}
        trial.require(
            acknowledged <= kept, "I1", "ops.webhook_inbox", "acknowledged messages are missing after the kill"
        )
        if how is signal.SIGTERM:
            trial.require(kept == acknowledged, "I1", "receiver", "a message was stored whose sender was left alone")
        with receiving(merchant) as (_, post):
            for body, status in zip(bodies, answered, strict=True):
                if status != 200:
                    trial.require(post.send(body) == 200, "I1", "receiver", "refused a repeated message")
            _all_kept_once(trial, merchant, set(bodies))

    return deliver


def _kill(pid: int, how: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, how)


def _flood(trial: Trial, merchant: Merchant, draw: random.Random) -> None:
    """Many at once, while the database is slow: what is acknowledged is kept, and what is not is told to come again."""
    with merchant.database.begin() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION public.slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.05); "
            "RETURN NULL; END $$; "
            "CREATE TRIGGER slowly AFTER INSERT ON ops.webhook_inbox EXECUTE FUNCTION public.slowly()"
        )
    known = [json.loads(body)["data"]["productId"] for body in some_messages(merchant, draw)]
    bodies = [message(draw.choice(known), value=f"{number}.00") for number in range(200)]
    with receiving(merchant) as (_, post), ThreadPoolExecutor(16) as several:
        answered = list(several.map(post.send, bodies))
        trial.require(set(answered) <= {200, 503}, "I1", "receiver", f"answered {set(answered)}")
        _all_kept_once(trial, merchant, post.acknowledged)
    with merchant.database.begin() as connection:
        connection.execute(text("DROP FUNCTION public.slowly() CASCADE"))


def _nobody_listens(_trial: Trial, _merchant: Merchant, _draw: random.Random) -> None:
    """Six hours of downtime: no message ever comes."""


ROWS = (
    Row("pushes.duplicates", "a duplicate twelve times", Pushed(_duplicates)),
    Row("pushes.out_of_order", "out of order", Pushed(_out_of_order)),
    Row("pushes.two_in_a_second", "two in one second", Pushed(_two_in_a_second)),
    Row("pushes.not_genuine", "forged, unsigned, replayed from last week, re-serialised", Pushed(_not_genuine)),
    Row("pushes.unknown", "unknown type; an unknown product", Pushed(_unknown, ("ops.fetches",))),
    Row("pushes.delete_then_add", "DELETE then ADD", Pushed(_delete_then_add)),
    Row("pushes.receiver_killed", "the receiver killed between commit and its 200", Pushed(_dies(signal.SIGKILL))),
    Row("pushes.receiver_ends", "SIGTERM drains", Pushed(_dies(signal.SIGTERM))),
    Row("pushes.flood", "1,000 a second with a slow database", Pushed(_flood)),
    Row("pushes.downtime", "six hours of receiver downtime made good by polling", Pushed(_nobody_listens)),
)
