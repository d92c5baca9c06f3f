"""The other side of the receiver in tests: signs messages as the guide says, with code of its own, and posts them."""

import hashlib
import hmac
import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from deployment import clean_environment

APP = {"ALIBABA_APP_KEY": "12345678", "ALIBABA_APP_SECRET": "helloworld"}


def body_of(seconds_ago: float = 0.0, **data: object) -> bytes:
    """A message of now with these data."""
    kind = 3 if "trade_id_str" in data else 1
    sent = int(time.time() - seconds_ago)
    return json.dumps({"seller_id": "BROADCAST", "message_type": kind, "data": data, "timestamp": sent}).encode()


def price_change(product_id: str = "123456789", value: str = "11.00", **more: float) -> bytes:
    return body_of(**more, productId=product_id, skuId="1", option="PRICE_CHANGE", value=value)


def signature(body: bytes, secret: str = "helloworld", key: str = "12345678") -> str:
    return hmac.new(secret.encode(), key.encode() + body, hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Answer:
    status: int
    body: str
    headers: dict[str, str]


@dataclass
class Receiver:
    """A receiver in a process of its own."""

    process: "subprocess.Popen[str]"
    address: str

    def request(
        self, method: str, path: str, body: bytes | Iterator[bytes] | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        where = urlsplit(self.address)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=15)
        try:
            connection.request(method, path, body, headers or {}, encode_chunked=not isinstance(body, bytes | None))
            answer = connection.getresponse()
            return Answer(answer.status, answer.read().decode(), dict(answer.getheaders()))
        finally:
            connection.close()

    def post(self, body: bytes, authorization: str | None = None) -> Answer:
        """Post a message, signed unless another signature is given."""
        headers = {"Content-Type": "application/json", "Authorization": authorization or signature(body)}
        return self.request("POST", urlsplit(self.address).path, body, headers)

    def counter(self, name: str) -> float:
        """A counter of /metrics, by its name with its labels."""
        lines = self.request("GET", "/metrics").body.splitlines()
        found = [line.rpartition(" ") for line in lines if not line.startswith("#")]
        return next((float(value) for told, _, value in found if told == f"dropship_webhooks_{name}"), 0.0)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(20)


@contextmanager
def receiving(variables: dict[str, str], *options: str, log: int | None = None) -> Iterator[Receiver]:
    """A receiver that runs inside of the `with`, at a free port unless the options say another."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dropship_pipeline.cli", "webhooks", "serve", "--port", "0", *options],
        env={**clean_environment(), **APP, "PYTHONUNBUFFERED": "1", **variables},
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert "are received at " in line, line
        yield Receiver(process, line.strip().rpartition(" ")[2])
    finally:
        process.stdout.close()
        if process.poll() is None:
            process.kill()
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
