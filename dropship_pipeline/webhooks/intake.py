"""What is taken in: whether a request is a genuine message of today, and the message it becomes. No I/O."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from dropship_pipeline.alibaba.pushes import Push, PushKind, read_push
from dropship_pipeline.alibaba.signing import push_is_genuine
from dropship_pipeline.storage.ops.inbox import Message, State

LARGEST_BODY = 64 * 1024
"""Bytes. The guide's messages have about 300."""

MAX_AGE = timedelta(hours=12)
"""How old a message may be. Alibaba.com repeats one for about six hours (guide: Handle Retries)."""


class Refused(Exception):
    """A request that leaves nothing but a counter. `reason`: in a word; `status`: of HTTP."""

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


@dataclass(frozen=True, slots=True)
class Intake:
    """Whose messages are taken in, and how old they may be."""

    app_key: str
    app_secret: str = field(repr=False)
    max_age: timedelta = MAX_AGE

    def take(self, body: bytes, authorization: str | None, now: datetime) -> Message:
        """The message. Raises `Refused` for what is unsigned, forged, malformed or stale; looked at in this order.

        What nobody signed is never decoded. A message that does not say when it was sent is not stale.
        """
        if not authorization or not authorization.strip():
            raise Refused("unsigned", 401)
        if not push_is_genuine(self.app_key, self.app_secret, body, authorization):
            raise Refused("forged", 401)
        try:
            push, words = read_push(body), body.decode()
        except ValueError:
            raise Refused("malformed", 400) from None
        if push.sent_at is not None and now - push.sent_at > self.max_age:
            raise Refused("stale", 400)
        return message_of(hashlib.sha256(body).hexdigest(), words, push, now)


def read_again(message_key: str, body: str, now: datetime) -> Message:
    """A stored message, as it is read now."""
    return message_of(message_key, body, read_push(body.encode()), now)


def message_of(message_key: str, body: str, push: Push, now: datetime) -> Message:
    """The message as it is stored: what names nothing that could be fetched is dead from the start."""
    state, reason = State.WAITING, None
    if push.kind is PushKind.UNKNOWN:
        state = State.UNKNOWN
    elif push.subject is None:
        state, reason = State.DEAD, f"It names no {push.kind} that there could be"
    return Message(message_key, now, push.sent_at, push.kind, push.subject, push.event, body, state, reason)
