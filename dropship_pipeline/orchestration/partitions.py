"""How assets are partitioned: by feed, for past days of a catalogue cannot be fetched. A range of feeds is one run."""

import dagster as dg

from dropship_pipeline.catalog.feeds import FEEDS

FEED_PARTITIONS = dg.StaticPartitionsDefinition([feed.key for feed in FEEDS])
ONE_RUN = dg.BackfillPolicy.single_run()

ALL_FEEDS = (FEEDS[0].key, FEEDS[-1].key)


def range_tags(start: str, end: str) -> dict[str, str]:
    """The tags of one run over the partitions from `start` to `end`, both included."""
    return {"dagster/asset_partition_range_start": start, "dagster/asset_partition_range_end": end}


def ranges(keys: tuple[str, ...]) -> list[tuple[str, str]]:
    """The fewest ranges of neighbouring feeds that hold just these keys: each is one run."""
    order = [feed.key for feed in FEEDS]
    wanted = sorted({order.index(key) for key in keys})
    found: list[tuple[str, str]] = []
    start = 0
    for position, index in enumerate(wanted):
        if position + 1 == len(wanted) or wanted[position + 1] != index + 1:
            found.append((order[wanted[start]], order[index]))
            start = position + 1
    return found
