-- What there was before the first change that came later; and what has not changed since, as it is
SELECT s.sku_id, s.shipping_from, s.product_id, s.quantity
FROM (
    SELECT
        sku_id, shipping_from, product_id, CASE WHEN c.has_changed THEN c.old_quantity ELSE l.quantity END AS quantity
    FROM catalog.inventory_levels l
    FULL JOIN (
        SELECT DISTINCT ON (product_id, sku_id, shipping_from)
            product_id, sku_id, shipping_from, old_quantity, true AS has_changed
        FROM catalog.inventory_changes
        WHERE observed_at > as_of
        -- changes of one moment (an answer that was read twice) stand in the order in which they were written
        ORDER BY product_id, sku_id, shipping_from, observed_at, ctid
    ) c USING (product_id, sku_id, shipping_from)
) s
JOIN catalog.products p ON p.product_id = s.product_id AND p.first_seen_at <= as_of
WHERE s.quantity IS NOT NULL
