"""Every shape of success and of error that the guide and the live facts know, told apart."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import orjson
import pytest

from dropship_pipeline.alibaba.answers import read_answer, retry_after_seconds, unwrap
from dropship_pipeline.alibaba.errors import (
    ApiError,
    Permanent,
    Refused,
    Throttled,
    TokenRefused,
    Transient,
)
from dropship_pipeline.alibaba.operations import OPERATIONS

LISTING = OPERATIONS["list_scene"]
DESCRIPTION = OPERATIONS["describe_product"]
BATCH = OPERATIONS["describe_products"]
FREIGHT = OPERATIONS["estimate_freight"]
ORDER = OPERATIONS["get_order"]
TRACKING = OPERATIONS["track_order"]
TOKEN = OPERATIONS["create_token"]


def error_of(
    document: object, operation: object = FREIGHT, status: int = 200, retry_after: str | None = None
) -> ApiError:
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    with pytest.raises(ApiError) as raised:
        read_answer(operation, status, body, retry_after)
    return raised.value


SUCCESSES = [
    pytest.param(
        LISTING,
        {"result": {"result_msg": "ok", "result_data": [1, 2], "result_code": "200", "result_total": "2"}, "code": "0"},
        {"result_msg": "ok", "result_data": [1, 2], "result_code": "200", "result_total": "2"},
        id="a listing keeps its total beside its ids",
    ),
    pytest.param(
        DESCRIPTION,
        {"result": {"result_data": {"a": 1}, "result_code": "200"}, "code": "0"},
        {"a": 1},
        id="result_data",
    ),
    pytest.param(
        DESCRIPTION, {"result": {"result_data": {"a": 1}, "result_code": 200}, "code": 0}, {"a": 1}, id="numbers"
    ),
    pytest.param(DESCRIPTION, {"result": {"result_data": {"a": 1}, "result_code": "00"}}, {"a": 1}, id="00, no code"),
    pytest.param(
        DESCRIPTION, {"result": {"result_data": {"a": 1}}, "code": None}, {"a": 1}, id="null code, no result_code"
    ),
    pytest.param(DESCRIPTION, {"result": [{"result_data": {"a": 1}}], "code": "null"}, {"a": 1}, id="one-element list"),
    pytest.param(
        BATCH,
        {"result": {"code": "200", "success": "true", "message": "x", "data": {"a": 1}}, "code": "0"},
        {"a": 1},
        id="batch",
    ),
    pytest.param(FREIGHT, {"code": "0", "value": [{"b": 2}]}, [{"b": 2}], id="value"),
    pytest.param(FREIGHT, {"code": "0"}, None, id="no value at all"),
    pytest.param(FREIGHT, {"code": "0", "result": {"data": [1]}}, [1], id="value under result"),
    pytest.param(TRACKING, {"code": "0", "tracking_list": [{"c": 3}]}, [{"c": 3}], id="tracking_list"),
    pytest.param(
        TRACKING, {"code": "0", "value": {"tracking_list": [{"c": 3}]}}, [{"c": 3}], id="tracking_list in value"
    ),
    pytest.param(
        TOKEN, {"access_token": "t", "code": "0"}, {"access_token": "t", "code": "0"}, id="flat token document"
    ),
    pytest.param(TOKEN, {"result": {"access_token": "t"}, "code": "0"}, {"access_token": "t"}, id="token in result"),
]


@pytest.mark.parametrize(("operation", "document", "payload"), SUCCESSES)
def test_the_payload_comes_out_of_its_envelope(operation: object, document: object, payload: object) -> None:
    assert unwrap(operation, orjson.dumps(document)) == payload


def test_the_request_id_of_a_success_is_kept() -> None:
    body = orjson.dumps({"code": "0", "value": 1, "request_id": "0ba2887315178178017221014"})
    assert read_answer(FREIGHT, 200, body).request_id == "0ba2887315178178017221014"


ERRORS = [
    pytest.param(
        FREIGHT,
        {
            "type": "ISV",
            "code": "IllegalAccessToken",
            "message": "The specified access token is invalid",
            "request_id": "0ba",
        },
        TokenRefused,
        "IllegalAccessToken",
        id="flat",
    ),
    pytest.param(
        FREIGHT,
        {
            "type": "ISV",
            "code": "InvalidParameter",
            "message": "bad",
            "detail": [{"field": "quantity", "message": "not a number"}],
        },
        Permanent,
        "InvalidParameter",
        id="flat with detail",
    ),
    pytest.param(
        FREIGHT,
        {
            "error_response": {
                "type": "ISP",
                "code": "15",
                "msg": "remote",
                "sub_code": "isp.timeout",
                "sub_msg": "late",
            }
        },
        Transient,
        "15",
        id="error_response, the backend's fault",
    ),
    pytest.param(
        FREIGHT,
        {"error_response": {"code": 15, "msg": "remote", "sub_code": "isv.product-gone", "sub_msg": "gone"}},
        Refused,
        "isv.product-gone",
        id="error_response, 15 hides a refusal",
    ),
    pytest.param(
        FREIGHT,
        {"error_response": {"code": "12", "msg": "x", "sub_code": "isv.permission-api-package-limit"}},
        Permanent,
        "isv.permission-api-package-limit",
        id="a permission that the app lacks",
    ),
    pytest.param(
        FREIGHT, {"code": "300000", "message": "m", "sub_code": "x"}, Refused, "300000", id="business with sub_code"
    ),
    pytest.param(
        DESCRIPTION,
        {"result": {"result_code": "400", "result_msg": "Parameter format is error!"}, "code": "0"},
        Refused,
        "400",
        id="result_code under code 0",
    ),
    pytest.param(
        DESCRIPTION,
        {"result": {"result_code": "500", "result_msg": "x"}, "code": "0"},
        Transient,
        "500",
        id="result_code 500",
    ),
    pytest.param(
        OPERATIONS["send_product_events"],
        {"result": {"result_code": "404", "result_message": "nothing there"}, "code": "0"},
        Refused,
        "404",
        id="result_message",
    ),
    pytest.param(
        BATCH,
        {"result": {"code": "200", "success": "false", "message": "no"}, "code": "0"},
        Refused,
        "UNSUCCESSFUL",
        id="success false",
    ),
    pytest.param(
        FREIGHT, {"code": "0", "success": False, "message": "no"}, Refused, "UNSUCCESSFUL", id="success false on top"
    ),
    pytest.param(
        DESCRIPTION, {"code": "0", "request_id": "0ba"}, Transient, "EmptyAnswer", id="success without a result"
    ),
    pytest.param(
        FREIGHT, {"type": "SYSTEM", "code": "Whatever", "message": "x"}, Transient, "Whatever", id="unknown, SYSTEM"
    ),
    pytest.param(FREIGHT, {"type": "ISP", "code": "999999", "message": "x"}, Transient, "999999", id="unknown, ISP"),
    pytest.param(FREIGHT, {"type": "ISV", "code": "999999", "message": "x"}, Refused, "999999", id="unknown, ISV"),
    pytest.param(FREIGHT, {"code": 999999, "message": "x"}, Refused, "999999", id="unknown number"),
]


@pytest.mark.parametrize(("operation", "document", "family", "code"), ERRORS)
def test_every_shape_of_error_is_known(operation: object, document: object, family: type[ApiError], code: str) -> None:
    error = error_of(document, operation)
    assert type(error) is family
    assert error.code == code
    assert error.path in str(error)


def test_an_error_says_what_where_why_and_what_to_do() -> None:
    error = error_of({"code": "120019", "message": "Restricted in DE", "request_id": "0ba28"})
    assert str(error) == (
        'Alibaba.com /shipping/freight/calculate: 120019, product restricted ("Restricted in DE") [request 0ba28]. '
        "The product cannot be shipped to this country."
    )
    assert (error.message, error.request_id, error.mend) == ("Restricted in DE", "0ba28", "none")


@pytest.mark.parametrize(
    ("status", "family", "code", "fatal"),
    [
        (408, Transient, "HTTP 408", False),
        (425, Transient, "HTTP 425", False),
        (429, Throttled, "HTTP 429", False),
        (500, Transient, "HTTP 500", False),
        (503, Transient, "HTTP 503", False),
        (200, Transient, "NotJson", False),
        (302, Permanent, "HTTP 302", True),
        (403, Permanent, "HTTP 403", True),
        (404, Permanent, "HTTP 404", True),
    ],
)
def test_a_page_that_is_no_json_goes_by_its_status(status: int, family: type[ApiError], code: str, fatal: bool) -> None:
    error = error_of(b"<html>Bad day</html>", status=status)
    assert type(error) is family
    assert (error.code, error.fatal) == (code, fatal)


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'"x"', b'{"code":"0","va', b"\xff\xfe", b"\x1f\x8b\x08"])
def test_what_is_no_json_object_is_a_passing_fault(body: bytes) -> None:
    assert error_of(body).code == "NotJson"


def test_a_code_in_the_body_says_more_than_the_status() -> None:
    assert type(error_of({"type": "ISV", "code": "InvalidAppKey", "message": "x"}, status=403)) is Permanent
    assert type(error_of({"type": "SYSTEM", "code": "ApiCallLimit", "message": "x"}, status=503)) is Throttled


def test_a_success_under_a_failing_status_is_none() -> None:
    assert type(error_of({"code": "0", "value": []}, status=502)) is Transient
    assert type(error_of({"code": "0", "value": []}, status=404)) is Permanent


@pytest.mark.parametrize(
    ("message", "retry_after", "seconds"),
    [
        ("Api access frequency exceeds the limit. this ban will last 7 seconds", None, 7.0),
        ("this ban will last 1 second", None, 1.0),
        ("This ban will last 0 second(s)", None, 0.0),
        ("too many", None, 0.0),
        ("too many", "3", 3.0),
        ("this ban will last 2 seconds", "9", 9.0),
    ],
)
def test_the_length_of_a_ban_is_read(message: str, retry_after: str | None, seconds: float) -> None:
    for code in ("ApiCallLimit", "SellerCallLimit", "AppCallLimit", "7", "901"):
        error = error_of({"type": "ISV", "code": code, "message": message}, retry_after=retry_after)
        assert type(error) is Throttled
        assert error.wait_seconds == seconds


def test_retry_after_may_be_seconds_a_date_or_nonsense() -> None:
    assert retry_after_seconds(None) == 0
    assert retry_after_seconds("0") == 0
    assert retry_after_seconds("120") == 120
    assert 25 < retry_after_seconds(format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)) <= 30
    assert retry_after_seconds("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert retry_after_seconds("soon") == 0
    assert retry_after_seconds("-5") == 0


def test_a_503_that_names_a_time_is_obeyed() -> None:
    assert error_of(b"", status=503, retry_after="4").wait_seconds == 4
