"""The statements of dead letters, `ops.rejected_records`, for the transactions that write and resolve them. Text only.

Rows wait in `staged_rejected_records`, where `last_seen_at` is when the answer came. A record is resolved, its row
gone, in the transaction that reads it well or notes its refusal (ADR 0017).
"""

# ruff: noqa: S608  nothing in these texts comes from outside

_LAST_ANSWER = ("account", "reason", "message", "last_seen_at", "payload_hash", "raw_file", "payload")
_SAME_PAYLOAD = "excluded.payload_hash IS NOT DISTINCT FROM r.payload_hash"

# An answer counts once, however often it is merged: those that came after the last one that was counted do. What a
# person gave up is of interest again when something else is answered. The very answer of before may be read by another
# version, which finds another reason.
WRITE_REJECTS = f"""
INSERT INTO ops.rejected_records AS r (kind, record_key, destination, account, reason, message, attempts,
    first_seen_at, last_seen_at, payload_hash, raw_file, payload)
SELECT DISTINCT ON (s.kind, s.record_key, s.destination)
    s.kind, s.record_key, s.destination, s.account, s.reason, s.message, all_of_it.answers, all_of_it.since,
    s.last_seen_at, s.payload_hash, s.raw_file, s.payload
FROM staged_rejected_records s
JOIN (
    SELECT kind, record_key, destination, count(DISTINCT last_seen_at) AS answers, min(last_seen_at) AS since
    FROM staged_rejected_records GROUP BY kind, record_key, destination
) all_of_it USING (kind, record_key, destination)
ORDER BY s.kind, s.record_key, s.destination, s.last_seen_at DESC
ON CONFLICT (kind, record_key, destination) DO UPDATE SET
    {", ".join(f"{name} = excluded.{name}" for name in _LAST_ANSWER)},
    attempts = r.attempts + (
        SELECT count(DISTINCT s.last_seen_at) FROM staged_rejected_records s
        WHERE (s.kind, s.record_key, s.destination) = (r.kind, r.record_key, r.destination)
            AND s.last_seen_at > r.last_seen_at),
    discarded_at = CASE WHEN {_SAME_PAYLOAD} THEN r.discarded_at END,
    discarded_by = CASE WHEN {_SAME_PAYLOAD} THEN r.discarded_by END
WHERE excluded.last_seen_at >= r.last_seen_at
    AND ({", ".join(f"excluded.{name}" for name in _LAST_ANSWER)})
        IS DISTINCT FROM ({", ".join(f"r.{name}" for name in _LAST_ANSWER)})
"""

# A page of a listing, which no merge writes: it is landed, and noted with that.
WRITE_PAGE = f"""
INSERT INTO ops.rejected_records AS r (kind, record_key, destination, account, reason, message, attempts,
    first_seen_at, last_seen_at, payload_hash, raw_file, payload)
VALUES (:kind, :record_key, :destination, :account, :reason, :message, 1,
    :last_seen_at, :last_seen_at, :payload_hash, :raw_file, :payload)
ON CONFLICT (kind, record_key, destination) DO UPDATE SET
    {", ".join(f"{name} = excluded.{name}" for name in _LAST_ANSWER)},
    attempts = r.attempts + 1,
    discarded_at = CASE WHEN {_SAME_PAYLOAD} THEN r.discarded_at END,
    discarded_by = CASE WHEN {_SAME_PAYLOAD} THEN r.discarded_by END
WHERE excluded.last_seen_at > r.last_seen_at
"""

# In the transaction that merges a complete sweep, which has read every page there is. To be formatted with the feed.
RESOLVE_PAGES = "DELETE FROM ops.rejected_records WHERE kind = 'listing' AND split_part(record_key, ':', 1) = {feed}"

# After the ledger is written: what it says is the last word, be it this batch's or not. Arrays and a scalar subquery,
# so that the planner, which knows nothing of the size of either table, reads both by their keys.
_RESOLVE = """
DELETE FROM ops.rejected_records r
WHERE r.kind = {kind} AND r.record_key = ANY (ARRAY(SELECT {record} FROM {staged}))
    AND (SELECT f.outcome <> 'rejected' AND f.fetched_at >= r.last_seen_at FROM {ledger} f WHERE {same})
"""
RESOLVE_PRODUCTS = _RESOLVE.format(
    kind="ANY (ARRAY(SELECT DISTINCT kind FROM staged_fetches))",
    record="product_id",
    staged="staged_fetches",
    ledger="ops.fetches",
    same="f.kind = r.kind AND f.product_id = r.record_key AND f.destination = r.destination",
)
RESOLVE_ORDERS = _RESOLVE.format(
    kind="'order'",
    record="trade_id",
    staged="staged_order_fetches",
    ledger="ops.order_fetches",
    same="f.trade_id = r.record_key",
)
