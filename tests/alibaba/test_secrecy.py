"""Nothing that is shown holds a secret or an address: not a repr, not an error, not a log line, not what is landed."""

import logging
import traceback

import orjson
import pytest
from gateways import APP_KEY, APP_SECRET, TOKEN, gateway_at
from scripted_gateway import Reply, ScriptedGateway, Seen, ok

from dropship_pipeline.alibaba import redaction
from dropship_pipeline.alibaba.client import Client
from dropship_pipeline.alibaba.dialect import Dialect
from dropship_pipeline.alibaba.errors import ApiError
from dropship_pipeline.alibaba.fanout import FanOut
from dropship_pipeline.alibaba.gateway import Gateway, Timeouts
from dropship_pipeline.alibaba.order_requests import (
    Address,
    CalculateOrderFreight,
    CreateOrder,
    OrderItem,
    PayOrders,
    Phone,
)
from dropship_pipeline.alibaba.outcomes import Failed
from dropship_pipeline.alibaba.protocol import GiveUpToken, RenewToken, Send
from dropship_pipeline.alibaba.requests import CreateToken, DescribeProduct, EstimateFreight, RefreshToken, Request
from dropship_pipeline.alibaba.tokens import StaticTokens, TokenPair, read_token_grant

CODE = "3_500102_JxZ05Ux3cnnSSUm6dCxYg6Q26"
REFRESH = "short-refresh"
PERSONAL = ("4595 Clubview Drive", "Bessemer", "35022", "Jane Roe", "5551234567", "Leave it at the blue door")
ADDRESS = Address(
    "35022",
    "US",
    "United States",
    "Alabama",
    "Bessemer",
    "4595 Clubview Drive",
    contact_person="Jane Roe",
    telephone=Phone("+1", "5551234567"),
)
ORDER = CreateOrder("R-1", (OrderItem("1", "2", 3),), ADDRESS, "CN", "EX", remark="Leave it at the blue door")
REQUESTS: list[Request] = [
    CreateToken(CODE, "the-uuid-of-somebody"),
    RefreshToken(REFRESH),
    DescribeProduct("1"),
    CalculateOrderFreight("eid", "US", (OrderItem("1", "2", 3),), ADDRESS),
    ORDER,
    PayOrders(("7",), "10.11.102.11", "Mozilla/5.0 (Secret)", 1),
]
SECRETS = (APP_SECRET, TOKEN, CODE, REFRESH, "the-uuid-of-somebody", *PERSONAL, "10.11.102.11", "Mozilla/5.0 (Secret)")


def leaks(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret in text]


def mirror(seen: Seen) -> Reply:
    """A gateway that repeats everything it was told, word for word, in its error."""
    said = " ".join(f"{name}={value}" for name, value in seen.params.items())
    return Reply({"type": "ISV", "code": "MissingParameter", "message": said, "request_id": "0ba"})


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.operation.name)
def test_no_repr_of_a_request_shows_a_secret(request_: Request) -> None:
    signed = gateway_at("http://gateway.example/rest").sign(request_, Dialect.GUIDE, TOKEN)
    for shown in (repr(request_), str(request_), repr(signed), repr(Send(signed)), request_.key):
        assert leaks(shown) == []
        assert "sign=" not in shown


def test_no_repr_of_tokens_or_gateways_shows_a_secret() -> None:
    grant = read_token_grant({"access_token": TOKEN, "refresh_token": REFRESH, "account": PERSONAL[3]}, None)  # type: ignore[arg-type]
    things = [
        TokenPair(TOKEN, REFRESH),
        grant,
        StaticTokens(TOKEN),
        RenewToken(TOKEN),
        GiveUpToken(TOKEN, "reason"),
        gateway_at("http://gateway.example/rest"),
        Client(gateway_at("http://gateway.example/rest")),
        FanOut(gateway_at("http://gateway.example/rest")),
        ADDRESS,
        Phone("+1", "5551234567"),
    ]
    for thing in things:
        assert leaks(repr(thing)) == leaks(str(thing)) == []
        assert APP_KEY not in repr(thing)


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.operation.name)
def test_a_gateway_that_repeats_all_it_was_told_gets_no_secret_into_an_error(
    request_: Request, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with (
        ScriptedGateway(mirror) as server,
        Client(gateway_at(server.url)) as client,
        pytest.raises(ApiError) as raised,
    ):
        client.call(request_)
    error = raised.value
    shown = "".join(traceback.format_exception(error))
    for text in (str(error), repr(error), error.message, error.what, shown, caplog.text):
        assert leaks(text) == []
    assert "***" in error.message


def call_with(transport: str, gateway: Gateway, request: Request) -> None:
    if transport == "client":
        with Client(gateway) as client:
            client.call(request)
    else:
        with FanOut(gateway) as fan_out:
            for outcome in fan_out.map([request]):
                if isinstance(outcome, Failed):
                    raise outcome.error


@pytest.mark.parametrize("transport", ["client", "fan-out"])
@pytest.mark.parametrize("fault", ["refused", "hung up", "late"])
def test_a_broken_connection_shows_no_url(transport: str, fault: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    reply = Reply(b"", delay=30) if fault == "late" else Reply(status=0)
    with ScriptedGateway(lambda _seen: reply) as server:
        url = "http://127.0.0.1:9/rest" if fault == "refused" else server.url
        with pytest.raises(ApiError) as raised:
            call_with(transport, gateway_at(url, timeouts=Timeouts(0.2, 0.1)), ORDER)
    shown = "".join(traceback.format_exception(raised.value))
    assert leaks(shown) == []
    assert "access_token" not in shown
    assert leaks(caplog.text) == []


@pytest.mark.parametrize("transport", ["client", "fan-out"])
def test_no_library_logs_a_signed_url(transport: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with ScriptedGateway(lambda _seen: ok([])) as server:
        call_with(transport, gateway_at(server.url), EstimateFreight("1", 1, "US"))
    assert leaks(caplog.text) == []
    assert "access_token" not in caplog.text


def test_what_is_landed_of_a_request_holds_no_secret() -> None:
    gateway = gateway_at("http://gateway.example/rest")
    for request in REQUESTS:
        shown = redaction.params(request.params(Dialect.GUIDE))
        assert leaks(orjson.dumps(shown).decode()) == []
        assert set(shown) == set(request.params(Dialect.GUIDE))
        assert leaks(" ".join(gateway.secrets(request, TOKEN))) != []


def test_what_identifies_a_catalogue_request_stays_readable() -> None:
    shown = redaction.params(DescribeProduct("1601206892606").params(Dialect.GUIDE))
    assert orjson.loads(shown["query_req"]) == {"product_id": "1601206892606"}
    assert redaction.params({"product_id": "1", "zip_code": "90001"}) == {"product_id": "1", "zip_code": "90001"}
