"""What an asset's page showed of rows that are the same still: told again, with when that was, not looked up again.

Some of what is shown depends on the day besides (changes of the last 30 days, ages): after six hours all of it is made
anew. Of which rows it was made is a tag of the materialisation.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

_FOR = timedelta(hours=6)
_ROWS = "dropship/rows"
LOOKED_AT = "looked_at"


def shown(
    context: dg.AssetExecutionContext,
    asset: dg.AssetKey,
    rows: str | None,
    look: Callable[[], Mapping[str, Any]] | None,
) -> dg.MaterializeResult[None]:
    """What is shown of rows with this fingerprint (None: nobody knows): what was shown of them, or what `look` gives.

    No `look`: nothing is made anew.
    """
    now = datetime.now(UTC)
    metadata = _carried(context, asset, rows, now)
    if metadata is None and look is None:
        return dg.MaterializeResult(asset_key=asset)
    if metadata is None and look is not None:
        metadata = {**look(), LOOKED_AT: dg.MetadataValue.timestamp(now)}
    return dg.MaterializeResult(asset_key=asset, metadata=metadata, tags={_ROWS: rows} if rows else None)


def _carried(
    context: dg.AssetExecutionContext, asset: dg.AssetKey, rows: str | None, now: datetime
) -> Mapping[str, Any] | None:
    event = context.instance.get_latest_materialization_event(asset) if rows else None
    last = event.asset_materialization if event else None
    if last is None or (last.tags or {}).get(_ROWS) != rows:
        return None
    looked_at = last.metadata.get(LOOKED_AT)
    if not isinstance(looked_at, dg.TimestampMetadataValue):
        return None
    return last.metadata if now.timestamp() - looked_at.value < _FOR.total_seconds() else None
