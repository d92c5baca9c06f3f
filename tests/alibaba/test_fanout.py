"""Many reads at once over real HTTP: what is handed over when, what a failure costs, that nothing is left behind."""

import asyncio
import gzip
import itertools
import threading
import time
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import orjson
import pytest
from gateways import gateway_at, is_signed
from scripted_gateway import Reply, Script, ScriptedGateway, Seen, ok, ok_result, refusal

from dropship_pipeline.alibaba.dialect import Dialect
from dropship_pipeline.alibaba.errors import (
    ApiError,
    Outage,
    Permanent,
    Refused,
    TokenRefused,
    Transient,
    Unreachable,
)
from dropship_pipeline.alibaba.fanout import FAILURES_OF_AN_OUTAGE, FanOut, OutOfTime
from dropship_pipeline.alibaba.gateway import Timeouts
from dropship_pipeline.alibaba.outcomes import Answered, Failed, Outcome
from dropship_pipeline.alibaba.rate import LocalCallBudget
from dropship_pipeline.alibaba.requests import DescribeProduct, EstimateFreight, ReadInventory, Request
from dropship_pipeline.alibaba.tokens import StaticTokens


def product_of(seen: Seen) -> str:
    return str(seen.wrapped("inv_req")["product_id"])


def echo(seen: Seen) -> Reply:
    return ok_result([product_of(seen)])


def stocks(count: int) -> Iterator[ReadInventory]:
    return (ReadInventory(str(number)) for number in range(count))


def payloads(outcomes: list[Outcome]) -> list[object]:
    return [outcome.answer.payload if isinstance(outcome, Answered) else outcome.error.code for outcome in outcomes]


def settled(server: ScriptedGateway) -> int:
    """How many requests came, once what was on its way is there."""
    time.sleep(0.2)
    return len(server.seen)


@contextmanager
def fanned(script: Script, concurrency: int = 8, **more: object) -> Iterator[tuple[FanOut, ScriptedGateway]]:
    with ScriptedGateway(script) as server, FanOut(gateway_at(server.url, **more), concurrency) as fan_out:  # type: ignore[arg-type]
        yield fan_out, server


def test_every_request_is_sent_once_signed_and_answered() -> None:
    with fanned(echo) as (fan_out, server):
        outcomes = list(itertools.chain.from_iterable(fan_out.batches(stocks(500), 100)))
    assert sorted(str(payload) for payload in payloads(outcomes)) == sorted(f"['{number}']" for number in range(500))
    assert all(outcome.answer.payload == [outcome.request.key] for outcome in outcomes if isinstance(outcome, Answered))
    assert Counter(product_of(seen) for seen in server.seen).most_common(1)[0][1] == 1
    assert all(is_signed(seen) for seen in server.seen)


def test_no_more_are_under_way_than_the_concurrency() -> None:
    def script(seen: Seen) -> Reply:
        return Reply(echo(seen).body, delay=0.02)

    with fanned(script, concurrency=5) as (fan_out, server):
        list(fan_out.batches(stocks(60), 30))
    assert server.most_in_flight == 5
    assert server.connections == 5


@pytest.mark.parametrize(
    ("count", "size", "concurrency"), [(500, 100, 8), (7, 100, 8), (50, 1, 4), (100, 10, 64), (0, 10, 4)]
)
def test_batches_are_as_large_as_was_asked_for_less_the_stragglers(count: int, size: int, concurrency: int) -> None:
    with fanned(echo, concurrency) as (fan_out, _):
        lengths = [len(batch) for batch in fan_out.batches(stocks(count), size)]
    assert sum(lengths) == count
    assert all(0 < length <= size for length in lengths)
    assert all(length >= size - min(concurrency, size // 2) for length in lengths[:-1])


def test_requests_are_pulled_lazily_and_at_most_one_batch_is_outstanding() -> None:
    pulled = 0

    def requests() -> Iterator[Request]:
        nonlocal pulled
        for request in stocks(1000):
            pulled += 1
            yield request

    with fanned(echo) as (fan_out, _):
        handed_over = 0
        for batch in fan_out.batches(requests(), 50):
            assert pulled - handed_over <= 50 + len(batch)
            handed_over += len(batch)
            time.sleep(0.002)
    assert pulled == handed_over == 1000


def test_the_next_batch_is_read_while_the_caller_works_on_one() -> None:
    with fanned(echo) as (fan_out, server):
        batches = fan_out.batches(stocks(200), 50)
        expected = len(next(batches)) + 50
        patience = time.monotonic() + 10
        while len(server.seen) < expected and time.monotonic() < patience:
            time.sleep(0.01)
        time.sleep(0.1)
        assert len(server.seen) == expected
        batches.close()


def test_requests_are_pulled_in_the_callers_thread() -> None:
    threads: set[int] = set()

    def requests() -> Iterator[Request]:
        for request in stocks(100):
            threads.add(threading.get_ident())
            yield request

    with fanned(echo) as (fan_out, _):
        list(fan_out.batches(requests(), 10))
    assert threads == {threading.get_ident()}


def test_a_slow_answer_does_not_hold_up_the_others() -> None:
    def script(seen: Seen) -> Reply:
        return Reply(echo(seen).body, delay=3 if product_of(seen) == "0" else 0)

    with fanned(script) as (fan_out, _):
        started = time.monotonic()
        first = next(batches := fan_out.batches(stocks(100), 50))
        assert time.monotonic() - started < 2.5
        assert "0" not in [outcome.request.key for outcome in first]
        assert "0" in [outcome.request.key for batch in batches for outcome in batch]


def test_a_refusal_is_an_outcome_that_carries_its_answer() -> None:
    def script(seen: Seen) -> Reply:
        return refusal("120019", "restricted") if product_of(seen) == "3" else echo(seen)

    with fanned(script) as (fan_out, _):
        outcomes = fan_out.map(stocks(10))
    assert [outcome.request.key for outcome in outcomes] == [str(number) for number in range(10)]
    failed = outcomes[3]
    assert isinstance(failed, Failed)
    assert type(failed.error) is Refused
    assert orjson.loads(failed.answer_body or b"")["code"] == "120019"
    assert failed.received_at is not None
    assert sum(isinstance(outcome, Answered) for outcome in outcomes) == 9


@pytest.mark.parametrize(
    "broken",
    [
        Reply(b"<html>Service unavailable</html>"),
        Reply({"code": "0"}, length=5000, hang_up=True),
        Reply(status=0),
        Reply(b"\x1f\x8b\x08garbage", headers={"Content-Encoding": "gzip"}),
        Reply(gzip.compress(b'{"code":"0","result":{"result_data":[1]}}')[:-12], headers={"Content-Encoding": "gzip"}),
        Reply(status=503),
        Reply(b"{}", delay=30),
        Reply(b"{}" * 50, drip=0.2),
        refusal("ApiCallLimit", "this ban will last 0 seconds"),
    ],
    ids=["html", "cut off", "hung up", "bad gzip", "half a gzip", "503", "late", "drip", "throttled"],
)
def test_a_read_survives_every_kind_of_broken_answer(broken: Reply) -> None:
    spoilt = set(map(str, range(4)))

    def script(seen: Seen) -> Reply:
        if (product := product_of(seen)) in spoilt:
            spoilt.discard(product)
            return broken
        return echo(seen)

    with fanned(script, timeouts=Timeouts(0.4, 0.6)) as (fan_out, server):
        outcomes = fan_out.map(stocks(8))
    assert payloads(outcomes) == [[str(number)] for number in range(8)]
    assert len(server.seen) == 12


def test_an_error_that_every_call_would_meet_is_raised_once_after_what_was_done() -> None:
    def script(seen: Seen) -> Reply:
        return refusal("IncompleteSignature") if int(product_of(seen)) >= 40 else echo(seen)

    done: list[Outcome] = []
    with fanned(script) as (fan_out, server):
        batches = fan_out.batches(stocks(10_000), 200)
        with pytest.raises(Permanent, match="ALIBABA_APP_SECRET"):
            done.extend(itertools.chain.from_iterable(batches))
        assert next(batches, None) is None
        sent = settled(server)
        time.sleep(0.2)
        assert len(server.seen) == sent < 60
    assert {outcome.request.key for outcome in done} >= {str(number) for number in range(32)}


def test_a_call_that_is_ours_to_mend_costs_itself_and_not_the_run() -> None:
    def script(seen: Seen) -> Reply:
        return refusal("InvalidParameter") if product_of(seen) == "3" else echo(seen)

    with fanned(script) as (fan_out, _):
        outcomes = fan_out.map(stocks(50))
    assert [outcome.request.key for outcome in outcomes if isinstance(outcome, Failed)] == ["3"]


def test_call_after_call_that_fails_is_an_outage() -> None:
    with (
        fanned(lambda _seen: refusal("MissingParameter")) as (fan_out, server),
        pytest.raises(Outage, match="in a row"),
    ):
        list(fan_out.batches(stocks(1000), 100))
    assert FAILURES_OF_AN_OUTAGE <= len(server.seen) <= FAILURES_OF_AN_OUTAGE + 8


def test_failures_among_successes_are_no_outage() -> None:
    def script(seen: Seen) -> Reply:
        return echo(seen) if int(product_of(seen)) % 5 == 0 else refusal("MissingParameter")

    with fanned(script, concurrency=2) as (fan_out, _):
        outcomes = fan_out.map(stocks(200))
    assert sum(isinstance(outcome, Failed) for outcome in outcomes) == 160


def test_refusals_are_answers_and_no_outage() -> None:
    with fanned(lambda _seen: refusal("120019")) as (fan_out, _):
        assert len(fan_out.map(stocks(100))) == 100


def test_an_unreachable_host_ends_the_run_soon() -> None:
    started = time.monotonic()
    with FanOut(gateway_at("http://127.0.0.1:9/rest")) as fan_out, pytest.raises(Unreachable, match=r"127\.0\.0\.1:9"):
        list(fan_out.batches(stocks(1000), 100))
    assert time.monotonic() - started < 10


def test_a_caller_for_whom_there_is_no_memory_to_begin_does_not_wait_for_ever() -> None:
    def no_room(loop: asyncio.AbstractEventLoop, *_: object, **__: object) -> asyncio.Task[object]:
        loop.set_task_factory(None)
        raise MemoryError

    with fanned(echo) as (fan_out, server):
        fan_out._loop.call_soon_threadsafe(fan_out._loop.set_task_factory, no_room)
        with pytest.raises(MemoryError):
            fan_out.map(stocks(10))
    assert server.seen == []


def test_a_refused_token_ends_the_run() -> None:
    with (
        fanned(lambda _seen: refusal("IllegalAccessToken")) as (fan_out, _),
        pytest.raises(TokenRefused, match="dropship auth login"),
    ):
        list(fan_out.batches(stocks(1000), 100))


def test_a_token_that_goes_stale_under_way_is_renewed_for_all_at_once() -> None:
    class Renewable(StaticTokens):
        def __init__(self) -> None:
            super().__init__("token-1")
            self.renewals = 0
            self._lock = threading.Lock()

        def renew(self, stale: str) -> str:
            with self._lock:
                if self._token == stale:
                    self.renewals += 1
                    self._token = "token-2"
            return self._token

    def script(seen: Seen) -> Reply:
        return echo(seen) if seen.params["access_token"] == "token-2" else refusal("IllegalAccessToken")

    tokens = Renewable()
    with fanned(script, tokens=tokens) as (fan_out, _):
        assert all(isinstance(outcome, Answered) for outcome in fan_out.map(stocks(100)))
    assert tokens.renewals == 1


def test_the_dialect_is_found_out_while_many_ask_at_once() -> None:
    def live(seen: Seen) -> Reply:
        if "country" in seen.wrapped("query_req"):
            return ok_result({"product_id": seen.wrapped("query_req")["product_id"]})
        return Reply({"result": {"result_msg": "Parameter format is error!", "result_code": "400"}})

    with fanned(live, dialect=Dialect.AUTO) as (fan_out, server):
        outcomes = fan_out.map(DescribeProduct(str(number)) for number in range(200))
    assert all(isinstance(outcome, Answered) for outcome in outcomes)
    assert len(server.seen) <= 200 + 8


def test_a_flow_decides_what_to_ask_next() -> None:
    def script(seen: Seen) -> Reply:
        if seen.params["dispatch_location"] == "CN":
            return refusal("10012", "dispatch location invalid")
        return ok([{"vendor_code": seen.params["dispatch_location"]}])

    def quote(product_id: str) -> Generator[Request, Outcome, tuple[str, list[str]]]:
        tried = []
        for location in ("CN", "US", "MX"):
            tried.append(location)
            outcome = yield EstimateFreight(product_id, 1, "US", dispatch_location=location)
            if isinstance(outcome, Answered):
                break
        return product_id, tried

    with fanned(script) as (fan_out, server):
        batches = fan_out.run_flows((quote(str(number)) for number in range(30)), 10)
        results = dict(itertools.chain.from_iterable(batches))
    assert results == {str(number): ["CN", "US"] for number in range(30)}
    assert len(server.seen) == 60


def test_a_flow_may_answer_without_asking() -> None:
    def nothing(number: int) -> Generator[Request, Outcome, int]:
        yield from ()
        return number

    with fanned(echo) as (fan_out, server):
        assert sorted(itertools.chain.from_iterable(fan_out.run_flows(map(nothing, range(30)), 7))) == list(range(30))
    assert server.seen == []


def test_what_a_flow_raises_reaches_the_caller() -> None:
    def broken(number: int) -> Generator[Request, Outcome, int]:
        yield ReadInventory(str(number))
        raise ZeroDivisionError(number)

    with fanned(echo) as (fan_out, _), pytest.raises(ZeroDivisionError):
        list(fan_out.run_flows(map(broken, range(100)), 10))


def test_what_the_requests_raise_reaches_the_caller() -> None:
    def requests() -> Iterator[Request]:
        yield from stocks(20)
        raise ZeroDivisionError

    with fanned(echo) as (fan_out, _), pytest.raises(ZeroDivisionError):
        list(fan_out.batches(requests(), 10))


def endless_after(quick: int, number: int) -> Generator[Request, Outcome, int]:
    """A flow that ends at once, or asks for ever."""
    outcome = yield ReadInventory(str(number))
    while number >= quick:
        outcome = yield outcome.request
    return number


def test_a_caller_that_stops_early_stops_the_calls_and_closes_the_flows() -> None:
    closed = Counter[int]()

    def flow(number: int) -> Generator[Request, Outcome, int]:
        try:
            return (yield from endless_after(6, number))
        except GeneratorExit:
            closed[number] += 1
            raise

    with fanned(lambda seen: Reply(echo(seen).body, delay=0.02), concurrency=4) as (fan_out, server):
        batches = fan_out.run_flows(map(flow, range(100)), 10)
        assert sorted(next(batches)) == list(range(6))
        batches.close()
        assert closed == Counter([6, 7, 8, 9])
        sent = settled(server)
        time.sleep(0.2)
        assert len(server.seen) == sent


def test_leaving_with_calls_under_way_leaves_nothing_behind() -> None:
    before = set(threading.enumerate())
    with ScriptedGateway(echo) as server:
        with FanOut(gateway_at(server.url), 4) as fan_out:
            batches = fan_out.run_flows((endless_after(6, number) for number in range(100)), 10)
            assert len(next(batches)) == 6
        sent = settled(server)
        with pytest.raises(RuntimeError, match="left while calls were under way"):
            next(batches)
        time.sleep(0.1)
        assert len(server.seen) == sent
    assert set(threading.enumerate()) == before


def test_when_the_time_is_over_what_ended_is_handed_over_and_the_rest_dropped() -> None:
    def script(seen: Seen) -> Reply:
        return Reply(echo(seen).body, delay=30 if product_of(seen) == "3" else 0)

    taken: list[Outcome] = []
    with fanned(script) as (fan_out, _):
        began = time.monotonic()
        batches = itertools.chain.from_iterable(fan_out.batches(stocks(6), 100, seconds=0.5))
        with pytest.raises(OutOfTime):
            taken.extend(batches)
        assert 0.4 < time.monotonic() - began < 5
        assert {outcome.request.key for outcome in taken} == {"0", "1", "2", "4", "5"}
        assert len(fan_out.map(stocks(2))) == 2, "it can be used again"


def test_outside_its_block_it_cannot_be_used() -> None:
    fan_out = FanOut(gateway_at("http://127.0.0.1:9/rest"))
    with pytest.raises(RuntimeError, match="with block"):
        fan_out.map(stocks(1))
    with fan_out:
        pass
    with pytest.raises(RuntimeError, match="with block"):
        fan_out.map(stocks(1))


def test_it_can_be_entered_again() -> None:
    with ScriptedGateway(echo) as server:
        fan_out = FanOut(gateway_at(server.url))
        for _ in range(2):
            with fan_out:
                assert len(fan_out.map(stocks(5))) == 5


def test_the_rate_of_the_budget_is_kept() -> None:
    with fanned(echo, concurrency=64, budget=LocalCallBudget(100.0, rate=100.0)) as (fan_out, server):
        started = time.monotonic()
        fan_out.map(stocks(120))
        took = time.monotonic() - started
    assert len(server.seen) == 120
    assert 1.0 < took < 3


def test_an_error_in_the_end_keeps_its_code() -> None:
    with fanned(lambda _seen: refusal("4016", "template")) as (fan_out, _):
        (outcome,) = fan_out.map([EstimateFreight("1", 1, "US")])
    assert isinstance(outcome, Failed)
    error: ApiError = outcome.error
    assert (error.code, error.message, error.attempts) == ("4016", "template", 1)
    assert not isinstance(error, Transient)
