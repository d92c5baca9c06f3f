SELECT
    s.status,
    s.next_status,
    s.orders,
    s.median_hours,
    s.p95_hours,
    CASE WHEN s.next_status IS NULL THEN coalesce(k.orders, 0) END AS stuck_orders,
    CASE WHEN s.next_status IS NULL THEN s.oldest END AS oldest_since
FROM (
    SELECT
        status,
        next_status,
        count(*) AS orders,
        round(percentile_cont(0.5) WITHIN GROUP (ORDER BY hours)::numeric, 2)::double precision AS median_hours,
        round(percentile_cont(0.95) WITHIN GROUP (ORDER BY hours)::numeric, 2)::double precision AS p95_hours,
        min(entered_at) AS oldest
    FROM marts.order_steps
    GROUP BY status, next_status
) s
LEFT JOIN (SELECT status, count(*) AS orders FROM marts.stuck_orders GROUP BY status) k ON k.status = s.status
