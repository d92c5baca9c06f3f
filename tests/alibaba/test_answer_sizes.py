"""How much is read of one answer: over either transport, compressed or not, with a length or without an end."""

import gzip
import tracemalloc

import orjson
import pytest
from gateways import gateway_at
from scripted_gateway import Reply, ScriptedGateway, ok_result

from dropship_pipeline.alibaba import protocol, transport
from dropship_pipeline.alibaba.client import Client
from dropship_pipeline.alibaba.errors import Transient
from dropship_pipeline.alibaba.fanout import FanOut
from dropship_pipeline.alibaba.outcomes import Answered, Failed
from dropship_pipeline.alibaba.requests import DescribeProduct, Request

MB = 1024 * 1024


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit of two megabytes, and no patience: what is refused would be asked for again."""
    monkeypatch.setattr(transport, "LARGEST_ANSWER", 2 * MB)
    monkeypatch.setattr(protocol, "MOST_ATTEMPTS", 1)


def call(over: str, url: str, request: Request) -> object:
    if over == "client":
        with Client(gateway_at(url)) as client:
            return client.call(request)
    with FanOut(gateway_at(url)) as fan_out:
        [outcome] = fan_out.map([request])
    if isinstance(outcome, Failed):
        raise outcome.error
    assert isinstance(outcome, Answered)
    return outcome.answer.payload


BOMB = gzip.compress(b'{"result": "' + b"x" * 40 * MB + b'"}')
TOO_LARGE = {
    "said at once": Reply(b"x" * 3 * MB),
    "compressed": Reply(BOMB, headers={"Content-Encoding": "gzip"}),
}


@pytest.mark.parametrize("over", ["client", "fan-out"])
@pytest.mark.parametrize("reply", TOO_LARGE.values(), ids=TOO_LARGE)
def test_an_answer_that_is_too_large_is_not_read_to_its_end(over: str, reply: Reply) -> None:
    with ScriptedGateway(lambda _seen: reply) as server:
        tracemalloc.start()
        try:
            with pytest.raises(Transient, match="AnswerTooLarge"):
                call(over, server.url, DescribeProduct("1"))
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert most < 16 * MB


@pytest.mark.parametrize("over", ["client", "fan-out"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "compressed"])
def test_an_answer_within_the_limit_arrives_whole(over: str, packed: bool) -> None:
    words = "y" * (MB + MB // 2)
    body = orjson.dumps(ok_result({"title": words}).body)
    headers = {"Content-Encoding": "gzip"} if packed else {}
    reply = Reply(gzip.compress(body) if packed else body, headers=headers)
    with ScriptedGateway(lambda _seen: reply) as server:
        assert words in str(call(over, server.url, DescribeProduct("1")))


@pytest.mark.parametrize("over", ["client", "fan-out"])
def test_an_answer_that_comes_in_one_piece_is_measured_too(over: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "LARGEST_ANSWER", 1000)
    reply = ok_result({"title": "z" * 2000})
    with ScriptedGateway(lambda _seen: reply) as server, pytest.raises(Transient, match="AnswerTooLarge"):
        call(over, server.url, DescribeProduct("1"))
