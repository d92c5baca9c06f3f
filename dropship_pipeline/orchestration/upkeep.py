"""The jobs that keep the installation in order: weekly maintenance, and the tokens of accounts. No asset logic here."""

from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from pydantic import Field

from dropship_pipeline.orchestration.pruning import drop_check_results, drop_events, drop_runs, drop_step_logs
from dropship_pipeline.orchestration.resources import RunStore
from dropship_pipeline.problem import Problem
from dropship_pipeline.settings import load_settings
from dropship_pipeline.storage.ops.upkeep import Freed
from dropship_pipeline.sync.accounts.token_refresh import KeptAccount, Outcome, refresh_accounts
from dropship_pipeline.sync.session import Store
from dropship_pipeline.sync.upkeep import Part, Tidied, parts_of_the_store, space, tidy_up


class Maintenance(dg.Config):
    """How long things are kept. What asset pages, partitions and checks show stays, however old."""

    event_days: int = Field(30, ge=1, description="What a run logged on the way, and what its steps printed.")
    run_days: int = Field(90, ge=1, description="Runs; the newest of each job, asset, partition and check stays.")
    history_days: int = Field(
        365, ge=1, description="Sweeps, syncs, alerts that are over, rejected records that did not come again."
    )
    raw_days: int | None = Field(None, ge=1, description="Raw answers in the lake. Unset: DROPSHIP_RAW_DAYS.")
    snapshots_kept: int | None = Field(
        None, ge=1, description="How many snapshots are kept. Unset: DROPSHIP_SNAPSHOTS_KEPT."
    )
    vacuum: bool = Field(default=True, description="Make the space of what is gone usable again in Postgres.")


@dg.op
def tidy(context: dg.OpExecutionContext, config: Maintenance, store: dg.ResourceParam[RunStore]) -> None:
    """Delete what is past its time, part by part: a part that fails does not stop the others, and fails the step."""
    try:
        done = []
        for tidied in tidy_up(store.get(), _parts(context.instance, store.get(), config)):
            done.append(tidied)
            context.log.info(str(tidied))
    except Problem as problem:
        raise _failure([str(problem)], {}) from problem
    problems = [str(tidied) for tidied in done if tidied.problem is not None]
    if problems:
        raise _failure(problems, _figures(done))
    context.add_output_metadata(_figures(done))


def _parts(instance: dg.DagsterInstance, store: Store, config: Maintenance) -> list[Part]:
    def before(days: int) -> datetime:
        return datetime.now(UTC) - timedelta(days=days)

    settings = store.settings
    return [
        Part("events", "events", "event", lambda: drop_events(store.database, before(config.event_days))),
        Part("runs", "runs", "run", lambda: drop_runs(instance, store.database, before(config.run_days))),
        Part("checks", "results", "result", lambda: drop_check_results(store.database, before(config.run_days))),
        Part("step_logs", "files", "file", lambda: drop_step_logs(instance, before(config.event_days))),
        *parts_of_the_store(
            store,
            raw_days=config.raw_days or settings.raw_days,
            snapshots_kept=config.snapshots_kept or settings.snapshots_kept,
            history_days=config.history_days,
        ),
        *([space(store)] if config.vacuum else []),
    ]


def _figures(done: list[Tidied]) -> dict[str, Any]:
    freed = sum((tidied.freed for tidied in done), Freed())
    rows = [
        dg.TableRecord(
            {
                "part": tidied.part.name,
                "removed": tidied.freed.removed,
                "of": tidied.part.removes,
                "bytes": tidied.freed.bytes,
                "seconds": round(tidied.seconds, 3),
                "problem": tidied.problem or "",
            }
        )
        for tidied in done
    ]
    return {
        "parts": dg.MetadataValue.table(rows),
        "bytes": freed.bytes,
        "seconds": round(sum(tidied.seconds for tidied in done), 3),
        **{f"removed/{tidied.part.name}": tidied.freed.removed for tidied in done},
    }


class TokenRefresh(dg.Config):
    """How far ahead tokens are refreshed, and people warned."""

    access_days: float = Field(1.0, gt=0, description="Refresh access tokens that end within so many days.")
    refresh_days: float = Field(
        7.0, gt=0, description="Renew refresh tokens that end within so many days; warn where that cannot be done."
    )


@dg.op
def refresh_tokens(context: dg.OpExecutionContext, config: TokenRefresh) -> None:
    """Refresh the tokens of every account that run out soon, and say which account a person has to authorise again.

    Fails for an account that has just been refused and for one that could not be refreshed; one that has been marked
    before is warned about, and no failure each time.
    """
    try:
        kept = refresh_accounts(
            load_settings(),
            access_ahead=timedelta(days=config.access_days),
            refresh_ahead=timedelta(days=config.refresh_days),
        )
    except Problem as problem:
        raise _failure([str(problem)], {}) from problem
    for account in kept:
        needs_a_person = account.outcome in {Outcome.RUNS_OUT, Outcome.REAUTHORISE, Outcome.FAILED}
        (context.log.warning if needs_a_person else context.log.info)(_line(account))
    if not kept:
        context.log.info("No account has tokens that could be refreshed")
    problems = [_line(account) for account in kept if account.new or account.outcome is Outcome.FAILED]
    if problems:
        raise _failure(problems, _accounts(kept))
    context.add_output_metadata(_accounts(kept))


def _line(account: KeptAccount) -> str:
    return f"Account {account.account}: {account.said.rstrip('.')}"


def _accounts(kept: list[KeptAccount]) -> dict[str, Any]:
    rows = [
        dg.TableRecord(
            {
                "account": account.account,
                "outcome": account.outcome.value,
                "access token until": _shown(account.access_until),
                "refresh token until": _shown(account.refresh_until),
            }
        )
        for account in kept
    ]
    refreshed = sum(account.outcome is Outcome.REFRESHED for account in kept)
    return {"accounts": dg.MetadataValue.table(rows), "refreshed": refreshed} if kept else {"refreshed": 0}


def _shown(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M}Z"


def _failure(problems: list[str], metadata: dict[str, Any]) -> dg.Failure:
    return dg.Failure(description="; ".join(problems), metadata=metadata, allow_retries=False)


@dg.job
def maintenance() -> None:
    """Delete what is past its time: events and runs of Dagster, raw answers, snapshots, book-keeping; and vacuum."""
    tidy()


@dg.job
def token_refresh() -> None:
    """Keep the accounts' tokens alive while nobody syncs."""
    refresh_tokens()


MAINTENANCE_JOB = maintenance
TOKEN_REFRESH_JOB = token_refresh
