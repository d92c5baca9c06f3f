"""Jobs that a person launches: a refresh of what is named, and a replay of what was landed. Typed in the launchpad."""

from collections.abc import Mapping
from enum import Enum

import dagster as dg
from pydantic import Field

from dropship_pipeline.catalog.feeds import FEEDS
from dropship_pipeline.catalog.freshness import parse_age
from dropship_pipeline.counting import counted
from dropship_pipeline.orchestration.assets import snapshot_metadata
from dropship_pipeline.orchestration.instance import POOL
from dropship_pipeline.orchestration.jobs import CATALOGUE
from dropship_pipeline.orchestration.resources import RunSession, RunStore
from dropship_pipeline.orchestration.schema import SNAPSHOT
from dropship_pipeline.orchestration.stages import stage, work
from dropship_pipeline.problem import Problem
from dropship_pipeline.sync.checks.audit import require_sound
from dropship_pipeline.sync.replay.run import KINDS, replay
from dropship_pipeline.sync.replay.summary import ReplaySummary
from dropship_pipeline.sync.request import SyncRequest
from dropship_pipeline.sync.stages.describe import describe
from dropship_pipeline.sync.stages.discover import discover
from dropship_pipeline.sync.stages.publish import publish
from dropship_pipeline.sync.stages.quote import quote
from dropship_pipeline.sync.stages.stock import take_stock

REFRESH, REPLAY = "manual_refresh", "replay_from_raw"

FeedKey = Enum("FeedKey", {feed.key: feed.key for feed in FEEDS})  # type: ignore[misc]  # one definition of the feeds


class ManualRefresh(dg.Config):
    """What to refresh now: feeds, or products, or both."""

    feeds: list[FeedKey] = Field(
        default=[], description="Feeds to page to their ends, and the products that they list."
    )
    product_ids: list[str] = Field(default=[], description="Alibaba.com product IDs, refreshed whatever their age.")
    max_age: str | None = Field(
        None, description="Refresh what is older than this: 24h, 90m, 7d. Unset: each kind's own age."
    )
    limit: int | None = Field(None, description="Refresh at most so many products of each kind.")
    force: bool = Field(default=False, description="Refresh whatever its age.")
    let_through: bool = Field(
        default=False,
        description="End memberships although the sweep would end more than a fifth of the feed: "
        "for a held feed whose products really are gone.",
    )
    publish: bool = Field(
        default=True,
        description="Publish a snapshot at the end. Off for push messages, which come all day: the snapshots that are "
        "kept would be those of the last minutes. The next sync publishes what they changed.",
    )

    def requests(self) -> list[SyncRequest]:
        """One request for the feeds, one for the products. Raises `Problem` for what cannot be asked."""
        age = None if self.max_age is None else parse_age(self.max_age)
        asked = [((*(feed.value for feed in self.feeds),), ()), ((), tuple(self.product_ids))]
        requests = [
            SyncRequest(feeds, product_ids, age, self.limit, self.force, self.let_through)
            for feeds, product_ids in asked
            if feeds or product_ids
        ]
        if not requests:  # to the stages, nothing in particular is all of it
            raise Problem("Nothing is named to be refreshed", "Give feeds or product_ids in the run's config")
        return requests


@dg.op(pool=POOL)
def refresh(context: dg.OpExecutionContext, config: ManualRefresh, session: dg.ResourceParam[RunSession]) -> None:
    """Read what is named, whatever the schedules do, and publish unless told otherwise."""
    with stage(context, session) as opened:
        for request in config.requests():
            if request.feeds:
                discover(opened, request)
            describe(opened, request)
            take_stock(opened, request)
            quote(opened, request)
        if config.publish:
            require_sound(opened.database, opened.settings)
            published = publish(opened)
            context.log_event(dg.AssetMaterialization(SNAPSHOT, metadata=snapshot_metadata(published)))
    if opened.summary.problems:
        raise dg.Failure(description="; ".join(opened.summary.problems), allow_retries=False)


@dg.job(name=REFRESH, tags=CATALOGUE)
def manual_refresh() -> None:
    """Refresh the feeds or the products that a person or a push message named."""
    refresh()


Kind = Enum("Kind", {kind: kind for kind in KINDS})  # type: ignore[misc]  # one definition of the kinds


class Replay(dg.Config):
    """Which landed answers to go through again. By default all that are kept."""

    feeds: list[FeedKey] = Field(default=[], description="Only products that these feeds list. Empty: every product.")
    kinds: list[Kind] = Field(default=[], description="Only these kinds of answers. Empty: every kind.")
    since: str | None = Field(None, description="Only what was landed in this time: 24h, 7d. Unset: all that is kept.")


@dg.op
def replay_answers(context: dg.OpExecutionContext, config: Replay, store: dg.ResourceParam[RunStore]) -> None:
    """Derive the tables again from the landed answers, without one call, and publish."""
    with work(store) as opened:
        since = None if config.since is None else parse_age(config.since)
        kinds, feeds = [kind.value for kind in config.kinds], [feed.value for feed in config.feeds]
        summary = replay(opened, since, kinds, feeds)
        require_sound(opened.database, opened.settings)
        published = publish(opened)
    context.add_output_metadata(_figures(summary))
    context.log_event(dg.AssetMaterialization(SNAPSHOT, metadata=snapshot_metadata(published)))
    if summary.torn:
        torn = counted(len(summary.torn), "raw file cannot be read and was", "raw files cannot be read and were")
        raise dg.Failure(
            description=f"{torn} set aside: {', '.join(summary.torn)}",
            allow_retries=False,
        )


def _figures(summary: ReplaySummary) -> Mapping[str, dg.MetadataValue | float]:
    columns = ("kind", "files", "answers", "passed_over", "rederived", "rows_written", "rejected")
    told = [dg.TableRecord({name: getattr(kind, name) for name in columns}) for kind in summary.kinds]
    return {
        "answers": summary.answers,
        "rederived": summary.rederived,
        "rows_written": summary.rows_written,
        "rejected": summary.rejected,
        "torn": len(summary.torn),
        "calls": 0,
        "seconds": round(summary.seconds, 3),
        "by kind": dg.MetadataValue.table(told),
        "notes": dg.MetadataValue.md("\n".join(f"- {note}" for note in summary.notes) or "None"),
    }


@dg.job(name=REPLAY)
def replay_from_raw() -> None:
    """Derive the tables again from the landed answers: after a parser was mended, or a table altered by hand."""
    replay_answers()


BY_HAND = [manual_refresh, replay_from_raw]
