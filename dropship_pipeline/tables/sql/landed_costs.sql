SELECT
    s.sku_id,
    c.destination_country,
    c.quantity,
    s.product_id,
    u.unit_price,
    u.currency,
    c.vendor_code AS cheapest_vendor_code,
    c.fee AS cheapest_fee,
    c.currency AS cheapest_fee_currency,
    c.delivery_days_min AS cheapest_days_min,
    c.delivery_days_max AS cheapest_days_max,
    c.dispatch_country AS cheapest_dispatch_country,
    (CASE WHEN c.currency = u.currency THEN u.unit_price + c.fee / c.quantity END)::numeric(18,4)
        AS landed_unit_cost,
    f.vendor_code AS fastest_vendor_code,
    f.fee AS fastest_fee,
    f.currency AS fastest_fee_currency,
    f.delivery_days_min AS fastest_days_min,
    f.delivery_days_max AS fastest_days_max,
    f.dispatch_country AS fastest_dispatch_country,
    (CASE WHEN f.currency = u.currency THEN u.unit_price + f.fee / f.quantity END)::numeric(18,4)
        AS fastest_landed_unit_cost,
    c.quoted_at
FROM (
    -- fees in different currencies cannot be compared: those in the product's own go first
    SELECT DISTINCT ON (q.product_id, q.destination_country, q.quantity)
        q.product_id, q.destination_country, q.quantity, q.vendor_code, q.fee, q.currency, q.dispatch_country,
        q.delivery_days_min, q.delivery_days_max, q.quoted_at, p.currency AS product_currency,
        CASE WHEN q.quantity >= coalesce(p.wholesale_min_order_quantity, 1) THEN p.wholesale_price END
            AS wholesale_price
    FROM catalog.freight_quotes q
    JOIN catalog.products p ON p.product_id = q.product_id
    WHERE p.delisted_at IS NULL
    ORDER BY q.product_id, q.destination_country, q.quantity,
        q.currency = p.currency DESC NULLS LAST, q.fee, q.delivery_days_max, q.delivery_days_min, q.vendor_code
) c
JOIN catalog.skus s ON s.product_id = c.product_id
-- the tier that the quantity is in: the highest that begins at or below it
LEFT JOIN catalog.price_tiers t
    ON t.product_id = s.product_id AND t.sku_id = s.sku_id AND t.min_quantity <= c.quantity
    AND (t.min_quantity = c.quantity OR NOT EXISTS (
        SELECT FROM catalog.price_tiers higher
        WHERE higher.sku_id = t.sku_id AND higher.min_quantity > t.min_quantity AND higher.min_quantity <= c.quantity))
CROSS JOIN LATERAL (
    SELECT
        CASE WHEN t.sku_id IS NULL THEN c.wholesale_price
            WHEN t.max_quantity >= c.quantity OR t.max_quantity IS NULL THEN t.price END AS unit_price,
        coalesce(t.currency, c.product_currency) AS currency
) u
LEFT JOIN (
    SELECT DISTINCT ON (product_id, destination_country, quantity)
        product_id, destination_country, quantity, vendor_code, fee, currency, dispatch_country,
        delivery_days_min, delivery_days_max
    FROM catalog.freight_quotes
    ORDER BY product_id, destination_country, quantity, delivery_days_max, delivery_days_min, fee, vendor_code
) f ON f.product_id = c.product_id AND f.destination_country = c.destination_country AND f.quantity = c.quantity
