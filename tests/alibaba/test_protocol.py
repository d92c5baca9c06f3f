"""The flow of a call, played without a socket: each test hands it answers and looks at what it does about them."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import orjson
import pytest

from dropship_pipeline.alibaba.dialect import Dialect, DialectMemory
from dropship_pipeline.alibaba.errors import (
    ApiError,
    Permanent,
    Refused,
    Throttled,
    TokenRefused,
    Transient,
    Unreachable,
)
from dropship_pipeline.alibaba.gateway import Gateway
from dropship_pipeline.alibaba.order_requests import Address, CreateOrder, OrderItem
from dropship_pipeline.alibaba.protocol import (
    BACKEND_PATIENCE,
    MOST_ATTEMPTS,
    THROTTLE_PATIENCE,
    Answer,
    Fault,
    GiveUpToken,
    HttpAnswer,
    NeedToken,
    RenewToken,
    ReportThrottle,
    Send,
    Step,
    StepResult,
    TakeTurn,
    Wait,
    call,
)
from dropship_pipeline.alibaba.rate import LocalCallBudget
from dropship_pipeline.alibaba.requests import (
    CreateToken,
    DescribeProduct,
    EstimateFreight,
    ListProducts,
    ReadInventory,
    RefreshToken,
    Request,
)
from dropship_pipeline.alibaba.tokens import NoTokens

FREIGHT = EstimateFreight("1600124642247", 5, "US")
ORDER = CreateOrder(
    "ORDER-1",
    (OrderItem("100001", "200001", 10),),
    Address("10012", "US", "United States of America", "New York", "New York", "123 Main Street"),
    "CN",
    "EX_ASP_JYC_FEDEX",
)


def gateway(dialect: Dialect = Dialect.AUTO, *, reached: bool = True) -> Gateway:
    made = Gateway(
        "http://gateway.example/rest",
        "12345678",
        "helloworld",
        DialectMemory(dialect),
        NoTokens(),
        LocalCallBudget(1e6),
    )
    made.reached = reached
    return made


def answer(document: object, status: int = 200, retry_after: str | None = None, took: float = 0.1) -> HttpAnswer:
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    return HttpAnswer(status, body, retry_after, datetime.now(UTC), 100.0, took)


def fault(code: str = "ConnectionLost", *, never_sent: bool = False, took: float = 0.1) -> Fault:
    return Fault(code, "words", never_sent, took)


OK = answer({"code": "0", "value": [], "request_id": "0ba1"})
DOWN = answer(b"", status=503)
BUSY = answer({"type": "ISV", "code": "ApiCallLimit", "message": "this ban will last 3 seconds"})
STALE = answer({"type": "ISV", "code": "IllegalAccessToken", "message": "expired"})
WRONG_DIALECT = answer({"result": {"result_msg": "Parameter format is error!", "result_code": "400"}})
PAGE = answer({"result": {"result_data": [1], "result_code": "200"}, "code": "0"})


class Played:
    """A flow played to its end: the steps that it took, and its answer or its error."""

    def __init__(self, request: Request, replies: Iterable[StepResult], at: Gateway | None = None) -> None:
        self.gateway = at or gateway()
        self.steps: list[Step] = []
        self.answer: Answer | None = None
        self.error: ApiError | None = None
        flow = call(request, self.gateway, uniform=lambda low, high: (low + high) / 2)
        replies = iter(replies)
        result: StepResult = None
        try:
            step = next(flow)
            while True:
                self.steps.append(step)
                match step:
                    case Send():
                        result = next(replies)
                    case NeedToken():
                        result = "token-1"
                    case RenewToken():
                        result = "token-2"
                    case _:
                        result = None
                step = flow.send(result)
        except StopIteration as stop:
            self.answer = stop.value
        except ApiError as error:
            self.error = error

    def of(self, kind: type) -> list[Step]:
        return [step for step in self.steps if isinstance(step, kind)]

    @property
    def sent(self) -> list[str]:
        return [step.request.url + (step.request.form or b"").decode() for step in self.of(Send)]

    @property
    def waits(self) -> list[float]:
        return [step.seconds for step in self.of(Wait)]


def test_a_call_takes_a_token_and_a_turn_and_is_sent_once() -> None:
    played = Played(FREIGHT, [OK])
    assert [type(step) for step in played.steps] == [NeedToken, TakeTurn, Send]
    assert played.answer is not None
    assert (played.answer.payload, played.answer.request_id, played.answer.attempts) == ([], "0ba1", 1)
    assert played.answer.body == OK.body
    assert "access_token=token-1" in played.sent[0]


def test_a_call_that_needs_no_token_asks_for_none() -> None:
    played = Played(RefreshToken("r" * 40), [answer({"access_token": "t", "code": "0"})])
    assert [type(step) for step in played.steps] == [TakeTurn, Send]
    assert "access_token" not in played.sent[0]


@pytest.mark.parametrize(
    "passing",
    [
        DOWN,
        answer(b"<html>"),
        answer({"type": "ISP", "code": "ServiceTimeout", "message": "x"}),
        answer({"result": {"result_code": "500"}, "code": "0"}),
        answer({"error_response": {"code": "15", "sub_code": "isp.remote", "msg": "x"}}),
        fault("Timeout"),
        fault("ConnectionLost"),
        fault("ConnectionFailed", never_sent=True),
    ],
    ids=["503", "html", "timeout code", "result 500", "isp", "no answer", "reset", "no connection"],
)
def test_a_read_is_repeated_after_a_passing_fault(passing: StepResult) -> None:
    played = Played(FREIGHT, [passing, OK])
    assert played.answer is not None
    assert played.answer.attempts == 2
    assert len(played.waits) == 1
    assert len(played.of(TakeTurn)) == 2, "a repeated call takes a turn like any other"


def test_each_attempt_is_signed_anew() -> None:
    played = Played(FREIGHT, [DOWN] * 5 + [OK])
    assert all("sign=" in url for url in played.sent)
    stamps = [url.partition("timestamp=")[2].partition("&")[0] for url in played.sent]
    assert stamps == sorted(stamps)


def test_waits_grow_and_are_jittered_and_end() -> None:
    played = Played(FREIGHT, [DOWN] * 20)
    assert isinstance(played.error, Transient)
    assert len(played.sent) == played.error.attempts == MOST_ATTEMPTS
    assert played.waits == sorted(played.waits)
    assert played.waits[0] < 0.5
    assert 30 < sum(played.waits) <= BACKEND_PATIENCE
    draws: list[tuple[float, float]] = []
    flow = call(FREIGHT, gateway(), uniform=lambda low, high: draws.append((low, high)) or low)
    flow.send(None)
    for result in ("token", None, DOWN):
        flow.send(result)
    assert draws == [(0.5, 1.5)]


def test_sockets_that_hang_use_up_the_patience_too() -> None:
    played = Played(FREIGHT, [fault("Timeout", took=44.0)] * 20)
    assert isinstance(played.error, Transient)
    assert len(played.sent) == 2


def test_a_backend_that_names_a_time_is_left_alone_that_long() -> None:
    assert Played(FREIGHT, [answer(b"", status=503, retry_after="20"), OK]).waits == [20.0]
    refused = Played(FREIGHT, [answer(b"", status=503, retry_after="3600"), OK])
    assert isinstance(refused.error, Transient)


@pytest.mark.parametrize("passing", [DOWN, answer(b"<html>"), fault("Timeout"), fault("ConnectionLost")])
def test_an_order_is_never_sent_again_once_it_may_have_arrived(passing: StepResult) -> None:
    played = Played(ORDER, [passing, OK])
    assert isinstance(played.error, Transient)
    assert played.error.outcome_unknown
    assert len(played.sent) == 1


def test_an_order_that_never_left_is_sent_again() -> None:
    played = Played(ORDER, [fault("ConnectionFailed", never_sent=True), OK])
    assert played.answer is not None


def test_an_order_that_was_throttled_or_had_a_stale_token_was_not_executed_and_is_sent_again() -> None:
    played = Played(ORDER, [BUSY, STALE, OK])
    assert played.answer is not None
    assert played.answer.attempts == 3


def test_an_authorisation_code_is_not_spent_twice() -> None:
    played = Played(CreateToken("3_500102_secret"), [fault("ConnectionLost"), OK])
    assert isinstance(played.error, Transient)
    assert played.error.outcome_unknown


def test_a_throttle_is_reported_and_waited_out_for_as_long_as_it_says() -> None:
    played = Played(FREIGHT, [BUSY, OK])
    assert played.of(ReportThrottle) == [ReportThrottle(3.0, 100.0)]
    assert played.waits == [3.0]
    assert played.gateway.tally.snapshot().throttles == 1


@pytest.mark.parametrize("words", ["this ban will last 0 seconds", "slow down"])
def test_a_throttle_that_names_no_time_is_waited_out_for_a_second_or_two(words: str) -> None:
    played = Played(FREIGHT, [answer({"type": "ISV", "code": "AppCallLimit", "message": words}), OK])
    assert len(played.waits) == 1
    assert 1.0 <= played.waits[0] <= 2.0


def test_patience_with_throttles_is_long_but_ends() -> None:
    played = Played(FREIGHT, [BUSY] * 1000)
    assert isinstance(played.error, Throttled)
    assert THROTTLE_PATIENCE - 20 < sum(played.waits) <= THROTTLE_PATIENCE
    long_ban = Played(FREIGHT, [answer({"code": "7", "message": "this ban will last 86400 seconds"}), OK])
    assert isinstance(long_ban.error, Throttled)
    assert long_ban.waits == []


def test_throttles_do_not_use_up_the_patience_with_the_backend() -> None:
    played = Played(FREIGHT, [BUSY] * 10 + [DOWN] * 5 + [OK])
    assert played.answer is not None


def test_a_refused_token_is_renewed_once() -> None:
    played = Played(FREIGHT, [STALE, OK])
    assert played.of(RenewToken) == [RenewToken("token-1")]
    assert played.answer is not None
    assert "access_token=token-2" in played.sent[1]
    assert played.waits == []


def test_a_token_that_is_refused_again_is_given_up() -> None:
    played = Played(FREIGHT, [STALE, STALE, OK])
    assert isinstance(played.error, TokenRefused)
    assert played.of(GiveUpToken) == [GiveUpToken("token-2", "IllegalAccessToken expired")]
    assert len(played.sent) == 2
    assert "dropship auth login" in played.error.remedy


def test_a_refused_refresh_token_is_not_renewed_with_itself() -> None:
    played = Played(RefreshToken("r" * 40), [answer({"code": "IllegalRefreshToken", "message": "ended"})])
    assert isinstance(played.error, TokenRefused)
    assert played.of(RenewToken) == []


@pytest.mark.parametrize(
    ("document", "family"),
    [
        ({"type": "ISV", "code": "IncompleteSignature", "message": "x"}, Permanent),
        ({"type": "ISV", "code": "AppWhiteIpLimit", "message": "x"}, Permanent),
        ({"code": "120019", "message": "restricted"}, Refused),
        ({"code": "4242", "message": "never heard of"}, Refused),
    ],
)
def test_a_definite_answer_is_not_asked_for_again(document: object, family: type[ApiError]) -> None:
    played = Played(FREIGHT, [answer(document), OK])
    assert type(played.error) is family
    assert len(played.sent) == 1


def test_a_refusal_carries_the_answer_that_said_so() -> None:
    refusal = answer({"code": "120019", "message": "restricted"})
    played = Played(FREIGHT, [refusal])
    assert played.error is not None
    assert (played.error.body, played.error.received_at) == (refusal.body, refusal.received_at)


def test_a_host_that_was_never_reached_is_given_up_within_ten_seconds() -> None:
    refused_at_once = Played(
        FREIGHT, [fault("ConnectionFailed", never_sent=True, took=0.0)] * 9, gateway(reached=False)
    )
    assert isinstance(refused_at_once.error, Unreachable)
    assert sum(refused_at_once.waits) < 3
    silent = Played(FREIGHT, [fault("ConnectionFailed", never_sent=True, took=4.0)] * 9, gateway(reached=False))
    assert isinstance(silent.error, Unreachable)
    assert len(silent.sent) * 4.0 + sum(silent.waits) < 10
    assert "gateway.example" in str(silent.error)


def test_a_host_that_was_reached_once_is_waited_for() -> None:
    played = Played(FREIGHT, [fault("ConnectionFailed", never_sent=True)] * 9, gateway(reached=True))
    assert not isinstance(played.error, Unreachable)
    assert len(played.sent) == MOST_ATTEMPTS


def test_any_answer_at_all_means_that_the_host_was_reached() -> None:
    at = gateway(reached=False)
    Played(FREIGHT, [DOWN, OK], at)
    assert at.reached


def test_the_guide_is_spoken_first_and_the_live_dialect_after_its_refusal() -> None:
    played = Played(ListProducts("scene", 0, 50, scene_id="906124611"), [WRONG_DIALECT, PAGE])
    assert played.answer is not None
    assert "page_size" in played.sent[0]
    assert "product_type" in played.sent[1]
    assert played.waits == []
    assert played.gateway.dialect.current is Dialect.LIVE
    assert not played.gateway.dialect.undecided


def test_the_first_success_decides_for_the_guide() -> None:
    at = gateway()
    Played(DescribeProduct("1"), [PAGE], at)
    assert not at.dialect.undecided
    assert at.dialect.current is Dialect.GUIDE
    refused = Played(DescribeProduct("2"), [WRONG_DIALECT, PAGE], at)
    assert isinstance(refused.error, Refused)


def test_a_call_that_was_under_way_when_another_found_out_is_not_refused() -> None:
    at = gateway()

    def replies() -> Iterator[StepResult]:
        at.dialect.decide(Dialect.LIVE)  # by another call, while this one waits for its answer
        yield WRONG_DIALECT
        yield PAGE

    played = Played(DescribeProduct("1"), replies(), at)
    assert played.answer is not None
    assert "country" in played.sent[1]


def test_a_request_that_both_dialects_share_decides_nothing() -> None:
    at = gateway()
    Played(ReadInventory("1"), [PAGE], at)
    assert at.dialect.undecided
    refused = Played(ReadInventory("1"), [WRONG_DIALECT, PAGE], at)
    assert isinstance(refused.error, Refused)


def test_what_both_dialects_refuse_is_refused() -> None:
    played = Played(DescribeProduct("1"), [WRONG_DIALECT, WRONG_DIALECT, PAGE])
    assert isinstance(played.error, Refused)
    assert played.gateway.dialect.undecided
    assert "ALIBABA_DIALECT" in played.error.remedy


def test_a_dialect_that_was_set_is_not_left() -> None:
    played = Played(DescribeProduct("1"), [WRONG_DIALECT, PAGE], gateway(Dialect.GUIDE))
    assert isinstance(played.error, Refused)
    assert "country" in Played(DescribeProduct("1"), [PAGE], gateway(Dialect.LIVE)).sent[0]


def test_what_happened_is_tallied() -> None:
    at = gateway()
    Played(FREIGHT, [BUSY, DOWN, OK], at)
    Played(FREIGHT, [answer({"code": "120019", "message": "x"})], at)
    tally = at.tally.snapshot()
    assert tally.calls == {"estimate_freight": 4}
    assert (tally.total_calls, tally.throttles, tally.retries, tally.errors) == (4, 1, 2, {"120019": 1})
    assert tally.seconds_waited > 3
