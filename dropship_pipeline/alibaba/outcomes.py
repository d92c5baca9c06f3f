"""What becomes of a request that is one of many: it is answered, or it failed and the others go on."""

from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from dropship_pipeline.alibaba.errors import ApiError
from dropship_pipeline.alibaba.protocol import Answer
from dropship_pipeline.alibaba.requests import Request

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answered:
    """The request succeeded."""

    answer: Answer

    @property
    def request(self) -> Request:
        """What was asked."""
        return self.answer.request


@dataclass(frozen=True, slots=True)
class Failed:
    """The request failed, for good or after all retries. A business refusal is an answer too: it has a body to keep."""

    request: Request
    error: ApiError

    @property
    def answer_body(self) -> bytes | None:
        """The answer that said so, as it came; None where nothing came."""
        return self.error.body

    @property
    def received_at(self) -> datetime | None:
        """When that answer came (UTC)."""
        return self.error.received_at


Outcome = Answered | Failed

Flow = Generator[Request, Outcome, T]
"""Requests that depend on each other: yields one, is sent its outcome, returns what came of them all."""


def single(request: Request) -> Flow[Outcome]:
    """The flow of one request by itself."""
    return (yield request)
