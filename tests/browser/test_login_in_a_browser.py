"""A buyer authorises the app in a real browser: `dropship auth login` waits beside it, as at a terminal."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from deployment import SECRET_KEY, Deployment, clean_environment
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait
from two_buyers import buyers, ordered, stored_statuses, vault_of

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("browser")]

Deploy = Callable[..., Deployment]
NO_TOKENS = {"ALIBABA_ACCESS_TOKEN": "", "ALIBABA_REFRESH_TOKEN": ""}


@pytest.fixture
def merchant(deploy: Deploy) -> Deployment:
    """A merchant with an app and no tokens; his two buyers have ordered."""
    return deploy(products=30, orders=60, variables=NO_TOKENS)


@dataclass
class Login:
    """A login that waits for the buyer. `address`: what it says to open."""

    process: subprocess.Popen[str]
    address: str
    said: list[str] = field(default_factory=list)

    @property
    def callback(self) -> str:
        """Where Alibaba.com sends the browser back to."""
        [callback] = parse_qs(urlsplit(self.address).query)["redirect_uri"]
        return callback

    def end(self) -> tuple[int, str, str]:
        """Its exit status, and all that it wrote."""
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, "".join(self.said) + out, err


@contextmanager
def logging_in(merchant: Deployment, folder: Path, *arguments: str) -> Iterator[Login]:
    """`dropship auth login` as a process, once it waits."""
    command = [
        sys.executable,
        "-m",
        "dropship_pipeline.cli",
        "auth",
        "login",
        "--no-browser",
        "--port",
        "0",
        *arguments,
    ]
    environment = {**clean_environment(), **merchant.environment, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            said = [process.stdout.readline(), process.stdout.readline()]
            yield Login(process, said[-1].strip(), said)
        finally:
            process.kill()


def choose(chrome: Chrome, login: Login, decision: str, buyer: str = "") -> None:
    """Open the page, choose the buyer, click; come back to the page that the login itself shows."""
    chrome.get(login.address)
    if buyer:
        chrome.find_element(By.XPATH, f"//label[contains(., '{buyer}')]").click()
    chrome.find_element(By.XPATH, f"//button[.='{decision}']").click()
    arrived(chrome, login)


def arrived(chrome: Chrome, login: Login) -> None:
    """The browser shows the page at the end, and nothing of how it got there."""
    own = login.callback.removesuffix("/callback") + "/"
    WebDriverWait(chrome, 20).until(lambda browser: browser.current_url == own)


def exchanged(merchant: Deployment) -> list[object]:
    """The codes that were sent to Alibaba.com to be exchanged, as calls."""
    calls: list[object] = merchant.sandbox.control("log?path=/auth/token/create")["calls"]
    return calls


def test_a_buyer_clicks_through_and_the_tokens_that_come_of_it_work(
    merchant: Deployment, chrome: Chrome, tmp_path: Path
) -> None:
    shown = ""
    for arguments, buyer in (((), "Buyer Name"), (("--account", "lakeshore"), "Lakeshore Goods")):
        with logging_in(merchant, tmp_path, *arguments) as login:
            choose(chrome, login, "Authorize", buyer)
            assert "the terminal says what came of it" in chrome.page_source
            status, out, err = login.end()
        assert status == 0, err
        shown += out + err + chrome.page_source + chrome.current_url
    assert "Account default is authorised until" in shown
    assert "Account lakeshore is authorised until" in shown

    assert len(exchanged(merchant)) == 2

    synced = merchant.dropship("orders", "sync", "--since", "36500d")
    shown += synced.stdout + synced.stderr + merchant.dropship("auth", "status").stdout
    first, second, *_ = buyers(merchant)
    assert first["user_id"] in shown
    assert second["user_id"] in shown
    accounts = {trade_id: account for trade_id, (account, _) in stored_statuses(merchant).items()}
    assert accounts == {
        **dict.fromkeys(ordered(merchant, 0), "default"),
        **dict.fromkeys(ordered(merchant, 1), "lakeshore"),
    }
    pairs = [vault_of(merchant).load(account) for account in ("default", "lakeshore")]
    secrets = [token for pair in pairs if pair for token in (pair.access_token, pair.refresh_token) if token]
    assert len(secrets) == 4
    files = b"".join(path.read_bytes() for path in merchant.home.rglob("*") if path.is_file())
    for secret in (*secrets, "3_500102_", "helloworld", SECRET_KEY):
        assert secret not in shown
        assert secret.encode() not in files


def test_an_answer_that_is_not_the_one_that_was_asked_for_leaves_nothing_and_a_buyer_who_cancels_ends_it(
    merchant: Deployment, chrome: Chrome, tmp_path: Path
) -> None:
    with logging_in(merchant, tmp_path) as login:
        chrome.get(f"{login.callback}?code=3_500102_somebodyelses&state=guessed")
        arrived(chrome, login)
        assert "no answer to the login" in chrome.page_source
        assert login.process.poll() is None, "it waits for the genuine one"
        assert merchant.rows("SELECT * FROM ops.accounts") == []
        choose(chrome, login, "Cancel")
        status, out, err = login.end()
    assert status == 1
    [line] = err.splitlines()
    assert line.startswith("dropship: The buyer did not authorise the app: ")
    assert line.endswith("Try again: dropship auth login.")
    assert "3_500102_" not in out + err
    assert merchant.rows("SELECT * FROM ops.accounts") == []
    assert exchanged(merchant) == [], "nobody's code is exchanged"
