SELECT
    w.days,
    m.sku_id,
    m.min_quantity,
    m.currency,
    m.product_id,
    e.old_price,
    e.new_price,
    e.new_price - e.old_price AS change,
    -- of whole ten-thousandths, in doubles: half of what the same costs in decimals
    round(
        10000.0::double precision * ((e.new_price - e.old_price) * 10000)::bigint
            / nullif((e.old_price * 10000)::bigint, 0)
    ) / 100 AS change_percent,
    m.moves,
    m.last_moved_at
FROM (VALUES (1), (7), (30)) AS w (days)
CROSS JOIN LATERAL (
    SELECT
        c.product_id,
        c.sku_id,
        c.min_quantity,
        c.currency,
        (array_agg(c.old_price ORDER BY c.observed_at))[1] AS old_price,
        (array_agg(c.new_price ORDER BY c.observed_at))[count(*)] AS new_price,
        count(*) AS moves,
        count(DISTINCT c.observed_at) < count(*) AS some_at_once,
        max(c.observed_at) AS last_moved_at
    FROM catalog.price_changes c
    -- hours, not days: a day of a session's time zone may have 23
    WHERE c.observed_at > now() - w.days * interval '24 hours'
        -- what the windows say as well: without it the planner expects them to be of any length
        AND c.observed_at > now() - 30 * interval '24 hours'
    GROUP BY c.product_id, c.sku_id, c.min_quantity, c.currency
) m
-- Moves of one moment count in the order in which they were written. The index that all the rest is read from does not
-- say it: where there are some, and only there, the table is asked.
CROSS JOIN LATERAL (
    SELECT
        CASE WHEN m.some_at_once THEN (
            SELECT c.old_price
            FROM catalog.price_changes c
            WHERE c.product_id = m.product_id AND c.sku_id = m.sku_id AND c.min_quantity = m.min_quantity
                AND c.currency IS NOT DISTINCT FROM m.currency
                AND c.observed_at > now() - w.days * interval '24 hours'
            ORDER BY c.observed_at, c.ctid LIMIT 1
        ) ELSE m.old_price END AS old_price,
        CASE WHEN m.some_at_once THEN (
            SELECT c.new_price
            FROM catalog.price_changes c
            WHERE c.product_id = m.product_id AND c.sku_id = m.sku_id AND c.min_quantity = m.min_quantity
                AND c.currency IS NOT DISTINCT FROM m.currency
                AND c.observed_at > now() - w.days * interval '24 hours'
            ORDER BY c.observed_at DESC, c.ctid DESC LIMIT 1
        ) ELSE m.new_price END AS new_price
) e
