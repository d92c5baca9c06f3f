"""Bad input gets one clear line that names the thing and the remedy, exit 1 (2 for usage), and loses nothing."""

import subprocess
import sys
from collections.abc import Callable

import pytest
from deployment import Deployment, clean_environment

Deploy = Callable[..., Deployment]


def only_line(done: subprocess.CompletedProcess[str], status: int) -> str:
    """The one line on stderr that says what is wrong; progress lines are no errors."""
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith(("dropship: ", "Error: "))]
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["sync", "--feed", "us_standart"], ["us_standart", "us_standard"]),
        (["sync", "--max-age", "yesterday"], ["yesterday", "24h"]),
        (["sync", "--limit", "-1"], ["--limit"]),
        (["sync", "--feed", "local_us", "--product", "1"], ["--feed", "--product"]),
        (["snyc"], ["snyc"]),
        (["sql", "SELECT 1", "--csv", "--json"], ["--csv", "--json"]),
    ],
)
def test_what_was_typed_wrong_is_named_and_ends_with_2(arguments: list[str], says: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dropship_pipeline.cli", *arguments],
        env=clean_environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    line = only_line(done, 2)
    for word in says:
        assert word in line


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
        ({"DROPSHIP_DESTINATIONS": "USA"}, ["DROPSHIP_DESTINATIONS", "'USA'"]),
        (
            {"DROPSHIP_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/nothing"},
            ["127.0.0.1:9", "DROPSHIP_DATABASE_URL"],
        ),
        ({"DROPSHIP_DATABASE_URL": "mysql://localhost/shop"}, ["DROPSHIP_DATABASE_URL"]),
        ({"DAGSTER_HOME": "/nowhere"}, ["/nowhere", "DAGSTER_HOME"]),
    ],
)
def test_what_is_set_wrong_is_named_with_the_remedy(deploy: Deploy, variables: dict[str, str], says: list[str]) -> None:
    merchant = deploy(products=20, variables=variables)
    line = only_line(merchant.dropship("sync", check=False), 1)
    for word in says:
        assert word.lower() in line.lower(), line
    for secret in ("helloworld", merchant.sandbox.env["ALIBABA_ACCESS_TOKEN"]):
        assert secret not in line


def test_a_sync_that_could_not_begin_is_made_good_by_the_next(deploy: Deploy) -> None:
    merchant = deploy(products=20, variables={"ALIBABA_APP_SECRET": "wrong"})
    merchant.dropship("sync", check=False)
    merchant.variables.clear()
    merchant.dropship("sync")
    assert merchant.value("SELECT count(*) FROM catalog.products") > 0
