"""What goes back over HTTP: the answer, the envelopes of refusals, the encoding. Decides nothing about a call."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import orjson

from dropship_pipeline.sandbox.api import Body, Refusal

JSON_TYPE = (b"content-type", b"application/json;charset=UTF-8")
HeaderList = tuple[tuple[bytes, bytes], ...]

WHOLE, RESET, HANG, DRIP = "whole", "reset", "hang", "drip"


@dataclass(slots=True)
class Answer:
    """An HTTP answer and how it is delivered: after `delay_s`, and whole, cut off by a reset, dripping, or never."""

    body: bytes
    status: int = 200
    headers: HeaderList = (JSON_TYPE,)
    outcome: str = "ok"
    delay_s: float = 0.0
    delivery: str = WHOLE


def encode(body: Body | bytes, request_id: str) -> bytes:
    """An endpoint's answer as JSON, with `code` "0" and the request id behind it as the gateway adds them."""
    if isinstance(body, bytes):
        return body
    code = b'"code":"0",' if "code" not in body else b""
    separator = b"," if body else b""
    return b'%b%b%b"request_id":"%b"}' % (orjson.dumps(body)[:-1], separator, code, request_id.encode())


def refusal_answer(refusal: Refusal, request_id: str, *, style: str | None = None) -> Answer:
    """A refusal in its envelope; `style` "error_response" is how the method-style entry tells gateway errors."""
    shape = "error_response" if style and refusal.shape == "flat" else refusal.shape
    body = orjson.dumps(_SHAPES[shape](refusal, request_id))
    return Answer(body, status=refusal.http_status, outcome=refusal.code)


def _flat(refusal: Refusal, request_id: str) -> Mapping[str, object]:
    return {"type": refusal.type, "code": refusal.code, "message": refusal.message, "request_id": request_id}


def _error_response(refusal: Refusal, request_id: str) -> Mapping[str, object]:
    told = {"type": refusal.type, "code": refusal.code, "msg": refusal.message, "request_id": request_id}
    if refusal.sub_code is not None:
        told |= {"sub_code": refusal.sub_code, "sub_msg": refusal.message}
    return {"error_response": told}


def _result(refusal: Refusal, request_id: str) -> Mapping[str, object]:
    result = {"result_msg": refusal.message, "result_code": refusal.code}
    return {"result": result, "code": "0", "request_id": request_id}


def _result_message(refusal: Refusal, request_id: str) -> Mapping[str, object]:
    result = {"result_message": refusal.message, "result_code": refusal.code}
    return {"result": result, "code": "0", "request_id": request_id}


def _business(refusal: Refusal, request_id: str) -> Mapping[str, object]:
    told = {"code": refusal.code, "message": refusal.message, "request_id": request_id}
    return told if refusal.sub_code is None else {**told, "sub_code": refusal.sub_code}


_SHAPES: Mapping[str, Callable[[Refusal, str], Mapping[str, object]]] = {
    "flat": _flat,
    "error_response": _error_response,
    "result": _result,
    "result_message": _result_message,  # the same, as POST endpoints under /eco say it
    "business": _business,
}
