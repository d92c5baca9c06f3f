-- How long an order was in its first status is known if that is one that orders begin with
SELECT
    c.trade_id,
    o.account,
    c.old_status AS status,
    c.new_status AS next_status,
    c.entered_at,
    c.observed_at AS left_at,
    round(extract(epoch FROM c.observed_at - c.entered_at)::numeric / 3600, 2)::double precision AS hours
FROM (
    SELECT
        s.trade_id, s.old_status, s.new_status, s.observed_at,
        coalesce(
            lag(s.observed_at) OVER (PARTITION BY s.trade_id ORDER BY s.observed_at, s.ctid),
            CASE WHEN s.old_status IN ('to_be_audited', 'unpay') THEN b.created_at END) AS entered_at
    FROM orders.order_status_changes s
    JOIN orders.orders b ON b.trade_id = s.trade_id
) c
JOIN orders.orders o ON o.trade_id = c.trade_id

UNION ALL
-- where it is now; it has been there at least since it last changed
SELECT
    o.trade_id,
    o.account,
    o.status,
    NULL,
    n.entered_at,
    NULL,
    round(extract(epoch FROM now() - n.entered_at)::numeric / 3600, 2)::double precision
FROM orders.orders o
LEFT JOIN LATERAL (
    SELECT max(s.observed_at) AS at FROM orders.order_status_changes s WHERE s.trade_id = o.trade_id
) last ON true
CROSS JOIN LATERAL (
    SELECT coalesce(
        last.at, CASE WHEN o.status IN ('to_be_audited', 'unpay') THEN o.created_at END, o.modified_at) AS entered_at
) n
WHERE o.status IS NOT NULL
