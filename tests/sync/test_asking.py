"""Products asked for several a call, of gateways that take it, take fewer, or take none: each is answered for once."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import orjson
import pytest
from gateways import gateway_at
from scripted_gateway import Reply, ScriptedGateway, Seen, ok_result, refusal

from dropship_pipeline.alibaba import protocol, transport
from dropship_pipeline.alibaba.errors import ApiError, Outage, TokenRefused
from dropship_pipeline.alibaba.fanout import FanOut
from dropship_pipeline.alibaba.requests import BatchRead, ReadInventory
from dropship_pipeline.sync.progress import Silent
from dropship_pipeline.sync.stages.asking import Asking
from dropship_pipeline.sync.stages.landing import Settled, read_again

BATCH, SINGLE = "/eco/buyer/product/batch/inventory", "/eco/buyer/product/inventory"
STOCK = [{"shipping_from": "CN", "inventory_list": []}]
PRODUCTS = [str(number) for number in range(1000, 1100)]
HAND_OVER = 50

BatchAnswer = Callable[[list[str]], Reply]


def told(product_ids: list[str], *failed: dict[str, object]) -> Reply:
    """A batch answer about these."""
    items = [{"product_id": one, "ship_from_list": ["CN"], "inventory_list": STOCK} for one in product_ids]
    data = {"result_data": items, "failed_items": list(failed)}
    return Reply({"code": "0", "result": {"code": "200", "success": "true", "data": data}})


def failing(*product_ids: str, code: str) -> BatchAnswer:
    """Batches in which these fail, with this code."""

    def answer(asked: list[str]) -> Reply:
        failed = [{"product_id": one, "error_code": code} for one in asked if one in product_ids]
        return told([one for one in asked if one not in product_ids], *failed)

    return answer


@dataclass
class Course:
    """What came of asking for all products."""

    answers: list[Settled] = field(default_factory=list)
    failures: list[ApiError] = field(default_factory=list)
    batches: list[list[str]] = field(default_factory=list)
    alone: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def refused(self) -> dict[str, str]:
        """The products that were refused, with the codes."""
        return {answer.key: answer.refusal.code for answer in self.answers if answer.refusal}


@dataclass
class Notes(Silent):
    """What a person is told."""

    lines: list[str]

    def note(self, line: str) -> None:
        self.lines.append(line)


def course(
    batch: BatchAnswer, single: Callable[[str], Reply] = lambda _: ok_result(STOCK), most: int = 20, patience: int = 20
) -> Course:
    """Ask a gateway for all products that answers batches so; and hold what was answered against what is landed."""
    done = Course()

    def script(seen: Seen) -> Reply:
        if seen.path == SINGLE:
            done.alone.append(str(seen.wrapped("inv_req")["product_id"]))
            return single(done.alone[-1])
        done.batches.append([str(one) for one in orjson.loads(seen.params["query_req"])["product_ids"]])
        assert len(done.batches) <= patience, "it never learns"
        return batch(done.batches[-1])

    with ScriptedGateway(script) as server, FanOut(gateway_at(server.url), 8) as fanout:
        asking = Asking(fanout, Notes(done.notes), ReadInventory, BatchRead.inventories, most)
        for some in asking.ask(PRODUCTS, HAND_OVER):
            assert len(some.answers) + len(some.failures) <= HAND_OVER
            done.answers += some.answers
            done.failures += some.failures
            again = read_again(ReadInventory.operation, some.raw)
            assert [(one.key, one.received_at, one.payload, one.together) for one in again] == [
                (one.key, one.received_at, one.payload, one.together) for one in some.answers
            ]
    assert all(answer.payload == STOCK for answer in done.answers if answer.refusal is None)
    return done


def all_answered(done: Course) -> bool:
    """Whether each product was answered for, once."""
    return Counter(answer.key for answer in done.answers) == Counter(PRODUCTS) and not done.failures


def test_as_many_products_a_call_as_are_allowed_and_nobody_alone() -> None:
    done = course(told)
    assert all_answered(done)
    assert [len(batch) for batch in done.batches] == [20] * 5
    assert (done.alone, done.notes) == ([], [])
    assert [len(batch) for batch in course(told, most=30).batches] == [30, 30, 30, 10]


def test_one_product_a_call_is_the_single_endpoint() -> None:
    done = course(told, most=1)
    assert all_answered(done)
    assert done.batches == []
    assert sorted(done.alone) == PRODUCTS


def test_a_batch_of_one_that_is_left_goes_to_the_single_endpoint() -> None:
    done = course(told, most=33)
    assert [len(batch) for batch in done.batches] == [33, 33, 33]
    assert len(done.alone) == 1


def test_a_refusal_that_is_known_settles_the_product_and_any_other_failure_is_asked_about() -> None:
    done = course(failing("1003", "1050", code="130106"))
    assert all_answered(done)
    assert done.refused == {"1003": "130106", "1050": "130106"}
    assert done.alone == []
    for code in ("ServiceTimeout", "ApiCallLimit", "InsufficientPermission", "2005", ""):
        done = course(failing("1003", "1050", code=code))
        assert all_answered(done), code
        assert done.refused == {}
        assert sorted(done.alone) == ["1003", "1050"]


def test_what_fails_alone_too_stays_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "_BACKOFF_BASE", 0.001)
    done = course(failing("1003", code="ServiceTimeout"), lambda _: refusal("ServiceTimeout"))
    assert [answer.key for answer in done.answers].count("1003") == 0
    assert len(done.answers) == len(PRODUCTS) - 1
    assert [error.code for error in done.failures] == ["ServiceTimeout"]


def test_a_product_of_which_nothing_is_said_is_asked_for_alone() -> None:
    assert all_answered(done := course(lambda asked: told([one for one in asked if int(one) % 4])))
    assert sorted(done.alone) == [one for one in PRODUCTS if not int(one) % 4]
    both = course(lambda asked: told(asked, {"product_id": asked[0], "error_code": "130106"}))
    assert all_answered(both)
    assert sorted(both.alone) == sorted(batch[0] for batch in both.batches)


def test_what_nobody_asked_for_is_passed_over() -> None:
    assert all_answered(course(lambda asked: told([*asked, "7", "8"], {"product_id": "9", "error_code": "404"})))


@pytest.mark.parametrize("item", [{}, {"inventory_list": None}, {"stock": STOCK}, {"inventory_list": "null"}], ids=str)
def test_an_item_that_says_nothing_is_no_answer(item: dict[str, object]) -> None:
    def answer(asked: list[str]) -> Reply:
        items = [{"product_id": one, **item} for one in asked[:5]]
        body = told(asked[5:]).body
        assert isinstance(body, dict)
        body["result"]["data"]["result_data"] += items  # type: ignore[index]
        return Reply(body)

    done = course(answer)
    assert all_answered(done)
    assert len(done.alone) == 25


@pytest.mark.parametrize(
    "no",
    [refusal("InvalidApiPath"), refusal("InsufficientPermission"), Reply(b"<html>", status=404)],
    ids=["InvalidApiPath", "InsufficientPermission", "HTTP 404"],
)
def test_a_gateway_without_batches_is_asked_for_one_once_and_a_person_is_told_once(no: Reply) -> None:
    done = course(lambda _: no)
    assert all_answered(done)
    assert len(done.batches) == 1
    assert sorted(done.alone) == PRODUCTS
    [line] = done.notes
    assert "no batches" in line
    assert BATCH in line


def test_batches_that_end_under_way_cost_nobody_anything() -> None:
    answered = 0

    def answer(asked: list[str]) -> Reply:
        nonlocal answered
        answered += 1
        return told(asked) if answered <= 2 else refusal("InvalidApiPath")

    done = course(answer)
    assert all_answered(done)
    assert len(done.alone) == 60
    assert len(done.notes) == 1


@pytest.mark.parametrize("takes", [13, 10, 7, 2])
def test_a_gateway_that_takes_fewer_is_asked_for_fewer(takes: int) -> None:
    def answer(asked: list[str]) -> Reply:
        return told(asked) if len(asked) <= takes else refusal("400", "too many")

    done = course(answer, patience=60)
    assert all_answered(done)
    refused = [len(batch) for batch in done.batches if len(batch) > takes]
    assert refused in ([20], [20, 10], [20, 10, 5])
    assert done.alone == [] or takes == 2
    assert done.notes


def test_a_gateway_that_takes_no_batch_of_any_size_is_asked_for_none() -> None:
    done = course(lambda _: refusal("MissingParameter"))
    assert all_answered(done)
    assert [len(batch) for batch in done.batches] == [20, 10, 5, 2]
    assert sorted(done.alone) == PRODUCTS


def test_one_product_that_spoils_its_batch_costs_that_batch() -> None:
    def answer(asked: list[str]) -> Reply:
        return refusal("400") if "1047" in asked else told(asked)

    done = course(answer, lambda one: refusal("400") if one == "1047" else ok_result(STOCK))
    assert all_answered(done)
    assert done.refused == {"1047": "400"}
    assert [len(batch) for batch in done.batches if "1047" in batch] == [20, 10, 5, 3]
    assert sum(len(batch) == 20 for batch in done.batches) == 5
    assert len(done.alone) <= 3


def test_an_answer_too_large_to_be_read_is_asked_for_in_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "LARGEST_ANSWER", 1500)
    done = course(told, patience=40)
    assert all_answered(done)
    assert [len(batch) for batch in done.batches][:2] == [20, 10]
    assert done.alone == []


@pytest.mark.parametrize(
    "rubbish",
    [
        Reply(b"<html><body>unusual traffic</body></html>"),
        Reply(b"[]"),
        Reply(b"{}"),
        Reply(b'{"code":"0","result":{"code":"200","data":null}}'),
        Reply(b'{"code":"0","result":{"code":"200","data":[]}}'),
        Reply(b'{"code":"0","result":{"code":"200","data":{"result_data":"none"}}}'),
        Reply(b'{"code":"15","message":"system error"}'),
    ],
    ids=lambda reply: reply.body.decode(),
)
def test_answers_that_are_none_lose_no_product(rubbish: Reply, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "_BACKOFF_BASE", 0.001)
    done = course(lambda _: rubbish)
    assert all_answered(done)
    assert sorted(done.alone) == PRODUCTS
    assert len(done.notes) == 1


def test_a_batch_that_is_throttled_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol._Retries, "_wait", lambda _self, _seconds: iter(()))
    seen: Counter[str] = Counter()

    def answer(asked: list[str]) -> Reply:
        seen[asked[0]] += 1
        return refusal("ApiCallLimit") if seen[asked[0]] == 1 else told(asked)

    done = course(answer)
    assert all_answered(done)
    assert len(done.batches) == 10
    assert done.alone == []


def test_a_batch_that_stays_throttled_stays_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "THROTTLE_PATIENCE", 0.5)
    done = course(lambda asked: refusal("ApiCallLimit") if "1047" in asked else told(asked))
    assert {error.code for error in done.failures} == {"ApiCallLimit"}
    assert len(done.failures) == 20
    assert len(done.answers) == 80


def test_where_single_calls_fail_too_it_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "_BACKOFF_BASE", 0.001)
    with pytest.raises(Outage, match="in a row"):
        course(lambda _: refusal("ServiceUnavailable"), lambda _: refusal("ServiceUnavailable"))


def test_a_refused_token_ends_the_run() -> None:
    with pytest.raises(TokenRefused):
        course(lambda _: refusal("IllegalAccessToken"))
