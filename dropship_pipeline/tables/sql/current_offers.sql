SELECT
    s.sku_id,
    s.product_id,
    p.title,
    p.category_id,
    p.category,
    p.supplier,
    s.seller_sku_id,
    s.status,
    p.min_order_quantity,
    coalesce(t.currency, p.currency) AS currency,
    t.first_quantity AS first_tier_quantity,
    t.first_price AS first_tier_price,
    t.best_quantity AS best_tier_quantity,
    t.best_price AS best_tier_price,
    p.wholesale_min_order_quantity,
    p.wholesale_price,
    -- read, and this SKU was not in it: there are none of it anywhere
    CASE WHEN l.sku_id IS NULL AND f.outcome = 'answered' THEN 0 ELSE l.stock END AS stock,
    l.stock_cn,
    l.stock_us,
    l.stock_mx,
    m.feeds,
    p.described_at,
    coalesce(l.checked_at, CASE WHEN f.outcome = 'answered' THEN f.fetched_at END) AS stock_checked_at,
    p.changed_at
FROM catalog.skus s
JOIN catalog.products p ON p.product_id = s.product_id
LEFT JOIN ops.sku_prices t ON t.product_id = s.product_id AND t.sku_id = s.sku_id
-- Each subquery is grouped by product too, so that a question about one product reads that product alone
LEFT JOIN (
    SELECT
        product_id,
        sku_id,
        sum(quantity)::bigint AS stock,
        -- one row a SKU and warehouse: the least is all there is, and needs no wider type to add up in
        min(quantity) FILTER (WHERE shipping_from = 'CN') AS stock_cn,
        min(quantity) FILTER (WHERE shipping_from = 'US') AS stock_us,
        min(quantity) FILTER (WHERE shipping_from = 'MX') AS stock_mx,
        min(checked_at) AS checked_at
    FROM catalog.inventory_levels
    GROUP BY product_id, sku_id
) l ON l.product_id = s.product_id AND l.sku_id = s.sku_id
LEFT JOIN (
    SELECT product_id, array_agg(feed ORDER BY feed) AS feeds
    FROM catalog.feed_products
    WHERE delisted_at IS NULL
    GROUP BY product_id
) m ON m.product_id = s.product_id
LEFT JOIN ops.fetches f ON f.kind = 'inventory' AND f.destination = '' AND f.product_id = s.product_id
WHERE p.delisted_at IS NULL
