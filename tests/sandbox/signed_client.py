"""A client of the API for the tests of the sandbox: standard library only, signing by its own hand."""

import hashlib
import hmac
import http.client
import json
import time
import urllib.parse
from typing import NamedTuple


def signature(path, params, secret):
    text = path + "".join(f"{name}{value}" for name, value in sorted(params.items()) if value != "")
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest().upper()


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


class Client:
    """Signs and sends; `where` says how the parameters travel: query, form, multipart or headers."""

    def __init__(self, running):
        self.env = dict(running.env)
        self.url = urllib.parse.urlsplit(running.base_url)
        self.prefix = self.url.path
        self.timeout_s = 20.0

    def signed(self, path, params, **changed):
        """All parameters of a call, signature included; a changed system parameter of None is left out."""
        everything = {
            "app_key": self.env["ALIBABA_APP_KEY"],
            "access_token": self.env["ALIBABA_ACCESS_TOKEN"],
            "sign_method": "sha256",
            "timestamp": str(int(time.time() * 1000)),
            **params,
            **changed,
        }
        everything = {name: value for name, value in everything.items() if value is not None}
        if "sign" not in changed:
            everything["sign"] = signature(path, everything, self.env["ALIBABA_APP_SECRET"])
        return everything

    def send(self, path, params=None, *, method="GET", where=None, **changed) -> Reply:
        everything = self.signed(path, params or {}, **changed)
        return self.raw(method, path, everything, where or ("query" if method == "GET" else "form"))

    def call(self, path, params=None, **options):
        return self.send(path, params, **options).json

    def raw(self, method, path, params, where="query") -> Reply:
        target, headers, body = self.prefix + path, {}, None
        if where == "query":
            target += "?" + urllib.parse.urlencode(params)
        elif where == "form":
            headers["Content-Type"] = "application/x-www-form-urlencoded;charset=UTF-8"
            body = urllib.parse.urlencode(params).encode()
        elif where == "multipart":
            headers["Content-Type"] = "multipart/form-data; boundary=----edge"
            parts = [
                f'------edge\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in params.items()
            ]
            body = ("".join(parts) + "------edge--\r\n").encode()
        elif where == "headers":
            system = ("app_key", "timestamp", "access_token", "sign_method", "sign")
            headers.update({name: params[name] for name in system if name in params})
            rest = {name: value for name, value in params.items() if name not in system}
            target += "?" + urllib.parse.urlencode(rest)
        return self.http(method, target, headers, body)

    def http(self, method, target, headers=None, body=None) -> Reply:
        connection = http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=self.timeout_s)
        try:
            connection.request(method, target, body=body, headers=headers or {})
            answer = connection.getresponse()
            return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    # The reads that most tests need

    def describe(self, product_id, **request):
        return self.call(
            "/eco/buyer/product/description", {"query_req": json.dumps({"product_id": product_id, **request})}
        )

    def inventory(self, product_id, **request):
        return self.call("/eco/buyer/product/inventory", {"inv_req": json.dumps({"product_id": product_id, **request})})

    def page(self, feed, number, size, dialect="guide"):
        path, parameter, request = FEEDS[feed]
        names = {"page": number, "page_size": size} if dialect == "guide" else {"index": number, "size": size}
        if dialect == "live" and "scene_id" in request:
            names["product_type"] = "common"
        return self.call(path, {parameter: json.dumps({**request, **names})})

    def pages(self, feed, size, dialect="guide"):
        """Every id of a feed, as its pages list them, up to the first empty page."""
        ids = []
        number = 0
        while page := self.page(feed, number, size, dialect)["result"]["result_data"]:
            ids += page
            number += 1
        return ids

    def freight(self, product_id, quantity, destination="US", dispatch=None, **more):
        params = {"product_id": product_id, "quantity": str(quantity), "destination_country": destination, **more}
        if dispatch:
            params["dispatch_location"] = dispatch
        return self.call("/shipping/freight/calculate", params)


_CHECK = "/eco/buyer/product/check"
_LOCAL = "/eco/buyer/local/product/check"
FEEDS = {
    "us_standard": (_CHECK, "query_req", {"scene_id": "906124611"}),
    "cross_border_us": (_CHECK, "query_req", {"scene_id": "906168847"}),
    "us_fast_48h": (_CHECK, "query_req", {"scene_id": "907135637"}),
    "mx_dropship": (_CHECK, "query_req", {"scene_id": "907732810"}),
    "us_top_sellers": (_CHECK, "query_req", {"scene_id": "907180667"}),
    "mx_top_sellers": (_CHECK, "query_req", {"scene_id": "907180664"}),
    "local_us": (_LOCAL, "req", {"country": "US"}),
    "local_mx": (_LOCAL, "req", {"country": "MX"}),
    "local_regular": ("/eco/buyer/localregular/product/check", "req", {}),
    "cross_border": ("/eco/buyer/crossborder/product/check", "param0", {}),
}
