"""What a step records of its assets, partition by partition: a feed that was left unfinished is not recorded.

The UI then shows just that partition as failed, and "re-execute from failure" of a backfill asks for it alone, while
the steps after it go on with everything else (ADR 0013).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

# of all ways to let a step go on without recording a partition, the only one: see ADR 0013
from dagster._core.definitions.source_asset import SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION as UNRECORDED

Figures = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Record:
    """What is told of one asset: `figures` of the whole run with each partition, `by_partition` with that one alone."""

    asset: dg.AssetKey
    figures: Figures = field(default_factory=dict)
    by_partition: Mapping[str, Figures] = field(default_factory=dict)


def record(context: dg.AssetExecutionContext, records: Iterable[Record], unfinished: Collection[str]) -> Iterator[Any]:
    """What a step yields for its assets, with every partition of the run recorded but the unfinished ones."""
    told = list(records)
    if not unfinished:
        for one in told:
            for partition, figures in one.by_partition.items():
                context.add_asset_metadata(figures, asset_key=one.asset, partition_key=partition)
            yield dg.MaterializeResult(asset_key=one.asset, metadata=one.figures)
        return
    record_finished(context, told, [key for key in context.partition_keys if key not in unfinished])
    for one in told:
        name = context.assets_def.get_output_name_for_asset_key(one.asset)
        yield dg.Output(None, output_name=name, metadata={UNRECORDED: True})


def record_finished(context: dg.AssetExecutionContext, records: Iterable[Record], finished: Iterable[str]) -> None:
    """Record these partitions now, whatever becomes of the step."""
    partitions = list(finished)
    for one in records:
        for partition in partitions:
            metadata = {**one.figures, **one.by_partition.get(partition, {})}
            context.log_event(dg.AssetMaterialization(one.asset, partition=partition, metadata=metadata))
