"""Faults of the service and of the way there: errors, throttles, delays, broken bytes, tokens that run out."""

from collections.abc import Mapping
from email.utils import formatdate

import orjson

from dropship_pipeline.sandbox.answers import DRIP, HANG, JSON_TYPE, RESET, Answer
from dropship_pipeline.sandbox.api import Call, Refusal
from dropship_pipeline.sandbox.clock import real_now_ms
from dropship_pipeline.sandbox.faults import ActiveFault, FaultKind, Scene
from dropship_pipeline.sandbox.limits import throttled

_HTML = (
    b"<!DOCTYPE html><html><head><title>Security check</title></head><body><p>Sorry, we have detected unusual traffic "
    b"from your network.</p></body></html>"
)
_HTML_TYPE = (b"content-type", b"text/html;charset=UTF-8")


def _failed(fault: ActiveFault, status: int, text: str) -> Answer:
    body = orjson.dumps({"type": "SYSTEM", "code": "ServiceUnavailable", "message": text})
    return Answer(body, status=status, outcome=f"fault:{fault.name}")


def _http_500(fault: ActiveFault, _call: Call, _scene: Scene) -> Answer:
    return _failed(fault, int(fault.number("status", 500)), "The request has failed due to a temporary failure")


def _outage(fault: ActiveFault, _call: Call, _scene: Scene) -> Answer:
    return _failed(fault, 503, "The service is unavailable")


def _http_429(fault: ActiveFault, _call: Call, _scene: Scene) -> Answer:
    seconds = int(fault.number("retry_after", 1))
    wait = formatdate(real_now_ms() / 1000 + seconds, usegmt=True) if "date" in fault.options else str(seconds)
    body = orjson.dumps({"type": "SYSTEM", "code": "ApiCallLimit", "message": throttled(seconds).message})
    return Answer(body, status=429, headers=(JSON_TYPE, (b"retry-after", wait.encode())), outcome=f"fault:{fault.name}")


def _throttle_body(fault: ActiveFault, _call: Call, _scene: Scene) -> Answer | None:
    refusal = throttled(int(fault.number("ban", 1)))
    refusal.code = fault.options.get("code", refusal.code)
    raise refusal


def _refuse(fault: ActiveFault, _call: Call, _scene: Scene) -> Answer | None:
    options = fault.options
    raise Refusal(options.get("code", "ServiceTimeout"), options.get("message", "fault"), options.get("shape", "flat"))


def _token_expired(_fault: ActiveFault, call: Call, scene: Scene) -> Answer | None:
    # the real token runs out, so that a refresh mends it and nothing else does
    scene.accounts.expire(call.params.get("access_token", ""), call.now_ms)
    return None


def _html_page(fault: ActiveFault, _call: Call, _scene: Scene) -> Answer:
    return Answer(_HTML, headers=(_HTML_TYPE,), outcome=f"fault:{fault.name}")


def _dropped(fault: ActiveFault, _call: Call, _scene: Scene) -> Answer:
    return Answer(b"{}", outcome=f"fault:{fault.name}", delivery=RESET)


def _slow(fault: ActiveFault, answer: Answer) -> Answer:
    answer.delay_s = fault.number("seconds", 30)
    return answer


def _hang(_fault: ActiveFault, answer: Answer) -> Answer:
    answer.delivery = HANG
    return answer


def _drip(fault: ActiveFault, answer: Answer) -> Answer:
    answer.delivery = DRIP
    answer.delay_s = fault.number("seconds", 10)
    return answer


def _reset(_fault: ActiveFault, answer: Answer) -> Answer:
    answer.delivery = RESET
    return answer


def _truncated_json(_fault: ActiveFault, answer: Answer) -> Answer:
    answer.body = answer.body[: len(answer.body) * 2 // 3]
    return answer


def _bad_gzip(_fault: ActiveFault, answer: Answer) -> Answer:
    answer.headers = (*answer.headers, (b"content-encoding", b"gzip"))
    answer.body = b"\x1f\x8b\x08\x00" + answer.body[:200]
    return answer


TRANSPORT_FAULTS: Mapping[str, FaultKind] = {
    "http_500": FaultKind("an HTTP error", instead=_http_500, options={"status": "the HTTP status, 500"}),
    "outage": FaultKind("HTTP 503 to everything", instead=_outage),
    "http_429": FaultKind(
        "HTTP 429 with Retry-After",
        instead=_http_429,
        options={"retry_after": "seconds, 1; 0 is told too", "date": "1: Retry-After is an HTTP date"},
    ),
    "throttle_body": FaultKind(
        "a throttle code under HTTP 200, saying how long the ban lasts",
        instead=_throttle_body,
        options={"ban": "the seconds it speaks of, 1", "code": "ApiCallLimit, AppCallLimit, 7, 901, …"},
    ),
    "refuse": FaultKind(
        "any error code",
        instead=_refuse,
        options={"code": "ServiceTimeout", "message": "its text", "shape": "flat, error_response, result or business"},
    ),
    "token_expired": FaultKind("the access token of the call runs out", instead=_token_expired),
    "html_page": FaultKind("an HTML page with HTTP 200", instead=_html_page),
    "slow": FaultKind("an answer that comes late", answer=_slow, options={"seconds": "how late, 30"}),
    "hang": FaultKind("an answer that never comes", answer=_hang),
    "drip": FaultKind("an answer that comes in small pieces", answer=_drip, options={"seconds": "in how long, 10"}),
    "reset": FaultKind("the connection is reset in the middle of the answer, all being done", answer=_reset),
    "dropped": FaultKind("the connection is reset, and nothing of the call was done", instead=_dropped),
    "truncated_json": FaultKind("JSON that ends early", answer=_truncated_json),
    "bad_gzip": FaultKind("a body that says it is gzip and is not", answer=_bad_gzip),
}
