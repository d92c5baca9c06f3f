"""Which answers of a batch are news to the tables: statements that fill `fresh`. Text only: nothing here runs anything.

`fresh` holds the products that a merge may touch: when they were read, whether they were `known` before, and whether
the tables are of this very answer already (`again`). What differs then was altered by hand, or is read better now: a
replay mends it, and it is neither logged nor dated as a change. Answers older than what the tables hold are left out.
"""

# ruff: noqa: S608  nothing in these texts comes from outside

FRESH = "product_id text, destination_country text, read_at timestamptz, known boolean, again boolean"

# kind -> when the answer came that the tables are of, by the ledger `f` of what was asked in `s`. A refusal leaves the
# rows of a product as they are; where the ledger was lost, the rows say it themselves.
TOLD_AT = {
    "description": """
        CASE WHEN f.outcome = 'answered' THEN f.fetched_at
            ELSE (SELECT p.described_at FROM catalog.products p WHERE p.product_id = s.product_id) END""",
    "inventory": """
        CASE WHEN f.outcome = 'answered' THEN f.fetched_at
            ELSE (SELECT max(l.checked_at) FROM catalog.inventory_levels l WHERE l.product_id = s.product_id) END""",
    # all destinations in a country share its rows
    "freight": """
        coalesce(
            (SELECT max(o.fetched_at) FROM ops.fetches o
            WHERE o.kind = 'freight' AND o.product_id = s.product_id AND o.outcome IN ('answered', 'refused')
                AND split_part(o.destination, ':', 1) = split_part(s.destination, ':', 1)),
            greatest(
                (SELECT max(q.quoted_at) FROM catalog.freight_quotes q
                WHERE q.product_id = s.product_id AND q.destination_country = split_part(s.destination, ':', 1)),
                (SELECT max(r.failed_at) FROM catalog.freight_failures r
                WHERE r.product_id = s.product_id AND r.destination_country = split_part(s.destination, ':', 1))))""",
}


def _told(kind: str) -> str:
    return f"CROSS JOIN LATERAL (SELECT {TOLD_AT[kind]} AS at) AS told"


_NEWER = "(told.at IS NULL OR s.fetched_at >= told.at)"

FIND_FRESH_DESCRIPTIONS = f"""
INSERT INTO fresh (product_id, read_at, known, again)
SELECT s.product_id, s.fetched_at, p.product_id IS NOT NULL,
    p.product_id IS NOT NULL AND s.fetched_at IS NOT DISTINCT FROM told.at
FROM staged_fetches s
LEFT JOIN ops.fetches f USING (kind, product_id, destination)
LEFT JOIN catalog.products p USING (product_id)
{_told("description")}
WHERE s.outcome = 'answered' AND {_NEWER}
"""

FIND_FRESH_INVENTORY = f"""
INSERT INTO fresh (product_id, read_at, known, again)
SELECT s.product_id, s.fetched_at, told.at IS NOT NULL OR f.payload_hash IS NOT NULL,
    s.fetched_at IS NOT DISTINCT FROM told.at
FROM staged_fetches s
LEFT JOIN ops.fetches f USING (kind, product_id, destination)
{_told("inventory")}
WHERE s.outcome = 'answered' AND {_NEWER}
"""

# Where every dispatch location refuses, there is no offer any more: the quotes of before go.
FIND_FRESH_FREIGHT = f"""
INSERT INTO fresh (product_id, destination_country, read_at, known, again)
SELECT s.product_id, split_part(s.destination, ':', 1), s.fetched_at, f.outcome IS NOT NULL,
    s.fetched_at IS NOT DISTINCT FROM told.at
FROM staged_fetches s
LEFT JOIN ops.fetches f USING (kind, product_id, destination)
{_told("freight")}
WHERE s.outcome IN ('answered', 'refused') AND {_NEWER}
"""
