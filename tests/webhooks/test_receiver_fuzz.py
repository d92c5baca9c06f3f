"""Whatever anybody sends to the receiver, it answers and lives; and what is not a genuine message is not stored.

A sample, the same each time. `FUZZ_EXAMPLES=5000 pytest tests/webhooks/test_receiver_fuzz.py` looks further, elsewhere.
"""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from payloads import ANYTHING
from posting import Receiver, price_change, receiving, signature
from sqlalchemy.engine import make_url

from dropship_pipeline.storage.server.database import Database

ASKED = os.environ.get("FUZZ_EXAMPLES")
EXAMPLES = settings(
    max_examples=int(ASKED or 60),
    derandomize=ASKED is None,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
# what an HTTP client can send as the value of a header
HEADER = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=80)
NAMES = st.sampled_from(
    ["Authorization", "Content-Type", "Content-Encoding", "Expect", "X-Forwarded-For", "Host", "Cookie", "Connection"]
)
SIGNED_DATA = st.dictionaries(
    st.sampled_from(["productId", "product_id", "trade_id_str", "trade_id", "option", "status", "skuId", "value"]),
    ANYTHING | st.sampled_from(["ADD", "PRICE_CHANGE", "../../x", "'; DROP TABLE ops.webhook_inbox; --"]),
    max_size=4,
)
MESSAGES = st.fixed_dictionaries(
    {}, optional={"data": SIGNED_DATA | ANYTHING, "timestamp": ANYTHING, "message_type": ANYTHING, "x": ANYTHING}
)


@pytest.fixture(scope="module")
def inbox(server: Database) -> Iterator[Database]:
    name = f"fuzz_{os.getpid()}"
    with server.autocommit() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE dropship_template")
    database = Database(make_url(server.libpq_url).set(database=name).render_as_string(hide_password=False))
    yield database
    database.close()
    with server.autocommit() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def receiver(inbox: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    home: Path = tmp_path_factory.mktemp("home")
    variables = {"DROPSHIP_HOME": str(home), "DROPSHIP_DATABASE_URL": inbox.libpq_url}
    with receiving(variables, "--max-age", "30000d") as running:
        yield running
        assert running.process.poll() is None


def stored(inbox: Database) -> int:
    with inbox.begin() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM ops.webhook_inbox").scalar_one())


@EXAMPLES
@given(
    method=st.sampled_from(["POST", "POST", "POST", "GET", "PUT", "OPTIONS", "BREW"]),
    path=st.sampled_from(["/webhook/alibaba", "/", "/webhook/alibaba/", "/../etc/passwd", "/%00", "/metrics?x=\xff"]),
    body=st.binary(max_size=300),
    headers=st.dictionaries(NAMES, HEADER, max_size=4),
)
@example("POST", "/webhook/alibaba/", b"", {"Host": "elsewhere.example"})
def test_what_nobody_signed_is_refused_and_leaves_nothing(
    receiver: Receiver, inbox: Database, method: str, path: str, body: bytes, headers: dict[str, str]
) -> None:
    before = stored(inbox)
    status = raw_request(receiver, method, path, headers, body)
    assert status is None or status < 500
    if method == "POST":
        assert status is None or 400 <= status < 500
    assert stored(inbox) == before


@EXAMPLES
@given(body=st.binary(max_size=300) | MESSAGES.map(lambda told: json.dumps(told).encode()))
@example(b"")
@example(b"{" * 60_000)
@example(b'{"data": {"trade_id": "' + b"9" * 60_000 + b'"}}')
@example(b'{"data": {"productId": 1e400, "option": "ADD"}, "timestamp": 1e400}')
@example(b'{"timestamp": 253402300799999, "data": {"productId": "1", "option": "\\u0000\\ud800"}}')
@example('{"message_type": "' + "\U0001f600" * 200 + '"}')
def test_what_is_signed_is_stored_once_or_refused_for_good(receiver: Receiver, inbox: Database, body: bytes) -> None:
    body = body.encode() if isinstance(body, str) else body
    before = stored(inbox)
    status = receiver.post(body, signature(body)).status
    assert status in (200, 400)
    assert stored(inbox) - before in ((0, 1) if status == 200 else (0,))


PIECES = [
    b"POST /webhook/alibaba HTTP/1.1\r\n", b"Host: x\r\n", b"Content-Length: 5\r\n", b"Content-Length: -1\r\n",
    b"Content-Length: \xb2\r\n", b"Transfer-Encoding: chunked\r\n", b"\r\n", b"fffffffffffffffff\r\n",
    b"5\r\nhello\r\n", b"0\r\n\r\n", b"A" * 10_000, b"\x16\x03\x01\x02\x00", b"\0", b"GET / HTTP/9.9\r\n\r\n",
]  # fmt: skip


@EXAMPLES
@given(
    sent=st.binary(min_size=1, max_size=200) | st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map(b"".join)
)
def test_what_is_no_http_at_all_neither_ends_nor_hangs_it(receiver: Receiver, sent: bytes) -> None:
    where = urlsplit(receiver.address)
    with closing(socket.create_connection((where.hostname, where.port), timeout=10)) as connection:
        try:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(1_000)
        except ConnectionError:
            answer = b""
    assert not answer.startswith(b"HTTP/1.1 5")


def test_a_head_without_an_end_is_cut_off_before_it_costs_memory(receiver: Receiver) -> None:
    process = psutil.Process(receiver.process.pid)
    where = urlsplit(receiver.address)
    before = process.memory_info().rss
    for endless in (b"X: " + b"a" * 1_000_000 * 30, b"".join(b"Y%d: %s\r\n" % (n, b"b" * 900) for n in range(30_000))):
        with closing(socket.create_connection((where.hostname, where.port), timeout=10)) as connection:
            with suppress(ConnectionError):
                connection.sendall(b"POST /webhook/alibaba HTTP/1.1\r\n" + endless)
            with suppress(ConnectionError):
                assert connection.recv(1_000).startswith((b"HTTP/1.1 431", b"HTTP/1.1 400"))
    assert process.memory_info().rss - before < 20_000_000
    allowed = price_change("17")
    padded = {"Authorization": signature(allowed), "X-Padding": "p" * 30_000}
    assert receiver.request("POST", where.path, allowed, padded).status == 200


def test_whoever_connects_and_says_nothing_is_let_go(receiver: Receiver) -> None:
    where = urlsplit(receiver.address)
    with closing(socket.create_connection((where.hostname, where.port), timeout=20)) as silent:
        assert silent.recv(1_000) == b""


def test_after_all_that_it_still_stores_what_is_genuine(receiver: Receiver, inbox: Database) -> None:
    before = stored(inbox)
    assert receiver.post(price_change("1601206892606")).status == 200
    assert stored(inbox) == before + 1
    assert receiver.request("GET", "/health").status == 200


def raw_request(receiver: Receiver, method: str, path: str, headers: dict[str, str], body: bytes) -> int | None:
    """The status of the answer; None where the connection was closed without one."""
    where = urlsplit(receiver.address)
    lines = [f"{method} {path} HTTP/1.1", "Connection: close", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items() if name not in ("Connection", "Expect")]
    with closing(socket.create_connection((where.hostname, where.port), timeout=10)) as connection:
        try:
            connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
            answer = b""
            while piece := connection.recv(4_096):
                answer += piece
        except ConnectionError:
            return None
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else None
