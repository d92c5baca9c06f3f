"""What the two transports share: headers, the way out, and words about network faults that are safe to show."""

import logging
import socket
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import certifi

FORM = "application/x-www-form-urlencoded; charset=utf-8"
LARGEST_ANSWER = 32 * 1024 * 1024
"""Bytes, decoded. The largest that are known, batches of descriptions of 4 MB among them, have about a third."""

HEADERS: Mapping[str, str] = {"User-Agent": "dropship-pipeline", "Accept": "application/json"}


class AnswerTooLarge(Exception):
    """An answer of more than `LARGEST_ANSWER` bytes: what is left of it is not read."""

    def __init__(self) -> None:
        super().__init__(f"more than {LARGEST_ANSWER >> 20} MB")


class _WithoutQueries(logging.Filter):
    """Cuts the query, and with it token and signature, from signed URLs that a library logs."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                arg.partition("?")[0] if isinstance(arg, str) and "sign=" in arg else arg for arg in record.args
            )
        return True


# `requests` sends through urllib3, which logs every URL in full at level DEBUG.
logging.getLogger("urllib3.connectionpool").addFilter(_WithoutQueries())


def words_about(error: BaseException) -> str:
    """What went wrong on the network, in a few words. Never the exception's own text: it may hold the signed URL."""
    seen: set[int] = set()
    found = type(error).__name__
    queue: list[BaseException] = [error]
    while queue:
        current = queue.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        if isinstance(current, socket.gaierror):
            return "the host name is not known"
        if isinstance(current, OSError) and current.strerror and current.errno:
            found = current.strerror
        linked = (current.__cause__, current.__context__, getattr(current, "reason", None), *current.args)
        queue.extend(inner for inner in linked if isinstance(inner, BaseException))
    return found


def proxy_for(base_url: str, *, on_this_machine: bool) -> str | None:
    """The proxy that the operating system names for an address; none for this machine itself."""
    parts = urlsplit(base_url)
    if on_this_machine or proxy_bypass(parts.hostname or ""):
        return None
    return getproxies().get(parts.scheme)


def tls_context() -> ssl.SSLContext:
    """Trusts what the system trusts and what `requests` trusts: a slim container may have no certificates at all."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
