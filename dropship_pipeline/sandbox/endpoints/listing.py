"""The four product lists (guide §3–§3c): which feed a call asks for, which page of it, and the page.

The guide dialect pages with `page` and `page_size` (at most 100) and takes no notice of other names; the live dialect
wants `index` and `size` (at most 300), and `product_type` beside a scene.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from dropship_pipeline.sandbox.api import Call, Endpoint
from dropship_pipeline.sandbox.endpoints.eco import (
    GET,
    LIVE,
    Dialect,
    format_error,
    number_field,
    request_object,
    success,
    text_field,
)
from dropship_pipeline.sandbox.world.catalogue import Catalogue
from dropship_pipeline.sandbox.world.feeds import CROSS_BORDER, FEEDS, LISTING, LOCAL, LOCAL_REGULAR

PARAMETERS: Mapping[str, str] = {LISTING: "query_req", LOCAL: "req", LOCAL_REGULAR: "req", CROSS_BORDER: "param0"}
_SELECTORS = {LISTING: "scene_id", LOCAL: "country"}
_FEED_KEYS = {(feed.path, feed.selector): feed.key for feed in FEEDS}
_GUIDE_DEFAULT_SIZE, _GUIDE_MOST, _LIVE_MOST = 20, 100, 300


class PageRequest(NamedTuple):
    """A page that is asked for: `size` products from number `page * size` on."""

    feed_key: str
    page: int
    size: int


def page_request(call: Call, dialect: Dialect) -> PageRequest:
    """What a listing call asks for. Raises the "Parameter format is error!" refusal."""
    request = request_object(call, PARAMETERS[call.path])
    selector = _SELECTORS.get(call.path)
    feed_key = _FEED_KEYS.get((call.path, text_field(request, selector) if selector else ""))
    if feed_key is None:
        raise format_error()
    if dialect == LIVE:
        return _live_page(call.path, request, feed_key)
    page = number_field(request, "page", 0)
    return PageRequest(feed_key, page, number_field(request, "page_size", _GUIDE_DEFAULT_SIZE, _GUIDE_MOST))


def _live_page(path: str, request: Mapping[str, Any], feed_key: str) -> PageRequest:
    if "page" in request or "page_size" in request or (path == LISTING and not text_field(request, "product_type")):
        raise format_error()
    return PageRequest(
        feed_key, number_field(request, "index", None), number_field(request, "size", None, most=_LIVE_MOST)
    )


def endpoints(catalogue: Catalogue, dialect: Dialect) -> list[Endpoint]:
    """The four listing endpoints."""

    def check(call: Call) -> dict[str, object]:
        asked = page_request(call, dialect)
        answer = success(catalogue.page(asked.feed_key, asked.page * asked.size, asked.size, call.now_ms))
        if call.path == LISTING:
            answer["result"]["result_total"] = str(catalogue.total(asked.feed_key, call.now_ms))  # type: ignore[index]
        return answer

    return [Endpoint(path, GET, needs_token=True, handler=check) for path in PARAMETERS]
