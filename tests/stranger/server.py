"""A gateway by somebody who has only read the API guide and what is known of the live one, with a shop of their own.

It shares nothing with the product nor with its simulated Alibaba.com. It objects (`objections`) to whatever the guide
does not allow, and keeps what it answered, which is what the tables are held against.
"""

import hashlib
import hmac
import itertools
import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import wire
from hand_made_catalogue import NO_OPTIONS, Catalogue, Product, Refusal
from telling import ABSENT, Manner, Teller, told
from wire import Reply

APP_KEY, APP_SECRET = "12345678", "a secret of the stranger's"
TOKEN_BEGINS, REFRESH_TOKEN_BEGINS = "50000601c30", "500016000300"
LISTINGS = {
    "/eco/buyer/product/check": "query_req",
    "/eco/buyer/local/product/check": "req",
    "/eco/buyer/localregular/product/check": "req",
    "/eco/buyer/crossborder/product/check": "param0",
}
SCENES = {
    "906124611": "us_standard",
    "906168847": "cross_border_us",
    "907135637": "us_fast_48h",
    "907732810": "mx_dropship",
    "907180667": "us_top_sellers",
    "907180664": "mx_top_sellers",
}
WRAPPED = {**LISTINGS, "/eco/buyer/product/description": "query_req", "/eco/buyer/product/inventory": "inv_req"}
SYSTEM = {"app_key", "timestamp", "sign_method", "sign", "access_token"}
FREIGHT_FIELDS = {
    "product_id", "quantity", "destination_country", "zip_code", "dispatch_location", "enable_distribution_waybill",
}  # fmt: skip
BAD_FORMAT = {"result": {"result_msg": "Parameter format is error!", "result_code": "400"}}
FAULTS = ("500", "html", "503", "result 500", "isp", "cut", "not json", "408")
OTHER_LOCATION = Refusal("10012", "Dispatch Location Invalid")


@dataclass(frozen=True)
class FreightAnswer:
    """One freight request that was answered; `refusal` None: the carriers were named."""

    product_id: str
    destination: str
    zip_code: str | None
    location: str
    units: int
    refusal: Refusal | None


@dataclass
class Ledger:
    """What was asked and answered."""

    answered: Counter[tuple[str, str]] = field(default_factory=Counter)  # (path, product or page)
    freight: list[FreightAnswer] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    objections: list[str] = field(default_factory=list)


class Stranger:
    """The gateway. A context manager: it serves in threads of its own until the end."""

    def __init__(self, catalogue: Catalogue, manner: Manner) -> None:
        self.catalogue = catalogue
        self.manner = manner
        self.teller = Teller(manner)
        self.ledger = Ledger()
        self.access_token, self.refresh_token = _token(0), _refresh_token(0)
        self._numbers = itertools.count(1)
        self._tokens_given = itertools.count(1)
        self._token_ends = sorted(manner.token_ends_at)
        self._closed_until = 0.0
        self._lock = threading.Lock()
        self._server = wire.server(manner, self.call, self.ledger.objections)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> "Stranger":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def env(self) -> dict[str, str]:
        """All that a merchant is told."""
        return {
            "ALIBABA_BASE_URL": f"http://127.0.0.1:{self._server.server_port}{wire.PREFIX}",
            "ALIBABA_APP_KEY": APP_KEY,
            "ALIBABA_APP_SECRET": APP_SECRET,
            "ALIBABA_ACCESS_TOKEN": self.access_token,
            "ALIBABA_REFRESH_TOKEN": self.refresh_token,
        }

    # ---- a call

    def call(self, method: str, path: str, params: dict[str, str]) -> Reply:
        """What a request is answered, whatever it is."""
        flaw, code = _flaw(method, path, params)
        if flaw:
            return self._object(f"{method} {path}: {flaw}", code)
        disturbance = self._disturbance(next(self._numbers))
        if disturbance:
            return disturbance
        if path == "/auth/token/refresh":
            return self._refresh(params)
        with self._lock:
            known = params.get("access_token") == self.access_token
        if not known:
            self.ledger.outcomes["token refused"] += 1
            return self._gateway_error("ISV", "IllegalAccessToken", "The specified access token is invalid or expired")
        return self._wrapped(path, params) if path in WRAPPED else self._freight(params)

    def _disturbance(self, number: int) -> Reply | None:
        manner = self.manner
        with self._lock:
            if self._token_ends and number >= self._token_ends[0]:
                self._token_ends.pop(0)
                self.access_token = _token(next(self._tokens_given))
            if number in manner.throttled_at:
                self._closed_until = time.monotonic() + 1
            closed = time.monotonic() < self._closed_until
        if closed:
            self.ledger.outcomes["throttled"] += 1
            if number % 2:
                return Reply(429, "slow down", (("Retry-After", "1"),))
            words = "Api access frequency exceeds the limit. this ban will last 1 second(s)"
            return self._gateway_error("ISP", "ApiCallLimit", words)
        if manner.fault_every and number % manner.fault_every == 0:
            fault = FAULTS[(number // manner.fault_every) % len(FAULTS)]
            self.ledger.outcomes[f"fault {fault}"] += 1
            replies = {
                "500": Reply(500, {"code": "15", "message": "Remote service error", "type": "SYSTEM"}),
                "503": Reply(503, "<html><h1>503 Service Temporarily Unavailable</h1></html>"),
                "408": Reply(408, ""),
                "html": Reply(200, "<!DOCTYPE html><html><body>Please wait…</body></html>"),
                "result 500": Reply(200, {"result": {"result_code": "500", "result_msg": "system error"}, "code": "0"}),
                "isp": Reply(
                    200, {"error_response": {"type": "ISP", "code": "15", "sub_code": "isp.remote-service-timeout"}}
                ),
                "cut": Reply(200, {"result": {"result_code": "200", "result_data": [1, 2, 3]}, "code": "0"}, cut=True),
                "not json": Reply(200, '{"result": {"result_code": "200", "result_data": [1'),
            }
            return replies[fault]
        return None

    def _object(self, objection: str, code: str = "InvalidParameter") -> Reply:
        self.ledger.objections.append(objection)
        return self._gateway_error("ISV", code, objection)

    def _gateway_error(self, kind: str, code: str, words: str) -> Reply:
        return Reply(200, {"type": kind, "code": code, "message": words})

    def _refresh(self, params: dict[str, str]) -> Reply:
        with self._lock:
            if params.get("refresh_token") != self.refresh_token:
                return self._object("a refresh token that is not the current one", "IllegalRefreshToken")
            number = next(self._tokens_given)
            self.access_token = _token(number)
            told_refresh_token: Any = ABSENT
            if self.manner.rotates_refresh_token:
                self.refresh_token = told_refresh_token = _refresh_token(number)
            self.ledger.outcomes["refreshed"] += 1
            return Reply(
                200,
                told(
                    access_token=self.access_token,
                    refresh_token=told_refresh_token,
                    expires_in=self.manner.expires_in,
                    refresh_expires_in=5184000,
                    code=self.manner.code,
                ),
            )

    # ---- reads with a wrapper

    def _wrapped(self, path: str, params: dict[str, str]) -> Reply:
        wrapper = WRAPPED[path]
        unknown = params.keys() - SYSTEM - {wrapper}
        if unknown or wrapper not in params:
            return self._object(f"{path} is asked with {sorted(params.keys() - SYSTEM)}")
        asked = json.loads(params[wrapper])
        if path in LISTINGS:
            return self._list(path, asked)
        if not isinstance(asked.get("product_id"), str):
            return self._object(f"{path}: product_id is no text")
        product = self.catalogue.listed.get(asked["product_id"])
        if product is None:
            return self._object(f"{path}: {asked['product_id']} was never listed")
        return self._describe(product, asked) if path.endswith("description") else self._count_stock(product, asked)

    def _list(self, path: str, asked: dict[str, Any]) -> Reply:
        live = self.manner.dialect == "live"
        page, size = ("index", "size") if live else ("page", "page_size")
        allowed = {page, size}
        if path == "/eco/buyer/product/check":
            allowed |= {"scene_id"} | ({"product_type"} if live else set())
        if path == "/eco/buyer/local/product/check":
            allowed |= {"country"}
        wrong = asked.keys() ^ allowed if self.manner.strict else allowed - asked.keys()
        if live:
            wrong |= asked.keys() & {"page", "page_size"}
            wrong -= {"country"}  # optional there, and the guide's own field of the local listing
        if wrong:
            self.ledger.outcomes["bad format"] += 1
            return Reply(200, BAD_FORMAT)
        if not all(type(asked[name]) is int for name in (page, size)) or asked[page] < 0 or asked[size] < 1:
            return self._object(f"{path}: {asked}")
        if asked[size] > self.manner.largest_page:
            return self._object(f"{path}: {asked[size]} a page are more than allowed")
        feed = self._feed(path, asked)
        if feed is None:
            return self._object(f"{path}: {asked} names no feed")
        listing = self.catalogue.feeds[feed]
        length = min(asked[size], self.manner.page_cap)
        ids = listing[asked[page] * length :][:length]
        if not ids and asked[page] and self.manner.past_the_end == "refused":
            return Reply(200, self.teller.refusal(Refusal("404", "there is no such page")))
        totals = self.manner.total != "absent" and (self.manner.totals_everywhere or path == "/eco/buyer/product/check")
        self.ledger.answered[path, f"{feed}:{asked[page]}"] += 1
        return Reply(200, self.teller.listing(ids, len(set(listing)) if totals else None))

    def _feed(self, path: str, asked: dict[str, Any]) -> str | None:
        if path == "/eco/buyer/product/check":
            return SCENES.get(asked["scene_id"])
        if path == "/eco/buyer/local/product/check":
            return {"US": "local_us", "MX": "local_mx"}.get(asked.get("country", ""))
        return "local_regular" if "localregular" in path else "cross_border"

    def _describe(self, product: Product, asked: dict[str, Any]) -> Reply:
        if self.manner.dialect == "live" and "country" not in asked:
            self.ledger.outcomes["bad format"] += 1
            return Reply(200, BAD_FORMAT)
        if self.manner.strict and asked.keys() != {"product_id"}:
            return self._object(f"the description is asked for with {sorted(asked)}")
        self.ledger.answered["description", product.product_id] += 1
        if product.gone:
            return Reply(200, self.teller.refusal(Refusal("130106", "product has expired")))
        return Reply(200, self.teller.result(self.teller.description(product)))

    def _count_stock(self, product: Product, asked: dict[str, Any]) -> Reply:
        if asked.keys() - {"product_id", "sku_id", "shipping_from"}:
            return self._object(f"the stock is asked for with {sorted(asked)}")
        self.ledger.answered["inventory", product.product_id] += 1
        if product.gone:
            return Reply(200, self.teller.refusal(Refusal("130106", "product has expired"), "stock"))
        return Reply(
            200,
            self.teller.result(
                self.teller.stock(product, asked.get("shipping_from")), result_ship_from_list=list(product.stock)
            ),
        )

    # ---- freight

    def _freight(self, params: dict[str, str]) -> Reply:
        asked = {name: value for name, value in params.items() if name not in SYSTEM}
        product = self.catalogue.listed.get(asked.get("product_id", ""))
        destination, location = asked.get("destination_country", ""), asked.get("dispatch_location", "CN")
        units = int(asked.get("quantity", "0"))
        wrong = asked.keys() - FREIGHT_FIELDS
        if product is None or wrong or units < 1 or destination == "UK" or location not in ("CN", "US", "MX"):
            return self._object(f"freight is asked for with {asked}")
        refusal = freight_refusal(product, destination, location, units)
        self.ledger.freight.append(
            FreightAnswer(product.product_id, destination, asked.get("zip_code"), location, units, refusal)
        )
        if refusal is not None and refusal.code != NO_OPTIONS:
            return Reply(200, self.teller.refusal(refusal, f"{product.product_id} {location}"))
        carriers = product.freight[destination, location] if refusal is None else ()
        assert not isinstance(carriers, Refusal)
        value = self.teller.carriers(carriers, destination, units, f"{product.product_id} {destination} {location}")
        return Reply(200, told(value=value, code=self.manner.code))


def freight_refusal(product: Product, destination: str, location: str, units: int) -> Refusal | None:
    """Why so many units are not shipped from there; None: they are."""
    if units < product.units_at_least:
        return Refusal(product.too_few, f"the quantity is below the minimum of {product.units_at_least}")
    what = product.freight.get((destination, location), OTHER_LOCATION)
    if isinstance(what, Refusal):
        return what
    return None if what else Refusal(NO_OPTIONS, "")


def _flaw(method: str, path: str, params: dict[str, str]) -> tuple[str, str]:
    """What is wrong with a call before anybody looks at what it asks for, and the code for that."""
    if path not in {*WRAPPED, "/shipping/freight/calculate", "/auth/token/refresh"}:
        return "no endpoint that a sync of the catalogue needs", "InvalidApiPath"
    if method == "POST" and path.startswith("/eco/"):
        return "the guide says GET", "UnsupportedHttpMethod"
    return signature_flaw(path, params), "IncompleteSignature"


def signature_flaw(path: str, params: dict[str, str]) -> str:
    """What is wrong with a signature, by the guide's own algorithm; "" if it is sound."""
    missing = {"app_key", "timestamp", "sign_method", "sign"} - params.keys()
    if missing:
        return f"without {sorted(missing)}"
    if params["app_key"] != APP_KEY or params["sign_method"] != "sha256":
        return "another app's key, or another method"
    if abs(int(params["timestamp"]) / 1000 - time.time()) > 7200 or len(params["timestamp"]) != 13:
        return f"a timestamp of {params['timestamp']}"
    if "" in params.values():
        return "an empty parameter: some servers sign it, some do not"
    signed = "".join(name + params[name] for name in sorted(params) if name != "sign")
    expected = hmac.new(APP_SECRET.encode(), (path + signed).encode(), hashlib.sha256).hexdigest().upper()
    return "" if hmac.compare_digest(expected, params["sign"]) else "a wrong signature"


def _token(number: int) -> str:
    return f"{TOKEN_BEGINS}{number}/+at=pedf&gu%41 é"


def _refresh_token(number: int) -> str:
    return f"{REFRESH_TOKEN_BEGINS}{number}/+bw=a2Wt&ea%51 ü"
