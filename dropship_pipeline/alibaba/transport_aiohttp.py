"""Calls over `aiohttp`: thousands a second from one event loop. What they are part of is `fanout`.

Only carries bytes and sleeps; what is to be done next is decided in `protocol`.
"""

import asyncio
import time
from datetime import UTC, datetime

import aiohttp
from yarl import URL

from dropship_pipeline.alibaba import transport
from dropship_pipeline.alibaba.errors import ApiError
from dropship_pipeline.alibaba.gateway import Gateway, HttpRequest
from dropship_pipeline.alibaba.outcomes import Answered, Failed, Outcome
from dropship_pipeline.alibaba.protocol import (
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
from dropship_pipeline.alibaba.requests import Request
from dropship_pipeline.alibaba.transport import (
    FORM,
    HEADERS,
    AnswerTooLarge,
    proxy_for,
    tls_context,
    words_about,
)


class ConcurrentCalls:
    """Single calls over one `aiohttp` session. Everything here runs in the event loop's thread."""

    def __init__(self, gateway: Gateway, session: aiohttp.ClientSession, proxy: str | None) -> None:
        self._gateway = gateway
        self._session = session
        self._proxy = proxy

    @classmethod
    async def open(cls, gateway: Gateway) -> "ConcurrentCalls":
        """A new session, in the running loop."""
        timeouts = gateway.timeouts
        tls = tls_context() if gateway.base_url.startswith("https:") else True
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=300, ssl=tls),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=HEADERS,
            timeout=aiohttp.ClientTimeout(total=timeouts.connect + timeouts.answer, sock_connect=timeouts.connect),
        )
        return cls(gateway, session, proxy_for(gateway.base_url, on_this_machine=gateway.on_this_machine))

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def outcome(self, request: Request) -> Outcome:
        """Do what the flow of the call asks for until it has an answer, or an error."""
        gateway = self._gateway
        flow = call(request, gateway)
        try:
            step = next(flow)
            while True:
                # what every call does is done here: another coroutine for each would cost as much as the signature
                kind = type(step)
                if kind is TakeTurn:
                    gateway.tally.waited(await gateway.pacer.wait_turn_async())
                    step = flow.send(None)
                elif kind is NeedToken and (token := gateway.tokens.ready()) is not None:
                    step = flow.send(token)
                else:
                    step = flow.send(await self._do(step))
        except StopIteration as stop:
            return Answered(stop.value)
        except ApiError as error:
            return Failed(request, error)
        finally:
            flow.close()

    async def _do(self, step: Step) -> StepResult:
        gateway = self._gateway
        match step:
            case Send(request):
                return await self._send(request)
            case NeedToken():
                return await asyncio.to_thread(gateway.tokens.access_token)
            case Wait(seconds):
                await asyncio.sleep(seconds)
            case RenewToken(stale):
                return await asyncio.to_thread(gateway.tokens.renew, stale)
            case GiveUpToken(refused, reason):
                await asyncio.to_thread(gateway.tokens.give_up, refused, reason)
            case ReportThrottle(wait_seconds, sent_at):
                await asyncio.to_thread(gateway.pacer.throttled, wait_seconds, sent_at)
        return None

    async def _send(self, request: HttpRequest) -> HttpAnswer | Fault:
        started = time.monotonic()
        try:
            async with self._session.request(
                request.method,
                URL(request.url, encoded=True),
                data=request.form,
                headers={"Content-Type": FORM} if request.form is not None else None,
                allow_redirects=False,  # a signed request goes nowhere else
                proxy=self._proxy,
            ) as response:
                body = await _whole(response.content)
                retry_after = response.headers.get("Retry-After") if response.status != 200 else None
                took = time.monotonic() - started
                return HttpAnswer(response.status, body, retry_after, datetime.now(UTC), started, took)
        except AnswerTooLarge as error:
            return Fault("AnswerTooLarge", str(error), False, time.monotonic() - started)
        except (aiohttp.ClientError, TimeoutError) as error:
            code, never_sent = _kind_of(error)
            return Fault(code, words_about(error), never_sent, time.monotonic() - started)


async def _whole(content: aiohttp.StreamReader) -> bytes:
    """The whole body. Raises `AnswerTooLarge` as soon as that is known."""
    body = await content.readany()
    if content.at_eof() and len(body) <= transport.LARGEST_ANSWER:
        return body
    parts, size = [body], len(body)
    while size <= transport.LARGEST_ANSWER:
        if content.at_eof():
            return b"".join(parts)
        parts.append(await content.readany())
        size += len(parts[-1])
    raise AnswerTooLarge


def _kind_of(error: Exception) -> tuple[str, bool]:
    """Our code for a fault of `aiohttp`, and whether the request certainly never left."""
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return "ConnectionFailed", True
    if isinstance(error, TimeoutError):
        return "Timeout", False
    return "ConnectionLost", False
