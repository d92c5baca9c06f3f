"""The alert sensor of a merchant, ticked by hand, with a real server that plays Slack; and jobs that fail."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import dagster as dg
import orjson
from dagster_runs import installed
from deployment import Deployment
from slack_webhook import Slack, slack
from sqlalchemy import text

from dropship_pipeline.orchestration.alerts import alert_sensor

Deploy = Callable[..., Deployment]


@dg.op
def sometimes(context: dg.OpExecutionContext) -> None:
    """Fails unless the run's tags say otherwise."""
    if "well" not in context.run.tags:
        raise ValueError("it broke\nDETAIL: Key (email)=(jane@example.org)")


@dg.job
def flaky() -> None:
    sometimes()


@dg.op
def before_it() -> None: ...


@dg.op(ins={"start": dg.In(dg.Nothing)})
def sometimes_later(context: dg.OpExecutionContext) -> None:
    """Fails in a way that Dagster shows as its own kind of failure."""
    raise dg.Failure(description="The shelf is empty. Fill it.", allow_retries=False)


@dg.job
def two_steps() -> None:
    sometimes_later(start=before_it())


@dataclass
class Bell:
    """The sensor of a merchant, evaluated as the daemon does: its cursor is carried from tick to tick."""

    merchant: Deployment
    instance: dg.DagsterInstance
    cursor: str | None = None
    skips: list[str] = field(default_factory=list)

    def tick(self) -> str:
        """Evaluate it; why it started no run."""
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor)
        result = alert_sensor(self.merchant.settings).evaluate_tick(context)
        self.cursor = result.cursor
        assert result.skip_message is not None
        return result.skip_message

    def later(self, **how_long: float) -> None:
        """Have time pass, for the sensor's memory."""
        passed = timedelta(**how_long)
        if self.cursor is not None:
            cursor = orjson.loads(self.cursor)
            for name in ("at", "ticks_at"):
                cursor[name] = (datetime.fromisoformat(cursor[name]) - passed).isoformat()
            self.cursor = orjson.dumps(cursor).decode()
        shift = f"- interval '{passed.total_seconds()} seconds'"
        times = ("first_at", "last_at", "sent_at", "next_at", "resolved_at")
        with self.merchant.database.begin() as connection:
            connection.execute(text(f"UPDATE ops.alerts SET {', '.join(f'{t} = {t} {shift}' for t in times)}"))

    def fail(self, job: dg.JobDefinition = flaky, **tags: str) -> dg.DagsterRun:
        """A run with these tags, which fails unless one is `well`."""
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        return job.execute_in_process(
            instance=self.instance, tags=tags, run_config=quiet, raise_on_error=False
        ).dagster_run

    def kinds(self) -> list[str]:
        """The keys of the problems that last."""
        found = self.merchant.rows("SELECT key FROM ops.alerts WHERE resolved_at IS NULL ORDER BY key")
        return [row["key"] for row in found]


@contextmanager
def ringing(deploy: Deploy, **options: Any) -> Iterator[tuple[Bell, Slack]]:
    with slack() as server:
        merchant = deploy(variables={"DROPSHIP_ALERT_URL": server.url, **options.pop("variables", {})}, **options)
        with installed(merchant) as instance:
            yield Bell(merchant, instance), server


def lines(server: Slack) -> list[str]:
    """The lines of the last message, without its headline."""
    return server.texts[-1].split("\n")[1:]
