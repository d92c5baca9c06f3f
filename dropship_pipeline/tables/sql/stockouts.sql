SELECT
    l.sku_id,
    l.shipping_from,
    l.product_id,
    p.title,
    CASE WHEN l.quantity = 0 THEN 'out' ELSE 'expected' END AS state,
    l.quantity,
    e.elsewhere,
    round(d.daily::numeric, 2)::double precision AS daily_sales,
    CASE WHEN l.quantity > 0 THEN round((l.quantity / d.daily)::numeric, 1)::double precision END AS days_left,
    CASE WHEN l.quantity = 0 THEN o.since END AS out_since,
    CASE WHEN l.quantity > 0 THEN l.checked_at + l.quantity / d.daily * interval '24 hours' END AS expected_at,
    l.checked_at
FROM catalog.inventory_levels l
JOIN catalog.products p ON p.product_id = l.product_id AND p.delisted_at IS NULL
LEFT JOIN (
    SELECT product_id, sku_id, shipping_from, sum((old_quantity - new_quantity)::double precision) AS sold
    FROM catalog.inventory_changes
    WHERE observed_at > now() - 7 * interval '24 hours' AND new_quantity < old_quantity
    GROUP BY product_id, sku_id, shipping_from
) t ON t.product_id = l.product_id AND t.sku_id = l.sku_id AND t.shipping_from = l.shipping_from
-- a product that is known for less than the window was watched for less; for a day at least, or an hour's sales are a trend
CROSS JOIN LATERAL (
    SELECT t.sold / least(7, greatest(1, extract(epoch FROM now() - p.first_seen_at)::double precision / 86400)) AS daily
) d
LEFT JOIN LATERAL (
    SELECT max(c.observed_at) AS since
    FROM catalog.inventory_changes c
    WHERE l.quantity = 0 AND c.product_id = l.product_id AND c.sku_id = l.sku_id AND c.shipping_from = l.shipping_from
) o ON true
LEFT JOIN LATERAL (
    SELECT coalesce(sum(x.quantity), 0)::bigint AS elsewhere
    FROM catalog.inventory_levels x
    WHERE x.product_id = l.product_id AND x.sku_id = l.sku_id AND x.shipping_from <> l.shipping_from
) e ON true
WHERE (l.quantity = 0 OR l.quantity <= 30 * d.daily)
    -- follows from that, and can be asked before the products are looked up
    AND (l.quantity = 0 OR l.quantity <= 30 * t.sold)
