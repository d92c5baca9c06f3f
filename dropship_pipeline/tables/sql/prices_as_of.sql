-- What stood before the first change that came later
SELECT c.sku_id, c.min_quantity, c.product_id, c.old_price AS price, c.currency
FROM (
    SELECT DISTINCT ON (product_id, sku_id, min_quantity, currency)
        product_id, sku_id, min_quantity, currency, old_price
    FROM catalog.price_changes
    WHERE observed_at > as_of
    -- changes of one moment (an answer that was read twice) stand in the order in which they were written
    ORDER BY product_id, sku_id, min_quantity, currency, observed_at, ctid
) c
JOIN catalog.products p ON p.product_id = c.product_id AND p.first_seen_at <= as_of
WHERE c.old_price IS NOT NULL
UNION ALL
-- what has not changed since
SELECT t.sku_id, t.min_quantity, t.product_id, t.price, t.currency
FROM catalog.price_tiers t
JOIN catalog.products p ON p.product_id = t.product_id AND p.first_seen_at <= as_of
WHERE t.price IS NOT NULL
    AND NOT EXISTS (
        SELECT FROM catalog.price_changes e
        WHERE e.product_id = t.product_id AND e.sku_id = t.sku_id AND e.min_quantity = t.min_quantity
            AND e.observed_at > as_of)
