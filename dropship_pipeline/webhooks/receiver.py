"""The HTTP side of the receiver: what is answered to whom. Verifying is `intake`'s, storing is `commits`'."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from dropship_pipeline.webhooks import paths
from dropship_pipeline.webhooks.commits import GroupCommits, NotStored
from dropship_pipeline.webhooks.counters import Counters
from dropship_pipeline.webhooks.intake import LARGEST_BODY, Intake, Refused

_COME_AGAIN = {"Retry-After": "5"}  # seconds
_BODY_WITHIN = 5.0  # seconds; the sender gives up after half of one


def build_app(intake: Intake, commits: Callable[[], GroupCommits], counters: Counters) -> Starlette:
    """The application. `commits` is called once, on the event loop, when it starts."""
    storing: list[GroupCommits] = []

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        storing.append(commits())
        storing[0].start()
        yield
        await storing[0].stop()  # by now every request has been answered, or given up

    async def receive(request: Request) -> Response:
        began = time.perf_counter()
        body = await _body(request)
        message = intake.take(body, request.headers.get("authorization"), storing[0].arrival())
        try:
            new = await storing[0].put(message)
        except NotStored:
            counters.unavailable.inc()
            return PlainTextResponse("not stored, come again", 503, _COME_AGAIN)
        finally:
            counters.seconds.observe(time.perf_counter() - began)
        counters.accepted.inc()
        if not new:
            counters.duplicates.inc()
        return PlainTextResponse("OK")

    async def health(_: Request) -> Response:
        if await storing[0].can_store():
            return PlainTextResponse("up")
        return PlainTextResponse("messages cannot be stored", 503, _COME_AGAIN)

    async def metrics(_: Request) -> Response:
        return Response(counters.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)  # noqa: S101  as it is registered below
        counters.refused.labels(error.reason).inc()
        # what is left of a body that was not read to its end must not be taken for the next request
        closing = {"Connection": "close"} if error.status in {408, 413} else None
        return PlainTextResponse(error.reason, error.status, closing)

    async def misplaced(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101  likewise
        counters.refused.labels("method" if error.status_code == 405 else "path").inc()
        return PlainTextResponse(error.detail, error.status_code, error.headers)

    app = Starlette(
        routes=[
            Route(paths.MESSAGES, receive, methods=["POST"]),
            Route("/", receive, methods=["POST"]),
            Route(paths.HEALTH, health),
            Route(paths.METRICS, metrics),
        ],
        exception_handlers={Refused: refused, HTTPException: misplaced},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # it would send whoever asks to the host that he names himself
    return app


async def _body(request: Request) -> bytes:
    """The whole body. Raises `Refused` for one that is too large, as soon as that is known, or too slow."""
    told = request.headers.get("content-length", "0")
    if told.isdigit() and int(told) > LARGEST_BODY:
        raise Refused("oversized", 413)
    parts, size = [], 0
    try:
        async with asyncio.timeout(_BODY_WITHIN):
            async for part in request.stream():
                size += len(part)
                if size > LARGEST_BODY:
                    raise Refused("oversized", 413)
                parts.append(part)
    except TimeoutError:
        raise Refused("slow", 408) from None
    except ClientDisconnect:
        raise Refused("broken off", 400) from None
    return b"".join(parts)
