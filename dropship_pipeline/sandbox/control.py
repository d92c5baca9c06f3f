"""The control API under `/_sandbox/`: what is true, what was answered, and the levers, for tests and demonstrations.

It is no part of Alibaba.com and asks for no signature: a sandbox listens on the machine itself unless told otherwise.
GET reads; POST changes, with a JSON object as its body.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace

import orjson

from dropship_pipeline.sandbox.answers import Answer
from dropship_pipeline.sandbox.assembly import Sandbox
from dropship_pipeline.sandbox.fault_table import FAULT_KINDS
from dropship_pipeline.sandbox.parameters import parse_query
from dropship_pipeline.sandbox.truth import ControlError, Json, Truth
from dropship_pipeline.sandbox.world.buyers import PaymentStanding

PREFIX = "/_sandbox/"


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
            ("GET", "pushes"): self._pushes,
            ("POST", "pushes"): self._set_pushes,
            ("GET", "faults"): self._faults,
            ("POST", "faults"): self._switch_on,
            ("DELETE", "faults"): self._switch_off,
            **{("GET", f"truth/{name}"): tell for name, tell in Truth(sandbox).chapters.items()},
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

    def _pushes(self, _query: Mapping[str, str], _body: Json) -> object:
        return self._sandbox.pushes.told()

    def _set_pushes(self, query: Mapping[str, str], body: Json) -> object:
        pushes = self._sandbox.pushes
        pushes.change(replace(pushes.plan, **body))
        return self._pushes(query, body)

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
