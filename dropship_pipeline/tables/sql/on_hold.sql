SELECT
    p.product_id,
    NULL::text AS sku_id,
    NULL::text AS destination_country,
    NULL::bigint AS quantity,
    'offline' AS reason,
    NULL::text AS rule,
    NULL::numeric(18,4) AS measured,
    NULL::numeric(18,4) AS allowed,
    NULL::text AS unit,
    'off the market since ' || to_char(p.delisted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS why
FROM catalog.products p
WHERE p.delisted_at IS NOT NULL

UNION ALL
SELECT
    f.product_id, NULL, f.destination_country, NULL, 'unshippable', NULL, NULL, NULL, NULL,
    format('no carrier takes it to %s (%s)', f.destination_country, string_agg(DISTINCT f.code, ', ' ORDER BY f.code))
FROM catalog.freight_failures f
JOIN catalog.products p ON p.product_id = f.product_id AND p.delisted_at IS NULL
WHERE NOT EXISTS (
    SELECT FROM catalog.freight_quotes q
    WHERE q.product_id = f.product_id AND q.destination_country = f.destination_country)
GROUP BY f.product_id, f.destination_country

UNION ALL
SELECT
    o.product_id, o.sku_id, NULL, NULL, 'low_stock', r.rule, o.stock, r.minimum_stock, 'units',
    format('%s in stock, at least %s wanted', o.stock, r.minimum_stock)
FROM ops.hold_rules r
JOIN marts.current_offers o
    ON o.stock < r.minimum_stock
    AND (r.product_id IS NULL OR r.product_id = o.product_id)
    AND (r.category_id IS NULL OR r.category_id = o.category_id)

UNION ALL
-- a carrier that does not say how long it takes may be quick enough
SELECT
    q.product_id, NULL, q.destination_country, q.quantity, 'slow', r.rule, min(q.delivery_days_max), r.maximum_days, 'days',
    format('%s days to %s by the fastest carrier, at most %s wanted',
        min(q.delivery_days_max), q.destination_country, r.maximum_days)
FROM ops.hold_rules r
JOIN catalog.products p
    ON p.delisted_at IS NULL
    AND (r.product_id IS NULL OR r.product_id = p.product_id)
    AND (r.category_id IS NULL OR r.category_id = p.category_id)
JOIN catalog.freight_quotes q
    ON q.product_id = p.product_id
    AND (r.destination_country IS NULL OR r.destination_country = q.destination_country)
WHERE r.maximum_days IS NOT NULL
GROUP BY q.product_id, q.destination_country, q.quantity, r.rule, r.maximum_days
HAVING bool_and(coalesce(q.delivery_days_max > r.maximum_days, false))

UNION ALL
-- what a carrier costs counts if it is quick enough: cheap and too slow, or quick and too dear, is no offer
SELECT
    l.product_id, l.sku_id, l.destination_country, l.quantity, 'dear', f.rule,
    (l.unit_price + f.fee / l.quantity)::numeric(18,4), f.maximum_landed_cost, l.currency,
    format('%s %s a unit landed in %s, at most %s wanted', trim_scale(round(l.unit_price + f.fee / l.quantity, 4)),
        l.currency, l.destination_country, trim_scale(f.maximum_landed_cost))
FROM (
    SELECT
        r.rule, r.maximum_landed_cost, r.currency, q.product_id, q.destination_country, q.quantity, min(q.fee) AS fee
    FROM ops.hold_rules r
    JOIN catalog.products p
        ON p.delisted_at IS NULL
        AND (r.product_id IS NULL OR r.product_id = p.product_id)
        AND (r.category_id IS NULL OR r.category_id = p.category_id)
    JOIN catalog.freight_quotes q
        ON q.product_id = p.product_id
        AND (r.destination_country IS NULL OR r.destination_country = q.destination_country)
        AND q.currency = r.currency
        AND NOT coalesce(q.delivery_days_max > r.maximum_days, false)
    WHERE r.maximum_landed_cost IS NOT NULL
    GROUP BY r.rule, r.maximum_landed_cost, r.currency, q.product_id, q.destination_country, q.quantity
) f
JOIN marts.landed_costs l
    ON l.product_id = f.product_id AND l.destination_country = f.destination_country AND l.quantity = f.quantity
    AND l.currency = f.currency
WHERE l.unit_price + f.fee / l.quantity > f.maximum_landed_cost

UNION ALL
-- of the tiers that moved too far, the one that moved furthest
(SELECT DISTINCT ON (m.product_id, m.sku_id, r.rule)
    m.product_id, m.sku_id, NULL, m.min_quantity, 'price_moved', r.rule,
    abs(m.change_percent)::numeric(18,4), r.maximum_move::numeric(18,4), '%',
    format('%s to %s %s from %s units in 7 days (%s %%), at most %s %% wanted', trim_scale(m.old_price),
        trim_scale(m.new_price), m.currency, m.min_quantity, to_char(m.change_percent, 'FMSG999999990.0'), r.maximum_move)
FROM ops.hold_rules r
JOIN marts.price_moves m ON m.days = 7 AND abs(m.change_percent) > r.maximum_move
JOIN catalog.products p
    ON p.product_id = m.product_id AND p.delisted_at IS NULL
    AND (r.product_id IS NULL OR r.product_id = p.product_id)
    AND (r.category_id IS NULL OR r.category_id = p.category_id)
ORDER BY m.product_id, m.sku_id, r.rule, abs(m.change_percent) DESC, m.min_quantity)
