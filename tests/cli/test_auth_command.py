"""`dropship auth`: a buyer authorises the app in a browser, which these tests play over HTTP. No token is shown."""

import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from deployment import SECRET_KEY, Deployment, clean_environment
from typed import Type, Typed

from dropship_pipeline.alibaba.tokens import TokenPair
from dropship_pipeline.problem import Problem
from dropship_pipeline.sandbox.launch import Running
from dropship_pipeline.storage.ops.accounts import AccountVault
from dropship_pipeline.storage.ops.secrets import Cipher
from dropship_pipeline.sync.accounts.authorise import login, open_authority

pytestmark = pytest.mark.xdist_group("auth-command")  # what is set up once is set up once

Deploy = Callable[..., Deployment]
NO_TOKENS = {"ALIBABA_ACCESS_TOKEN": "", "ALIBABA_REFRESH_TOKEN": ""}


@pytest.fixture
def merchant(deploy: Deploy, shop: Running) -> Deployment:
    """A merchant with an app and no tokens."""
    return deploy(sandbox=shop, variables=NO_TOKENS)


def kept_tokens(merchant: Deployment) -> TokenPair:
    kept = AccountVault(merchant.database, Cipher([SECRET_KEY])).load("default")
    assert kept is not None
    return kept


def answer_the_page(address: str, decision: str = "authorize", buyer: int = 0) -> str:
    """What a browser does: opens the page, sends its form with a click; gives where it is sent back to."""
    page = requests.get(address, timeout=10)
    assert page.status_code == 200, page.text
    fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page.text))
    buyers = re.findall(r'name="buyer" value="([^"]+)"', page.text)
    form = {**fields, "buyer": buyers[buyer], "decision": decision}
    sent = requests.post(
        f"{address.partition('?')[0]}", data=form, timeout=10, allow_redirects=False
    )  # fmt: skip
    assert sent.status_code == 302
    return sent.headers["location"]


def in_a_browser(act: Callable[[str], None]) -> Callable[[str], None]:
    """What `login` is given to open an address: somebody who acts on it while it waits."""
    return lambda address: threading.Thread(target=act, args=(address,), daemon=True).start()


def test_a_buyer_who_authorises_the_app_is_all_that_a_sync_needs(
    merchant: Deployment, type_command: Type, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "dropship_pipeline.cli", "auth", "login", "--no-browser", "--port", "0"],
        env={**clean_environment(), **merchant.environment, "PYTHONUNBUFFERED": "1"}, cwd=tmp_path,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert "authorise the app" in process.stdout.readline()
    address = process.stdout.readline().strip()
    assert address.startswith(merchant.sandbox.env["ALIBABA_AUTHORIZE_URL"])
    back = answer_the_page(address)
    code = parse_qs(urlsplit(back).query)["code"][0]
    caught = requests.get(back, timeout=10)
    assert caught.status_code == 200
    assert "terminal" in caught.text
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert "Account default is authorised until" in out
    synced = type_command(["sync", "--feed", "us_top_sellers"], merchant.environment)
    assert synced.status == 0, synced.err
    shown = out + err + caught.text + synced.out + synced.err
    for arguments in (["auth", "status"], ["auth", "status", "--json"], ["status"], ["doctor"]):
        typed = type_command(arguments, merchant.environment)
        assert typed.status == 0, typed.err
        shown += typed.out + typed.err
    tokens = kept_tokens(merchant)
    for secret in (tokens.access_token, tokens.refresh_token, code, "helloworld", SECRET_KEY):
        assert secret
        assert secret not in shown
    stored = str(merchant.rows("SELECT to_jsonb(a) AS row FROM ops.accounts a"))
    assert tokens.access_token not in stored


def test_an_answer_with_another_state_is_refused_and_the_genuine_one_still_counts(merchant: Deployment) -> None:
    statuses = []

    def attacked(address: str) -> None:
        back = answer_the_page(address)
        genuine = parse_qs(urlsplit(back).query)
        own = back.partition("?")[0]
        statuses.extend(
            requests.get(asked, timeout=10).status_code
            for asked in (
                f"{own}?code=stolen&state=guessed",
                f"{own}?code=stolen",
                own,
                f"{own}?code=stolen&state={'x' * 32}é",
                own.replace("/callback", "/favicon.ico"),
                f"{own}?code={genuine['code'][0]}&state={genuine['state'][0]}",
            )
        )

    with open_authority(merchant.settings) as authority:
        login(authority, 0, in_a_browser(attacked), 30)
    assert statuses == [400, 400, 400, 400, 404, 200]
    assert kept_tokens(merchant).access_token


def test_a_buyer_who_says_no_leaves_everything_as_it_was(merchant: Deployment) -> None:
    def cancel(address: str) -> None:
        requests.get(answer_the_page(address, "cancel"), timeout=10)

    with open_authority(merchant.settings) as authority, pytest.raises(Problem, match="did not authorize") as caught:
        login(authority, 0, in_a_browser(cancel), 30)
    assert "dropship auth login" in str(caught.value)
    assert merchant.rows("SELECT * FROM ops.accounts") == []


def test_a_buyer_who_does_not_come_is_not_waited_for_for_ever(merchant: Deployment, type_command: Type) -> None:
    began = time.monotonic()
    typed = type_command(["auth", "login", "--no-browser", "--port", "0", "--wait", "0.2"], merchant.environment)
    assert time.monotonic() - began < 10
    assert typed.status == 1
    assert "Nobody authorised" in typed.complaint
    assert "dropship auth login" in typed.complaint


def test_a_browser_that_opens_connections_and_says_nothing_holds_nobody_up(merchant: Deployment) -> None:
    def idle_first(address: str) -> None:
        port = int(re.search(r"127\.0\.0\.1%3A(\d+)", address)[1])  # type: ignore[index]
        with socket.create_connection(("127.0.0.1", port)), socket.create_connection(("127.0.0.1", port)):
            requests.get(answer_the_page(address), timeout=10)

    with open_authority(merchant.settings) as authority:
        began = time.monotonic()
        login(authority, 0, in_a_browser(idle_first), 30)
        assert time.monotonic() - began < 8
    assert kept_tokens(merchant).access_token


def test_a_port_that_is_taken_is_named(merchant: Deployment, type_command: Type) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        typed = type_command(["auth", "login", "--no-browser", "--port", port], merchant.environment)
    assert typed.status == 1
    assert port in typed.complaint
    assert "--port" in typed.complaint


def authorisation_code(merchant: Deployment, buyer: int = 0) -> str:
    address = (
        f"{merchant.sandbox.env['ALIBABA_AUTHORIZE_URL']}?response_type=code&client_id="
        f"{merchant.sandbox.env['ALIBABA_APP_KEY']}&redirect_uri=http://127.0.0.1/callback&state=s"
    )
    return parse_qs(urlsplit(answer_the_page(address, buyer=buyer)).query)["code"][0]


def test_a_code_is_exchanged_once_and_the_tokens_are_refreshed(merchant: Deployment, type_command: Type) -> None:
    code = authorisation_code(merchant)
    typed = type_command(["auth", "exchange", code], merchant.environment)
    assert typed.status == 0, typed.err
    assert "Account default is authorised until" in typed.out
    first = kept_tokens(merchant)
    again = type_command(["auth", "exchange", code], merchant.environment)
    assert again.status == 1
    assert "dropship auth login" in again.complaint
    assert kept_tokens(merchant) == first
    refreshed = type_command(["auth", "refresh"], merchant.environment)
    assert refreshed.status == 0, refreshed.err
    assert kept_tokens(merchant).access_token != first.access_token
    for secret in (code, first.access_token, first.refresh_token, kept_tokens(merchant).access_token):
        assert secret
        assert secret not in typed.out + typed.err + again.out + again.err + refreshed.out + refreshed.err


def test_the_accounts_are_listed_with_their_user_and_their_time(merchant: Deployment, type_command: Type) -> None:
    assert "dropship auth login" in type_command(["auth", "status"], merchant.environment).out
    type_command(["auth", "exchange", authorisation_code(merchant)], merchant.environment)
    shown = type_command(["auth", "status"], merchant.environment).out
    assert re.search(r"^default\s+\d+\s+buyApp\s+active\s+\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", shown, re.MULTILINE)


def test_several_buyers_each_have_a_name_of_their_own(merchant: Deployment, type_command: Type) -> None:
    def typed(*arguments: str) -> Typed:
        return type_command(["auth", *arguments], merchant.environment)

    assert typed("exchange", authorisation_code(merchant)).status == 0
    second = typed("exchange", authorisation_code(merchant, 1), "--account", "lakeshore")
    assert second.out.startswith("Account lakeshore is authorised until ")
    listed = json.loads(typed("status", "--json").out)
    users = {row["account"]: row["alibaba_user_id"] for row in listed}
    assert users == {"default": "200042362", "lakeshore": "200057718"}

    twice = typed("exchange", authorisation_code(merchant, 1), "--account", "again")
    assert twice.status == 1
    assert "user 200057718 is account lakeshore already" in twice.complaint

    other = typed("exchange", authorisation_code(merchant, 2), "--account", "lakeshore")
    assert other.status == 1
    assert "Account lakeshore is Alibaba.com user 200057718, and user 200063905 has" in other.complaint
    assert {row["account"] for row in json.loads(typed("status", "--json").out)} == {"default", "lakeshore"}
    replaced = typed("exchange", authorisation_code(merchant, 2), "--account", "lakeshore", "--replace")
    assert replaced.status == 0, replaced.err
    assert "200063905" in typed("status").out

    before = kept_tokens(merchant)
    assert typed("refresh", "--account", "lakeshore").status == 0
    assert kept_tokens(merchant) == before, "the other account's are left alone"

    assert typed("forget", "lakeshore").out == "Account lakeshore is forgotten.\n"
    gone = typed("forget", "lakeshore")
    assert "'lakeshore'" in gone.complaint
    assert "There are: default" in gone.complaint
    assert "dropship auth login --account lakeshore" in typed("refresh", "--account", "lakeshore").complaint


def test_tokens_of_the_environment_come_back_after_their_account_is_forgotten_and_that_is_said(
    shop: Running, deploy: Deploy, type_command: Type
) -> None:
    seeded = deploy(sandbox=shop)
    assert type_command(["auth", "refresh"], seeded.environment).status == 0
    shown = type_command(["auth", "forget", "default"], seeded.environment)
    assert shown.status == 0
    assert "ALIBABA_ACCESS_TOKEN" in shown.out


@pytest.mark.parametrize("name", ["", "-x", "a b", "simulated", "x" * 41, "café", "a;b"])
def test_a_name_that_no_account_may_have_is_refused_before_anything_is_asked(
    merchant: Deployment, type_command: Type, name: str
) -> None:
    before = merchant.sandbox.control("stats")["answered"]
    typed = type_command(["auth", "login", "--no-browser", "--port", "0", f"--account={name}"], merchant.environment)
    assert typed.status == 1
    assert "Open this page" not in typed.out
    assert "name" in typed.complaint
    assert merchant.sandbox.control("stats")["answered"] == before


def test_there_is_nothing_to_refresh_without_tokens(merchant: Deployment, type_command: Type) -> None:
    typed = type_command(["auth", "refresh"], merchant.environment)
    assert typed.status == 1
    assert "dropship auth login" in typed.complaint


def test_nobody_is_sent_to_productions_page_to_authorise_an_app_of_alibabas_sandbox(
    merchant: Deployment, type_command: Type
) -> None:
    login = ["auth", "login", "--no-browser", "--port", "0", "--wait", "0.2"]
    sandbox = {"ALIBABA_BASE_URL": "", "ALIBABA_AUTHORIZE_URL": "", "ALIBABA_USE_SANDBOX": "true"}
    typed = type_command(login, {**merchant.environment, **sandbox})
    assert typed.status == 1
    assert "openapi-auth.alibaba.com" not in typed.out
    assert "ALIBABA_AUTHORIZE_URL" in typed.complaint
    assert "dropship auth exchange" in typed.complaint
    page = {"ALIBABA_AUTHORIZE_URL": "https://sandbox.example/authorize"}
    told = type_command(login, {**merchant.environment, **sandbox, **page})
    assert "https://sandbox.example/authorize?" in told.out


@pytest.mark.parametrize("arguments", [["login", "--no-browser"], ["exchange", "code"], ["refresh"]])
def test_the_simulated_alibaba_needs_no_login(type_command: Type, arguments: list[str]) -> None:
    typed = type_command(["auth", *arguments])
    assert typed.status == 1
    assert "ALIBABA_APP_KEY" in typed.complaint


def test_no_account_is_known_where_nothing_was_synced(type_command: Type, tmp_path: Path) -> None:
    typed = type_command(["auth", "status"])
    assert typed.status == 0
    assert "dropship auth login" in typed.out
    assert type_command(["auth", "status", "--json"]).out == "[]\n"
    assert not (tmp_path / "folder" / ".dropship").exists()
