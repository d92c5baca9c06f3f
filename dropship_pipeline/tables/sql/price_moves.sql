SELECT
    w.days,
    m.sku_id,
    m.min_quantity,
    m.currency,
    m.product_id,
    m.old_price,
    m.new_price,
    m.new_price - m.old_price AS change,
    round(100 * (m.new_price - m.old_price) / nullif(m.old_price, 0), 2)::double precision AS change_percent,
    m.moves,
    m.last_moved_at
FROM (VALUES (1), (7), (30)) AS w (days)
CROSS JOIN LATERAL (
    SELECT
        c.product_id,
        c.sku_id,
        c.min_quantity,
        c.currency,
        (array_agg(c.old_price ORDER BY c.observed_at, c.ctid))[1] AS old_price,
        (array_agg(c.new_price ORDER BY c.observed_at, c.ctid))[count(*)] AS new_price,
        count(*) AS moves,
        max(c.observed_at) AS last_moved_at
    FROM catalog.price_changes c
    -- hours, not days: a day of a session's time zone may have 23
    WHERE c.observed_at > now() - w.days * interval '24 hours'
        -- what the windows say as well: without it the planner expects them to be of any length
        AND c.observed_at > now() - 30 * interval '24 hours'
    GROUP BY c.product_id, c.sku_id, c.min_quantity, c.currency
) m
