SELECT
    c.supplier,
    c.products,
    c.delisted_30d,
    c.skus,
    c.skus_in_stock,
    round(100.0 * c.skus_in_stock / nullif(c.skus_counted, 0), 2)::double precision AS in_stock_percent,
    c.price_rises_30d,
    c.price_falls_30d,
    c.median_handling_days,
    c.median_delivery_days,
    coalesce(o.orders, 0) AS orders_90d,
    coalesce(o.disputed, 0) AS disputed_90d,
    o.median_days_to_ship
FROM (
    SELECT
        p.supplier,
        count(*) FILTER (WHERE p.delisted_at IS NULL) AS products,
        count(*) FILTER (WHERE p.delisted_at > now() - 30 * interval '24 hours') AS delisted_30d,
        coalesce(sum(s.skus), 0)::bigint AS skus,
        coalesce(sum(s.in_stock), 0)::bigint AS skus_in_stock,
        coalesce(sum(s.counted), 0)::bigint AS skus_counted,
        coalesce(sum(m.rises), 0)::bigint AS price_rises_30d,
        coalesce(sum(m.falls), 0)::bigint AS price_falls_30d,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY p.handling_time_days) FILTER (WHERE p.delisted_at IS NULL)
            AS median_handling_days,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY q.days) FILTER (WHERE p.delisted_at IS NULL) AS median_delivery_days
    FROM catalog.products p
    LEFT JOIN (
        SELECT product_id, count(*) AS skus, count(stock) AS counted, count(*) FILTER (WHERE stock > 0) AS in_stock
        FROM marts.current_offers
        GROUP BY product_id
    ) s ON s.product_id = p.product_id
    LEFT JOIN (
        SELECT
            product_id,
            count(*) FILTER (WHERE new_price > old_price) AS rises,
            count(*) FILTER (WHERE new_price < old_price) AS falls
        FROM catalog.price_changes
        WHERE observed_at > now() - 30 * interval '24 hours'
        GROUP BY product_id
    ) m ON m.product_id = p.product_id
    LEFT JOIN (
        SELECT product_id, min(delivery_days_max) AS days FROM catalog.freight_quotes GROUP BY product_id
    ) q ON q.product_id = p.product_id
    GROUP BY p.supplier
) c
LEFT JOIN (
    SELECT
        supplier,
        count(*) AS orders,
        count(*) FILTER (WHERE status IN ('frozen', 'charge_back')) AS disputed,
        round(percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM shipped_at - created_at))::numeric / 86400, 2)
            ::double precision AS median_days_to_ship
    FROM (
        -- an order of two lines of one supplier is one order
        SELECT DISTINCT p.supplier, o.trade_id, o.status, o.created_at, o.shipped_at
        FROM orders.orders o
        JOIN orders.order_lines l ON l.trade_id = o.trade_id
        JOIN catalog.products p ON p.product_id = l.product_id
        WHERE o.created_at > now() - 90 * interval '24 hours' AND p.supplier IS NOT NULL
    ) placed
    GROUP BY supplier
) o ON o.supplier = c.supplier
