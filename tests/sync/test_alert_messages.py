"""What people are told: one bounded message without secrets, posted to a server that may be down, slow or wrong."""

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr
from slack_webhook import SECRET_PATH, free_port, slack

from dropship_pipeline.settings import load_settings
from dropship_pipeline.storage.ops.alerts import Alert, Kind
from dropship_pipeline.sync.alerts import messages as alert_messages
from dropship_pipeline.sync.alerts.messages import LONGEST, fit, post, secrets_of, text_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
UI = "https://dagster.example/"


def alert(
    title: str = "Run of catalogue_sync failed at publish",
    detail: str = "Alibaba.com did not answer. Run the sync again.",
    kind: Kind = Kind.RUN,
    *,
    count: int = 1,
    returned: int = 0,
    told: bool = False,
    over: bool = False,
) -> Alert:
    return Alert(
        key=f"{kind}:{title}",
        kind=kind,
        subject="step publish",
        partitions="",
        title=title,
        detail=detail,
        link="/runs/1a2b",
        first_at=NOW - 26 * HOUR,
        last_at=NOW - HOUR,
        count=count,
        returned=returned,
        sent_at=NOW - 25 * HOUR if told else None,
        resolved_at=NOW - 2 * HOUR if over else None,
    )


def test_a_new_problem_says_what_why_what_to_do_and_where() -> None:
    assert text_of([alert()], NOW, UI).split("\n") == [
        "dropship_pipeline: 1 new",
        (
            "• New: Run of catalogue_sync failed at publish: Alibaba.com did not answer. Run the sync again. "
            "→ https://dagster.example/runs/1a2b"
        ),
    ]


def test_what_lasts_says_for_how_long_and_how_often_and_what_is_over_says_so() -> None:
    many = [
        alert("A", told=True, over=True),
        alert("B", told=True, count=1200),
        alert("C"),
        alert("D", returned=2, told=True),
    ]
    headline, *lines = text_of(many, NOW, UI).split("\n")
    assert headline == "dropship_pipeline: 1 new, 2 still there, 1 over"
    assert [line.partition(": ")[0] for line in lines] == [
        "• New",
        "• Still, for 1 day, 1,200 times",
        "• Comes and goes, for 1 day",
        "• Over after 1 day",
    ]
    assert lines[-1] == "• Over after 1 day: A"


def test_two_hundred_problems_are_one_message_that_can_be_read() -> None:
    many = [alert(f"Run of orders_by_day for day {day} failed") for day in range(200)]
    many += [alert(f"Check {n}", kind=Kind.CHECK) for n in range(3)] + [alert("E", told=True, over=True)]
    text = text_of(many, NOW, UI)
    assert len(text) < LONGEST + 200
    headline, *lines, last = text.split("\n")
    assert headline == "dropship_pipeline: 203 new, 1 over"
    left = 204 - len(lines)
    assert last == f"… and {left} more ({left - 4} failed runs, 3 failed checks, 1 over): https://dagster.example/runs"


def test_one_problem_is_told_however_long_it_is() -> None:
    assert "x" * LONGEST in text_of([alert(detail="x" * LONGEST)], NOW, UI)


@pytest.mark.parametrize(
    ("minutes", "words"), [(0, "1 minute"), (59, "59 minutes"), (60, "1 hour"), (1439, "23 hours"), (4320, "3 days")]
)
def test_how_long_is_told_in_the_largest_unit(minutes: int, words: str) -> None:
    assert alert_messages._long(timedelta(minutes=minutes)) == words


def test_no_secret_of_the_settings_is_told() -> None:
    secrets = {
        "ALIBABA_APP_SECRET": "app-secret-1",
        "ALIBABA_ACCESS_TOKEN": "access-token-1",
        "DROPSHIP_DATABASE_URL": "postgresql://me:pass-word-1@host/db",
        "DROPSHIP_SECRET_KEY": "secret-key-long-enough",
        "DROPSHIP_ALERT_URL": f"https://hooks.example{SECRET_PATH}",
    }
    found = secrets_of(load_settings({"ALIBABA_APP_KEY": "1", **secrets}))
    told = fit(
        f"{' '.join(secrets.values())} pass-word-1 and 50000601c30atpedfgu3LVvik87Ixlsvle3mSoB7701ceb156f", found
    )
    assert told == "*** *** *** *** *** *** and ***"
    assert secrets_of(load_settings({})) == []


def test_words_of_others_become_one_short_line() -> None:
    assert fit("a\n  b", []) == "a b"
    assert len(fit("word " * 1000, [])) < 310


def test_slack_takes_it_and_its_markup_is_no_markup() -> None:
    with slack() as server:
        assert post(SecretStr(server.url), "<!channel> a & b") is None
        assert server.texts == ["&lt;!channel&gt; a &amp; b"]


@pytest.mark.parametrize("status", [302, 400, 404, 410, 429, 500, 503])
def test_what_is_not_taken_says_the_status(status: int) -> None:
    with slack() as server:
        server.status = status
        assert post(SecretStr(server.url), "text") == f"it answers with status {status}"
        assert (server.texts, server.requests) == ([], 1)  # no redirect was followed, nothing was repeated


def test_a_server_that_is_down_or_slow_or_no_server_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    assert post(SecretStr(f"http://127.0.0.1:{free_port()}/x"), "text") == "it cannot be reached: Connection refused"
    assert post(SecretStr("http://nobody.invalid/x"), "text") == "it cannot be reached: the host name is not known"
    for nonsense in ("hooks.slack.com/x", "ftp://host/x", "http://", "https://[x/"):
        assert post(SecretStr(nonsense), "text") == "it is no address of the kind https://host/path"
    monkeypatch.setattr(alert_messages, "_ANSWER", 0.3)
    with slack() as server:
        server.pause = 1
        assert post(SecretStr(server.url), "text") == "it did not answer within 0.3 seconds"


def test_a_certificate_that_nobody_signed_is_not_believed(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    made = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(made - HOUR)
        .not_valid_after(made + HOUR)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "self-signed.pem"
    unlocked = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, unlocked)
    pem.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    with slack(certificate=pem) as server:
        assert post(SecretStr(server.url), "text") == "its certificate cannot be verified"
        assert server.requests == 0


def test_the_address_is_in_no_log_however_much_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), slack() as server:
        for server.status in (200, 500):
            post(SecretStr(server.url), "text")
    post(SecretStr(f"http://127.0.0.1:{free_port()}{SECRET_PATH}"), "text")
    assert "services" not in caplog.text
