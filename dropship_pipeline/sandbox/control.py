"""The control API under `/_sandbox/`: what is true, what was answered, and the levers, for tests and demonstrations.

It is no part of Alibaba.com and asks for no signature: a sandbox listens on the machine itself unless told otherwise.
GET reads; POST changes, with a JSON object as its body.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import orjson

from dropship_pipeline.sandbox.answers import Answer
from dropship_pipeline.sandbox.assembly import Sandbox
from dropship_pipeline.sandbox.endpoints.payloads import description_of, inventory_of
from dropship_pipeline.sandbox.fault_table import FAULT_KINDS
from dropship_pipeline.sandbox.parameters import parse_query
from dropship_pipeline.sandbox.world.buyers import PaymentStanding

PREFIX = "/_sandbox/"
Json = dict[str, Any]


class ControlError(Exception):
    """A control request that makes no sense: HTTP status and what is wrong."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(what)
        self.status = status


class Control:
    """Answers `/_sandbox/…` requests."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._routes: Mapping[tuple[str, str], Callable[[Mapping[str, str], Json], object]] = {
            ("GET", "health"): self._health,
            ("GET", "stats"): self._stats,
            ("POST", "stats/reset"): self._reset_stats,
            ("GET", "log"): self._log,
            ("GET", "calls"): self._calls,
            ("GET", "clock"): self._clock,
            ("POST", "clock"): self._set_clock,
            ("GET", "limit"): self._limit,
            ("POST", "limit"): self._set_limit,
            ("GET", "faults"): self._faults,
            ("POST", "faults"): self._switch_on,
            ("DELETE", "faults"): self._switch_off,
            ("GET", "truth/feeds"): self._feeds,
            ("GET", "truth/feed"): self._feed,
            ("GET", "truth/products"): self._products,
            ("GET", "truth/product"): self._product,
            ("GET", "truth/orders"): self._orders,
            ("GET", "truth/order_changes"): self._order_changes,
            ("GET", "accounts"): self._accounts,
            ("POST", "accounts/issue"): self._issue,
            ("POST", "accounts/revoke"): self._revoke,
            ("POST", "accounts/expire"): self._expire,
            ("POST", "accounts/payment"): self._payment,
            ("POST", "accounts/pay_by_hand"): self._pay_by_hand,
        }

    def answer(self, method: str, path: str, query: bytes, body: bytes) -> Answer:
        """The answer to a request of the control API, as JSON."""
        try:
            route = self._routes.get((method, path.removeprefix(PREFIX).strip("/")))
            if route is None:
                known = ", ".join(f"{verb} {PREFIX}{name}" for verb, name in self._routes)
                raise ControlError(404, f"there is no {method} {path}; there are {known}")  # noqa: TRY301 - told below
            told = route(parse_query(query), _document(body))
        except ControlError as error:
            return Answer(orjson.dumps({"error": str(error)}), status=error.status)
        except (ValueError, TypeError, KeyError) as error:
            return Answer(orjson.dumps({"error": f"cannot read the request: {error}"}), status=400)
        return Answer(orjson.dumps(told))

    @property
    def _now_ms(self) -> int:
        return self._sandbox.clock.now_ms()

    # What was answered

    def _health(self, _query: Mapping[str, str], _body: Json) -> object:
        config = self._sandbox.config
        return {
            "status": "up",
            "products": len(self._sandbox.catalogue),
            "now_ms": self._now_ms,
            "config": {name: value for name, value in asdict(config).items() if name != "log_file"},
            "paths": self._sandbox.gateway.paths,
        }

    def _stats(self, _query: Mapping[str, str], _body: Json) -> object:
        counters = self._sandbox.counters
        return {"answered": counters.answered, "endpoints": {path: dict(n) for path, n in counters.outcomes.items()}}

    def _reset_stats(self, query: Mapping[str, str], body: Json) -> object:
        self._sandbox.counters.reset()
        return self._stats(query, body)

    def _log(self, query: Mapping[str, str], _body: Json) -> object:
        calls = self._sandbox.counters.since(int(query.get("since", 0)))
        return {"calls": [call.told() for call in calls if query.get("path", call.path) == call.path]}

    def _calls(self, query: Mapping[str, str], _body: Json) -> object:
        calls, complete = self._sandbox.counters.by_key(query["path"])
        return {"calls": calls, "complete": complete}

    # Levers

    def _clock(self, _query: Mapping[str, str], _body: Json) -> object:
        return {"now_ms": self._now_ms, "speed": self._sandbox.clock.speed}

    def _set_clock(self, query: Mapping[str, str], body: Json) -> object:
        clock = self._sandbox.clock
        if "speed" in body:
            clock.run_at(float(body["speed"]))
        if "set_ms" in body:
            clock.set(int(body["set_ms"]))
        if "advance_s" in body:
            clock.advance(float(body["advance_s"]))
        return self._clock(query, body)

    def _limit(self, _query: Mapping[str, str], _body: Json) -> object:
        limit = self._sandbox.limit
        return {"calls_per_second": limit.calls_per_second, "ban_s": limit.ban_s}

    def _set_limit(self, query: Mapping[str, str], body: Json) -> object:
        limit = self._sandbox.limit
        limit.calls_per_second = float(body.get("calls_per_second", limit.calls_per_second))
        limit.ban_s = float(body.get("ban_s", limit.ban_s))
        return self._limit(query, body)

    def _faults(self, _query: Mapping[str, str], _body: Json) -> object:
        known = {
            name: {"description": kind.description, "path": kind.path, "options": dict(kind.options)}
            for name, kind in FAULT_KINDS.items()
        }
        return {"active": [fault.told() for fault in self._sandbox.faults.active], "known": known}

    def _switch_on(self, _query: Mapping[str, str], body: Json) -> object:
        return self._sandbox.faults.switch_on(str(body["fault"])).told()

    def _switch_off(self, query: Mapping[str, str], _body: Json) -> object:
        self._sandbox.faults.switch_off(int(query["id"]) if "id" in query else None)
        return {"active": [fault.told() for fault in self._sandbox.faults.active]}

    # What is true

    def _feeds(self, _query: Mapping[str, str], _body: Json) -> object:
        catalogue, now_ms = self._sandbox.catalogue, self._now_ms
        return {
            key: {"path": listed.feed.path, "selector": listed.feed.selector, "total": catalogue.total(key, now_ms)}
            for key, listed in catalogue.listings.items()
        }

    def _feed(self, query: Mapping[str, str], _body: Json) -> object:
        catalogue, key = self._sandbox.catalogue, query["key"]
        if key not in catalogue.listings:
            raise ControlError(404, f"there is no feed {key!r}; there are {', '.join(catalogue.listings)}")
        ids = catalogue.page(key, 0, len(catalogue), self._now_ms)
        return {"key": key, "product_ids": [str(product_id) for product_id in ids]}

    def _products(self, _query: Mapping[str, str], _body: Json) -> object:
        return {"product_ids": self._sandbox.catalogue.ids(self._now_ms)}

    def _product(self, query: Mapping[str, str], _body: Json) -> object:
        catalogue, now_ms = self._sandbox.catalogue, self._now_ms
        product = catalogue.product(query["id"], now_ms)
        if product is None:
            raise ControlError(404, f"there is no product {query['id']!r}")
        live = self._sandbox.config.dialect == "live"
        return {
            "product_id": product.product_id,
            "status": product.status,
            "feeds": catalogue.feeds_of(product.product_id, now_ms),
            "dispatch_locations": product.dispatch_locations,
            "order_minimum": product.moq,
            "restricted_countries": sorted(product.restricted_countries),
            "freight_template_fails": product.design.template_fails,
            "price_changes_per_day": product.design.price_rate,
            "description": description_of(product, live=live, ship_to=query.get("ship_to_country", "")),
            "inventory": inventory_of(product),
        }

    def _orders(self, _query: Mapping[str, str], _body: Json) -> object:
        return {"orders": self._sandbox.orders.orders_truth(self._now_ms)}

    def _order_changes(self, query: Mapping[str, str], _body: Json) -> object:
        until_ms = int(query.get("until_ms", self._now_ms))
        changes = self._sandbox.orders.changes_between(int(query.get("since_ms", 0)), until_ms)
        return {"changes": [change._asdict() for change in changes]}

    # People

    def _accounts(self, _query: Mapping[str, str], _body: Json) -> object:
        accounts = self._sandbox.accounts
        return {
            "apps": [{"app_key": accounts.default_app.key, "app_secret": accounts.default_app.secret}],
            "buyers": [
                {
                    "user_id": buyer.user_id,
                    "login_id": buyer.login_id,
                    "access_token": accounts.seeded(buyer.user_id).access_token,
                    "refresh_token": accounts.seeded(buyer.user_id).refresh_token,
                }
                for buyer in accounts.buyers
            ],
        }

    def _issue(self, _query: Mapping[str, str], body: Json) -> object:
        accounts = self._sandbox.accounts
        user_id = str(body.get("user_id", accounts.default_buyer.user_id))
        grant = accounts.issue(user_id, self._now_ms)
        return {
            "user_id": user_id,
            "access_token": grant.access_token,
            "refresh_token": grant.refresh_token,
            "expires_in": grant.expires_in,
            "refresh_expires_in": grant.refresh_expires_in,
        }

    def _revoke(self, _query: Mapping[str, str], body: Json) -> object:
        return {"revoked": self._sandbox.accounts.revoke(str(body["token"]))}

    def _expire(self, _query: Mapping[str, str], body: Json) -> object:
        return {"expired": self._sandbox.accounts.expire(str(body["token"]), self._now_ms)}

    def _payment(self, _query: Mapping[str, str], body: Json) -> object:
        user_id = str(body.get("user_id", self._sandbox.accounts.default_buyer.user_id))
        self._sandbox.accounts.set_payment(user_id, PaymentStanding(body["payment"]))
        return {"user_id": user_id, "payment": body["payment"]}

    def _pay_by_hand(self, _query: Mapping[str, str], body: Json) -> object:
        user_id = str(body.get("user_id", self._sandbox.accounts.default_buyer.user_id))
        return {"paid": self._sandbox.payments.pay_by_hand(str(body["trade_id"]), user_id, self._now_ms)}


def _document(body: bytes) -> Json:
    document = orjson.loads(body) if body else {}
    if not isinstance(document, dict):
        raise ControlError(400, "the body is not a JSON object")
    return document
