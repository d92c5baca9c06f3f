SELECT
    w.trade_id,
    w.account,
    w.status,
    w.entered_at AS since,
    w.hours,
    u.median_hours AS usual_hours,
    l.limit_hours
FROM marts.order_steps w
LEFT JOIN (
    SELECT
        status,
        count(hours) AS orders,
        round(percentile_cont(0.5) WITHIN GROUP (ORDER BY hours)::numeric, 2)::double precision AS median_hours,
        round(percentile_cont(0.95) WITHIN GROUP (ORDER BY hours)::numeric, 2)::double precision AS p95_hours
    FROM marts.order_steps
    WHERE next_status IS NOT NULL
    GROUP BY status
) u ON u.status = w.status
-- twenty orders before them tell what is usual; until then, two weeks
CROSS JOIN LATERAL (SELECT CASE WHEN u.orders >= 20 THEN u.p95_hours ELSE 336 END AS limit_hours) l
WHERE w.next_status IS NULL
    AND w.status NOT IN ('trade_success', 'trade_close', 'charge_back')
    AND w.hours > l.limit_hours
