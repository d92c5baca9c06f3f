"""The receiver as a process, over real HTTP, with a real Postgres: who is let in, and what is kept of whom."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from deployment import clean_environment
from posting import APP, Receiver, body_of, free_port, price_change, receiving, signature
from sqlalchemy import text
from sqlalchemy.engine import make_url

from dropship_pipeline.storage.server.database import Database

VECTOR = (
    b'{"seller_id":"BROADCAST","message_type":1,"data":{"productId":"123456789","option":"ADD"},"timestamp":1650435537}'
)
SIGNED = "16fb17a4a3b650ab1742980c61625f629d8a1e8f25fd8f9f1e0291ba7a5f6f41"
FOR_EVER = ("--max-age", "3000d")


def rows(database: Database, what: str = "*") -> list[dict[str, Any]]:
    with database.begin() as connection:
        return [
            dict(row)
            for row in connection.execute(text(f"SELECT {what} FROM ops.webhook_inbox ORDER BY received_at")).mappings()
        ]


@pytest.fixture
def receive(database: Database, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    def start(*options: str, **more: Any) -> Any:
        return receiving(
            {"DROPSHIP_HOME": str(tmp_path), "DROPSHIP_DATABASE_URL": database.libpq_url}, *options, **more
        )

    return start


@pytest.fixture
def receiver(receive: Callable[..., Any]) -> Iterator[Receiver]:
    with receive() as running:
        yield running


def test_a_message_is_stored_before_it_is_acknowledged_and_again_only_counted(
    receiver: Receiver, database: Database
) -> None:
    body = price_change("1601206892606")
    answer = receiver.post(body)
    assert (answer.status, answer.body) == (200, "OK")
    [row] = rows(database)
    assert row["body"].encode() == body
    assert (row["kind"], row["subject"], row["event"]) == ("product", "1601206892606", "PRICE_CHANGE")
    assert (row["state"], row["attempts"], row["deliveries"]) == ("waiting", 0, 1)
    assert row["sent_at"].timestamp() == json.loads(body)["timestamp"]

    with ThreadPoolExecutor(4) as several:
        assert {answer.status for answer in several.map(receiver.post, [body] * 12)} == {200}
    [row] = rows(database)
    assert row["deliveries"] == 13
    assert receiver.counter("accepted_total") == 13
    assert receiver.counter("duplicates_total") == 12
    assert receiver.counter("stored_total") == 1
    assert receiver.counter('seconds_bucket{le="+Inf"}') == 13


def test_the_vector_of_the_official_documents_is_genuine_but_of_another_year(
    receiver: Receiver, receive: Callable[..., Any], database: Database
) -> None:
    assert receiver.post(VECTOR, SIGNED).status == 400
    assert receiver.counter('refused_total{reason="stale"}') == 1
    assert rows(database) == []
    with receive(*FOR_EVER) as patient:
        assert patient.post(VECTOR, SIGNED).status == 200
        assert patient.request("POST", "/", VECTOR, {"Authorization": SIGNED}).status == 200
    assert rows(database, "deliveries") == [{"deliveries": 2}]


def endless(receiver: Receiver) -> bytes:
    """What is answered to a body that says no length and has not ended: it is not read to its end."""
    where = urlsplit(receiver.address)
    with socket.create_connection((where.hostname, where.port), timeout=10) as connection:
        connection.sendall(f"POST {where.path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        for _ in range(66):
            connection.sendall(b"3e8\r\n" + b"x" * 1_000 + b"\r\n")
        return connection.recv(1_000)


def test_what_is_refused_leaves_nothing_but_a_counter(receiver: Receiver, database: Database) -> None:
    body = price_change()
    spaced = json.dumps(json.loads(body), separators=(",", ":")).encode()
    huge = body_of(productId="1", option="ADD", note="x" * 70_000)
    path = "/webhook/alibaba"

    signed = {"Authorization": signature(b"")}
    refusals = {
        "unsigned": (receiver.request("POST", path, body), 401),
        "forged": (receiver.post(body, signature(body, secret="helloworle")), 401),
        "of another app": (receiver.post(body, signature(body, key="87654321")), 401),
        "another body": (receiver.post(body.replace(b"11.00", b"01.00"), signature(body)), 401),
        "serialised again": (receiver.post(spaced, signature(body)), 401),
        "not latin": (receiver.post(body, "\xfc" * 64), 401),
        "of last week": (receiver.post(price_change(seconds_ago=7 * 86_400)), 400),
        "no JSON": (receiver.post(b"<xml/>"), 400),
        "no object": (receiver.post(b"[1]"), 400),
        "empty": (receiver.post(b""), 400),
        "no UTF-8": (receiver.post(b'{"data": "\xff"}'), 400),
        "deep": (receiver.post(b"[" * 50_000), 400),
        "oversized": (receiver.post(huge), 413),
        "got": (receiver.request("GET", path), 405),
        "put": (receiver.request("PUT", path, body, signed), 405),
        "elsewhere": (receiver.request("POST", "/webhook/alibaba/x", body, {"Authorization": signature(body)}), 404),
    }
    assert {name: answer.status for name, (answer, _) in refusals.items()} == {
        name: status for name, (_, status) in refusals.items()
    }
    assert endless(receiver).startswith(b"HTTP/1.1 413")
    assert rows(database) == []
    counted = {
        reason: receiver.counter(f'refused_total{{reason="{reason}"}}')
        for reason in ("unsigned", "forged", "stale", "malformed", "oversized", "method", "path")
    }
    assert counted == {
        "unsigned": 1, "forged": 5, "stale": 1, "malformed": 5, "oversized": 2, "method": 2, "path": 1
    }  # fmt: skip
    assert receiver.counter("accepted_total") == 0


def test_unknown_kinds_are_kept_and_what_names_nothing_is_dead_with_its_reason(
    receiver: Receiver, database: Database
) -> None:
    for body in (
        json.dumps({"message_type": 9, "data": {"shop": "x"}}).encode(),
        b"{}",
        body_of(productId="17", option="STOCK"),
        body_of(productId={"a": 1}, option="ADD"),
        body_of(trade_id_str="'; DROP", status="paid"),
        body_of(trade_id_str="255201166001024316", status="trade_close"),
    ):
        assert receiver.post(body).status == 200
    found = [
        (row["kind"], row["subject"], row["event"], row["state"], row["reason"] is not None) for row in rows(database)
    ]
    assert found == [
        ("unknown", None, "message_type 9", "unknown", False),
        ("unknown", None, "message_type none", "unknown", False),
        ("unknown", None, "message_type 1 STOCK", "unknown", False),
        ("product", None, "ADD", "dead", True),
        ("order", None, "paid", "dead", True),
        ("order", "255201166001024316", "trade_close", "waiting", False),
    ]


def test_messages_keep_the_order_in_which_they_came_however_many_come_in_one_second(
    receiver: Receiver, database: Database
) -> None:
    for number in range(50):
        receiver.post(price_change(str(number)))
    assert [row["subject"] for row in rows(database, "subject, received_at")] == [str(number) for number in range(50)]


def test_while_postgres_is_away_it_says_come_again_and_recovers_by_itself(
    receiver: Receiver, database: Database, server: Database
) -> None:
    name = make_url(database.libpq_url).database
    assert receiver.request("GET", "/health").status == 200

    def close_doors(closed: bool) -> None:
        with server.autocommit() as connection:
            connection.exec_driver_sql(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS {'false' if closed else 'true'}")
            if closed:
                connection.exec_driver_sql(
                    f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
                )

    close_doors(True)
    try:
        answer = receiver.post(price_change("1"))
        assert answer.status == 503
        assert int(answer.headers["retry-after"]) > 0
        time.sleep(1.1)
        assert receiver.request("GET", "/health").status == 503
        assert receiver.counter("can_store") == 0
    finally:
        close_doors(False)
    assert receiver.post(price_change("1")).status == 200
    time.sleep(1.1)
    assert receiver.request("GET", "/health").status == 200
    assert receiver.counter("unavailable_total") == 1
    assert receiver.counter("can_store") == 1
    assert [row["subject"] for row in rows(database)] == ["1"]


def test_a_store_that_hangs_is_answered_with_503_and_what_waits_is_stored_afterwards(
    receiver: Receiver, database: Database
) -> None:
    with database.begin() as connection:
        connection.execute(text("LOCK TABLE ops.webhook_inbox IN ACCESS EXCLUSIVE MODE"))
        began = time.monotonic()
        assert receiver.post(price_change("1")).status == 503
        assert time.monotonic() - began < 4, "it waited for the lock"
    assert receiver.post(price_change("2")).status == 200
    assert {row["subject"] for row in rows(database)} >= {"2"}


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=lambda how: how.name)
def test_however_it_ends_nothing_that_was_acknowledged_is_missing(
    receiver: Receiver, database: Database, how: signal.Signals
) -> None:
    acknowledged: set[str] = set()
    refused: list[int] = []

    def post(worker: int) -> None:
        for number in range(100_000):
            try:
                answer = receiver.post(price_change(f"{worker}x{number}"))
            except (OSError, HTTPException):  # it is gone, or was cut off in the middle of an answer
                return
            if answer.status == 200:
                acknowledged.add(f"{worker}x{number}")
            else:
                refused.append(answer.status)

    posting = [threading.Thread(target=post, args=[worker]) for worker in range(4)]
    for thread in posting:
        thread.start()
    while len(acknowledged) < 100:
        time.sleep(0.01)
    status = receiver.stop(how)
    for thread in posting:
        thread.join(30)
    assert status == (-signal.SIGKILL if how is signal.SIGKILL else 0)
    kept = {row["subject"] for row in rows(database, "subject, received_at")}
    assert acknowledged <= kept
    if how is not signal.SIGKILL:
        assert kept == acknowledged  # and nobody was left without an answer


def test_nothing_of_a_message_is_ever_logged(receive: Callable[..., Any], tmp_path: Path) -> None:
    log = tmp_path / "log"
    planted = ("+1-555-0199", "12 Planted Street", "helloworld")
    with log.open("w") as file, receive(log=file.fileno()) as receiver:
        body = body_of(trade_id_str="1", status="paid", phone=planted[0], address=planted[1])
        signed = signature(body)
        assert receiver.post(body).status == 200
        assert receiver.post(body, "0" * 64).status == 401
        assert receiver.post(body + b"]").status == 400
        told = receiver.request("GET", "/metrics").body + receiver.request("GET", "/health").body
        receiver.stop()
    said = log.read_text() + told
    assert not [word for word in (*planted, signed, "Planted") if word in said]


def test_with_a_certificate_it_speaks_tls_itself(receive: Callable[..., Any], tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    make_certificate(certificate, key)
    import requests

    with receive("--certfile", str(certificate), "--keyfile", str(key)) as receiver:
        assert receiver.address.startswith("https://")
        body = price_change()
        answer = requests.post(
            receiver.address, data=body, headers={"Authorization": signature(body)}, verify=str(certificate), timeout=10
        )
        assert answer.status_code == 200


def make_certificate(certificate: Path, key: Path) -> None:
    import ipaddress
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(private, hashes.SHA256())
    )
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


def test_what_it_cannot_start_with_is_named(receive: Callable[..., Any], tmp_path: Path, database: Database) -> None:
    def fails(variables: dict[str, str], *options: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "dropship_pipeline.cli", "webhooks", "serve", *options],
            env={**clean_environment(), "DROPSHIP_HOME": str(tmp_path), **variables},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 1
        return done.stderr

    stored = {"DROPSHIP_DATABASE_URL": database.libpq_url}
    assert "No app is named whose messages could be received" in fails(stored)
    port = free_port()
    with receive("--port", str(port)):
        assert f"Port {port} of 127.0.0.1 cannot be used" in fails({**stored, **APP}, "--port", str(port))
    no_certificate = tmp_path / "no.pem"
    no_certificate.write_text("nothing")
    assert f"The certificate {no_certificate}" in fails(
        {**stored, **APP}, "--port", "0", "--certfile", f"{no_certificate}"
    )
