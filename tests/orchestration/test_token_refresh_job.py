"""The job that keeps tokens alive says in the UI what became of them, and never a token."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from dagster_runs import failures, installed
from deployment import SECRET_KEY, Deployment

from dropship_pipeline.alibaba.tokens import TokenPair
from dropship_pipeline.orchestration.upkeep import TOKEN_REFRESH_JOB
from dropship_pipeline.sandbox.launch import Running
from dropship_pipeline.storage.ops.accounts import AccountVault
from dropship_pipeline.storage.ops.secrets import Cipher

Deploy = Callable[..., Deployment]

NO_TOKENS = {"ALIBABA_ACCESS_TOKEN": "", "ALIBABA_REFRESH_TOKEN": ""}
DAY = timedelta(days=1)


def refreshed(instance: dg.DagsterInstance) -> tuple[dg.DagsterRun, dict[str, Any], str]:
    """A run of the job; the metadata of its step if it succeeded; all that it logged."""
    run = TOKEN_REFRESH_JOB.execute_in_process(instance=instance, raise_on_error=False).dagster_run
    entries = instance.all_logs(run.run_id)
    outputs = [e.get_dagster_event().step_output_data for e in entries if e.dagster_event_type == "STEP_OUTPUT"]
    metadata = {name: entry for output in outputs for name, entry in output.metadata.items()}
    return run, metadata, "\n".join(entry.to_json() for entry in entries)


def test_the_job_refreshes_warns_and_fails_once_for_an_account_that_is_refused(deploy: Deploy) -> None:
    merchant = deploy(products=1, variables=NO_TOKENS)
    vault = AccountVault(merchant.database, Cipher([SECRET_KEY]))
    access, refresh = merchant.sandbox.env["ALIBABA_ACCESS_TOKEN"], merchant.sandbox.env["ALIBABA_REFRESH_TOKEN"]
    now = datetime.now(UTC)
    vault.save("well", TokenPair(access, refresh, now + DAY / 2, now + 50 * DAY), {})
    vault.save("refused", TokenPair(access, "50001600nobodyknowsthis", now + DAY / 2, now + 50 * DAY), {})
    with installed(merchant) as instance:
        first, _, logged = refreshed(instance)
        said = failures(instance, first)["refresh_tokens"]
        again, metadata, logged_again = refreshed(instance)
    assert first.status is dg.DagsterRunStatus.FAILURE
    assert said.startswith("Account refused: ")
    assert "dropship auth login" in said
    assert "Account well: Its tokens were refreshed" in logged
    assert again.status is dg.DagsterRunStatus.SUCCESS, "a person was told: the account is marked"
    assert "Account refused: " in logged_again
    outcomes = {record.data["account"]: record.data["outcome"] for record in metadata["accounts"].records}
    assert outcomes == {"refused": "reauthorise", "well": "lasts"}
    kept = vault.load("well")
    assert kept is not None
    for secret in (access, refresh, kept.access_token, "nobodyknowsthis"):
        assert secret not in logged + logged_again + said


def test_without_an_app_there_is_nothing_to_refresh(deploy: Deploy, unasked: Running) -> None:
    merchant = deploy(dict.fromkeys(("ALIBABA_APP_KEY", "ALIBABA_APP_SECRET"), ""), unasked)
    with installed(merchant) as instance:
        run, metadata, logged = refreshed(instance)
    assert run.status is dg.DagsterRunStatus.SUCCESS
    assert {name: entry.value for name, entry in metadata.items()} == {"refreshed": 0}
    assert "No account has tokens that could be refreshed" in logged
