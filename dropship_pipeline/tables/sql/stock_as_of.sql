-- What there was before the first change that came later
SELECT c.sku_id, c.shipping_from, c.product_id, c.old_quantity AS quantity
FROM (
    SELECT DISTINCT ON (product_id, sku_id, shipping_from) product_id, sku_id, shipping_from, old_quantity
    FROM catalog.inventory_changes
    WHERE observed_at > as_of
    -- changes of one moment (an answer that was read twice) stand in the order in which they were written
    ORDER BY product_id, sku_id, shipping_from, observed_at, ctid
) c
JOIN catalog.products p ON p.product_id = c.product_id AND p.first_seen_at <= as_of
WHERE c.old_quantity IS NOT NULL
UNION ALL
-- what has not changed since
SELECT l.sku_id, l.shipping_from, l.product_id, l.quantity
FROM catalog.inventory_levels l
JOIN catalog.products p ON p.product_id = l.product_id AND p.first_seen_at <= as_of
WHERE l.quantity IS NOT NULL
    AND NOT EXISTS (
        SELECT FROM catalog.inventory_changes e
        WHERE e.product_id = l.product_id AND e.sku_id = l.sku_id AND e.shipping_from = l.shipping_from
            AND e.observed_at > as_of)
