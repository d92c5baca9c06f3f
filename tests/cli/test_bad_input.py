"""Bad input gets one clear line that names the thing and the remedy, exit 1 (2 for usage), and loses nothing."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from deployment import Deployment, clean_environment
from typed import Type

from dropship_pipeline.sandbox.launch import Running
from dropship_pipeline.storage.ops.accounts import AccountVault
from dropship_pipeline.storage.ops.secrets import Cipher
from dropship_pipeline.storage.server.database import Database

pytestmark = pytest.mark.xdist_group("bad-input")  # what is set up once is set up once

Deploy = Callable[..., Deployment]


@pytest.fixture
def merchant(
    deploy: Deploy, shop: Running, dagster_template: str, make_database: Callable[..., Database]
) -> Deployment:
    """A merchant with an empty database, in which Dagster has its tables already."""
    merchant = deploy(sandbox=shop)
    merchant.database = make_database(dagster_template)
    return merchant


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["sync", "--feed", "us_standart"], ["us_standart", "us_standard"]),
        (["sync", "--max-age", "yesterday"], ["yesterday", "24h"]),
        (["sync", "--limit", "-1"], ["--limit"]),
        (["sync", "--product", ""], ["--product", "1601206892606"]),
        (["sync", "--product", "1601,1602"], ["--product", "'1601,1602'"]),
        (["orders", "sync", "--order", "23 24"], ["--order", "'23 24'"]),
        (["watch", "add", "1601206892606", "--importance", "nan"], ["--importance", "nan"]),
        (["watch", "add", "1601206892606", "--importance", "inf"], ["--importance", "inf"]),
        (["sync", "--feed", "local_us", "--product", "1"], ["--feed", "--product"]),
        (["snyc"], ["snyc"]),
        (["sql"], ["QUERY"]),
        (["sql", "SELECT 1", "--csv", "--json"], ["--csv", "--json"]),
        (["auth", "exchange"], ["CODE"]),
        (["auth", "login", "--port", "99999"], ["--port", "99999"]),
        (["db", "serve", "--idle", "soon"], ["soon", "24h"]),
    ],
)
def test_what_was_typed_wrong_is_named_and_ends_with_2(
    type_command: Type, arguments: list[str], says: list[str]
) -> None:
    typed = type_command(arguments)
    assert typed.status == 2
    assert typed.out == ""
    for word in says:
        assert word in typed.complaint


@pytest.mark.parametrize(
    "command", ["watch list", "watch remove 1", "webhooks status", "webhooks dead", "webhooks replay --all-dead",
    "rejected retry --all", "rejected list", "orders show 1", "auth forget me", "orders place A", "orders pay A --yes",
    "orders settle A --nothing-placed", "orders cancel A"],
)  # fmt: skip
def test_in_the_wrong_folder_nothing_is_made_and_the_folder_is_named(
    type_command: Type, tmp_path: Path, command: str
) -> None:
    typed = type_command(command.split())
    assert typed.status == 1
    assert f"There are no tables in {tmp_path}/folder/.dropship yet" in typed.complaint
    assert not (tmp_path / "folder" / ".dropship").exists()


def test_a_slip_of_the_hand_is_answered_with_what_was_meant(type_command: Type) -> None:
    assert type_command(["snyc"]).complaint.endswith("Did you mean sync?")
    assert type_command(["nothing-like-it"]).complaint == "Error: No such command 'nothing-like-it'."


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"ALIBABA_APP_SECRET": "wrong"}, ["signature", "ALIBABA_APP_SECRET"]),
        ({"ALIBABA_APP_KEY": "99999999"}, ["app key", "ALIBABA_APP_KEY"]),
        ({"ALIBABA_ACCESS_TOKEN": "", "ALIBABA_REFRESH_TOKEN": ""}, ["no token", "dropship auth login"]),
        ({"ALIBABA_ACCESS_TOKEN": "stale", "ALIBABA_REFRESH_TOKEN": "stale too"}, ["refresh", "dropship auth login"]),
        ({"ALIBABA_BASE_URL": "http://127.0.0.1:9/rest"}, ["127.0.0.1:9", "ALIBABA_BASE_URL"]),
        ({"ALIBABA_BASE_URL": "http://no-such-host.invalid/rest"}, ["no-such-host.invalid", "ALIBABA_BASE_URL"]),
        ({"ALIBABA_BASE_URL": "not an address"}, ["ALIBABA_BASE_URL"]),
        ({"ALIBABA_CALLS_PER_SECOND": "many"}, ["ALIBABA_CALLS_PER_SECOND"]),
        ({"ALIBABA_APP_SECRET": ""}, ["ALIBABA_APP_SECRET"]),
        ({"DROPSHIP_DESTINATIONS": "USA"}, ["DROPSHIP_DESTINATIONS", "'USA'"]),
        ({"DROPSHIP_SECRET_KEY": ""}, ["DROPSHIP_SECRET_KEY"]),
        ({"DROPSHIP_SECRET_KEY": "short"}, ["DROPSHIP_SECRET_KEY"]),
        ({"DROPSHIP_LAKE_URL": "s3://"}, ["DROPSHIP_LAKE_URL"]),
        (
            {"DROPSHIP_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/nothing"},
            ["127.0.0.1:9", "DROPSHIP_DATABASE_URL"],
        ),
        ({"DROPSHIP_DATABASE_URL": "mysql://localhost/shop"}, ["DROPSHIP_DATABASE_URL"]),
        ({"DAGSTER_HOME": "/nowhere"}, ["/nowhere", "DAGSTER_HOME"]),
    ],
)
def test_what_is_set_wrong_is_named_with_the_remedy(
    merchant: Deployment, type_command: Type, variables: dict[str, str], says: list[str]
) -> None:
    typed = type_command(["sync"], {**merchant.environment, **variables})
    assert typed.status == 1, typed.out + typed.err
    for word in says:
        assert word.lower() in typed.complaint.lower()
    for secret in ("helloworld", merchant.sandbox.env["ALIBABA_ACCESS_TOKEN"], "stale too"):
        assert secret not in typed.out + typed.err


def test_a_sync_that_could_not_begin_is_made_good_by_the_next(merchant: Deployment, type_command: Type) -> None:
    assert type_command(["sync"], {**merchant.environment, "ALIBABA_APP_SECRET": "wrong"}).status == 1
    assert type_command(["sync"], merchant.environment).status == 0
    assert merchant.value("SELECT count(*) FROM catalog.products") > 0


def test_the_same_holds_for_a_process_of_its_own(merchant: Deployment, tmp_path: Path) -> None:
    """What is typed within the tests' own process elsewhere, once as a person does it."""
    done = subprocess.run(
        [sys.executable, "-m", "dropship_pipeline.cli", "sync"],
        env={**clean_environment(), **merchant.environment, "ALIBABA_APP_SECRET": "wrong"},
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    complaints = [line for line in done.stderr.splitlines() if line.startswith("dropship: ")]
    assert len(complaints) == 1
    assert "ALIBABA_APP_SECRET" in complaints[0]
    assert "Traceback" not in done.stderr


@contextmanager
def black_hole() -> Iterator[str]:
    """An address at which connections are neither accepted nor refused: a firewall that drops them."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)  # one connection waits to be accepted, and the rest waits for that
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/rest"


def test_a_host_behind_a_firewall_is_reported_within_fifteen_seconds(merchant: Deployment, type_command: Type) -> None:
    with black_hole() as address:
        began = time.monotonic()
        typed = type_command(["sync"], {**merchant.environment, "ALIBABA_BASE_URL": address})
        assert time.monotonic() - began < 15
    assert typed.status == 1
    assert "ALIBABA_BASE_URL" in typed.complaint


def test_a_bad_line_of_the_env_file_is_named_by_its_number_and_not_shown(type_command: Type, tmp_path: Path) -> None:
    (tmp_path / "folder" / ".env").write_text("DROPSHIP_HOME=here\nALIBABA_APP_SECRET helloworld\n")
    typed = type_command(["status"])
    assert typed.status == 1
    assert "Line 2" in typed.complaint
    assert ".env" in typed.complaint
    assert "helloworld" not in typed.complaint


def test_tokens_that_another_key_encrypted_are_not_read_and_not_lost(merchant: Deployment, type_command: Type) -> None:
    assert type_command(["sync"], merchant.environment).status == 0
    other_key = {**merchant.environment, "DROPSHIP_SECRET_KEY": "quite another passphrase"}
    typed = type_command(["sync"], other_key)
    assert typed.status == 1
    assert "DROPSHIP_SECRET_KEY" in typed.complaint
    kept = AccountVault(merchant.database, Cipher([merchant.environment["DROPSHIP_SECRET_KEY"]])).load("default")
    assert kept is not None
    assert kept.access_token == merchant.sandbox.env["ALIBABA_ACCESS_TOKEN"]
    assert type_command(["sync"], merchant.environment).status == 0


def test_the_simulated_catalogue_is_not_mixed_into_a_real_one(merchant: Deployment, type_command: Type) -> None:
    assert type_command(["sync"], merchant.environment).status == 0
    before = merchant.rows("SELECT * FROM catalog.feed_products ORDER BY 1, 2")
    nobody = dict.fromkeys(merchant.sandbox.env, "")
    typed = type_command(["sync"], {**merchant.environment, **nobody})
    assert typed.status == 1
    assert "DROPSHIP_HOME" in typed.complaint
    assert "simulated" in typed.complaint
    assert merchant.rows("SELECT * FROM catalog.feed_products ORDER BY 1, 2") == before


@pytest.mark.parametrize(
    "arguments", [["status"], ["sql", "SELECT 1"], ["publish"], ["auth", "status"], ["db", "upgrade"]]
)
def test_every_command_says_that_the_database_is_down(type_command: Type, arguments: list[str]) -> None:
    down = {"DROPSHIP_DATABASE_URL": "postgresql://me:pass-word@127.0.0.1:9/shop", "DROPSHIP_SECRET_KEY": "k" * 20}
    typed = type_command(arguments, down)
    assert typed.status == 1
    assert "127.0.0.1:9" in typed.complaint
    assert "pass-word" not in typed.complaint
