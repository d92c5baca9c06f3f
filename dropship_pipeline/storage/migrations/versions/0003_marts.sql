-- The views of schema marts, the rules that one of them reads, and the prices that are kept for one.

CREATE SCHEMA IF NOT EXISTS marts;
COMMENT ON SCHEMA marts IS 'Answers to what merchants and analysts ask: views, true at the moment they are read';

CREATE TABLE ops.hold_rules (
    rule text NOT NULL,
    category_id text,
    product_id text,
    destination_country text,
    minimum_stock bigint,
    maximum_days integer,
    maximum_landed_cost numeric(18,4),
    currency text,
    maximum_move double precision,
    note text,
    PRIMARY KEY (rule)
);
COMMENT ON TABLE ops.hold_rules IS 'The merchant''s own list: what keeps an offer from being sold, as `marts.on_hold` finds it. Every rule that applies is looked at; a limit that is NULL is none. What is unknown breaks no rule.';
COMMENT ON COLUMN ops.hold_rules.rule IS 'Its name, as on_hold gives it';
COMMENT ON COLUMN ops.hold_rules.category_id IS 'Only products of this category; NULL: of any';
COMMENT ON COLUMN ops.hold_rules.product_id IS 'Only this product; NULL: any';
COMMENT ON COLUMN ops.hold_rules.destination_country IS 'Delivery and landed cost to there alone; NULL: to each';
COMMENT ON COLUMN ops.hold_rules.minimum_stock IS 'Fewest units of a variant, all warehouses together [units]';
COMMENT ON COLUMN ops.hold_rules.maximum_days IS 'Slowest delivery that will do [days]';
COMMENT ON COLUMN ops.hold_rules.maximum_landed_cost IS 'Dearest landed cost of a unit, in `currency`, by the carriers that are quick enough';
COMMENT ON COLUMN ops.hold_rules.currency IS 'ISO 4217 code of maximum_landed_cost: it is held against costs in this one alone';
COMMENT ON COLUMN ops.hold_rules.maximum_move IS 'How far a price may have moved in seven days, up or down [%]';
COMMENT ON COLUMN ops.hold_rules.note IS 'Whatever the merchant wants to remember';

INSERT INTO ops.hold_rules (rule, minimum_stock, maximum_days, maximum_move, note)
VALUES ('default', 1, 30, 20, 'To begin with. Change it, drop it, add others.');

CREATE TABLE ops.sku_prices (
    sku_id text NOT NULL,
    product_id text NOT NULL,
    currency text,
    first_quantity bigint NOT NULL,
    first_price numeric(18,4),
    best_quantity bigint,
    best_price numeric(18,4),
    PRIMARY KEY (sku_id, product_id)
);
CREATE INDEX sku_prices_product_id_sku_id ON ops.sku_prices (product_id, sku_id) INCLUDE (currency, first_quantity, first_price, best_quantity, best_price);
COMMENT ON TABLE ops.sku_prices IS 'What marts.current_offers says of the price tiers of a SKU, kept by triggers of catalog.price_tiers in the transaction that writes there: one row a SKU with tiers, and never to be written to.';
COMMENT ON COLUMN ops.sku_prices.sku_id IS 'The variant';
COMMENT ON COLUMN ops.sku_prices.product_id IS 'The product that its tiers name';
COMMENT ON COLUMN ops.sku_prices.currency IS 'ISO 4217 code of the prices; of several the last by name';
COMMENT ON COLUMN ops.sku_prices.first_quantity IS 'Where the tiers begin [units]';
COMMENT ON COLUMN ops.sku_prices.first_price IS 'Unit price there, in `currency`; NULL: not known';
COMMENT ON COLUMN ops.sku_prices.best_quantity IS 'Fewest units that get the lowest price; NULL: no price is known [units]';
COMMENT ON COLUMN ops.sku_prices.best_price IS 'The lowest unit price, in `currency`';

-- What current_offers says of price tiers is kept beside them, by whoever writes there, whatever else he may do: the
-- function runs with its owner's rights.
CREATE FUNCTION ops.keep_sku_prices() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $function$
DECLARE
    skus text[];
    others bigint;
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM ops.sku_prices;
        RETURN NULL;
    END IF;
    IF TG_OP = 'INSERT' THEN
        -- a SKU without a row had no tiers before: what is written now is all there is of it
        WITH written (sku_id, product_id, currency, first_quantity, first_price, best_quantity, best_price)
        AS MATERIALIZED (
            SELECT
                sku_id,
                product_id,
                max(currency),
                min(min_quantity),
                (min(ARRAY[min_quantity, price]))[2],
                (min(ARRAY[price, min_quantity]) FILTER (WHERE price IS NOT NULL))[2],
                min(price)
            FROM touched
            GROUP BY sku_id, product_id
        ), added AS (
            INSERT INTO ops.sku_prices
                (sku_id, product_id, currency, first_quantity, first_price, best_quantity, best_price)
            SELECT sku_id, product_id, currency, first_quantity, first_price, best_quantity, best_price FROM written
            ON CONFLICT DO NOTHING
            RETURNING 1
        )
        SELECT (SELECT count(*) FROM written) - (SELECT count(*) FROM added) INTO others;
        IF others = 0 THEN
            RETURN NULL;
        END IF;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        skus := ARRAY(SELECT sku_id FROM touched UNION SELECT sku_id FROM gone);
    ELSE
        skus := ARRAY(SELECT DISTINCT sku_id FROM touched);
    END IF;
    IF skus = '{}' THEN
        RETURN NULL;
    END IF;
    -- whoever changes other tiers of these SKUs just now ends first; the statements after this one see what he wrote
    PERFORM FROM ops.sku_prices WHERE sku_id = ANY (skus) ORDER BY sku_id, product_id FOR UPDATE;
    DELETE FROM ops.sku_prices k
    WHERE k.sku_id = ANY (skus) AND NOT EXISTS (
        SELECT FROM catalog.price_tiers t WHERE t.sku_id = k.sku_id AND t.product_id = k.product_id);
    INSERT INTO ops.sku_prices AS k
        (sku_id, product_id, currency, first_quantity, first_price, best_quantity, best_price)
    SELECT sku_id, product_id, currency, first_quantity, first[2], best[2], best[1]
    FROM (
        SELECT
            sku_id,
            product_id,
            max(currency) AS currency,
            min(min_quantity) AS first_quantity,
            min(ARRAY[min_quantity, price]) AS first,
            min(ARRAY[price, min_quantity]) FILTER (WHERE price IS NOT NULL) AS best
        FROM catalog.price_tiers
        WHERE sku_id = ANY (skus)
        GROUP BY sku_id, product_id
    ) t
    ON CONFLICT (sku_id, product_id) DO UPDATE SET
        currency = excluded.currency,
        first_quantity = excluded.first_quantity,
        first_price = excluded.first_price,
        best_quantity = excluded.best_quantity,
        best_price = excluded.best_price
    WHERE (k.currency, k.first_quantity, k.first_price, k.best_quantity, k.best_price) IS DISTINCT FROM
        (excluded.currency, excluded.first_quantity, excluded.first_price, excluded.best_quantity, excluded.best_price);
    RETURN NULL;
END
$function$;
REVOKE EXECUTE ON FUNCTION ops.keep_sku_prices() FROM PUBLIC;
COMMENT ON FUNCTION ops.keep_sku_prices() IS 'Makes ops.sku_prices what the price tiers say that were written';
CREATE TRIGGER keep_insert AFTER INSERT ON catalog.price_tiers
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION ops.keep_sku_prices();
CREATE TRIGGER keep_update AFTER UPDATE ON catalog.price_tiers
    REFERENCING NEW TABLE AS touched OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION ops.keep_sku_prices();
CREATE TRIGGER keep_delete AFTER DELETE ON catalog.price_tiers
    REFERENCING OLD TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION ops.keep_sku_prices();
CREATE TRIGGER keep_truncate AFTER TRUNCATE ON catalog.price_tiers
    FOR EACH STATEMENT EXECUTE FUNCTION ops.keep_sku_prices();
-- also where a session plays the replica of another server, as some tools do that load data
ALTER TABLE catalog.price_tiers ENABLE ALWAYS TRIGGER keep_insert, ENABLE ALWAYS TRIGGER keep_update,
    ENABLE ALWAYS TRIGGER keep_delete, ENABLE ALWAYS TRIGGER keep_truncate;

CREATE VIEW marts.current_offers AS
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
WHERE p.delisted_at IS NULL;
COMMENT ON VIEW marts.current_offers IS 'What is on offer now: one row a SKU of a product that is not delisted.';
COMMENT ON COLUMN marts.current_offers.sku_id IS 'The variant';
COMMENT ON COLUMN marts.current_offers.product_id IS 'The product';
COMMENT ON COLUMN marts.current_offers.title IS 'Title of the product';
COMMENT ON COLUMN marts.current_offers.category_id IS 'Category ID';
COMMENT ON COLUMN marts.current_offers.category IS 'Category name';
COMMENT ON COLUMN marts.current_offers.supplier IS 'Supplier''s company name';
COMMENT ON COLUMN marts.current_offers.seller_sku_id IS 'The seller''s own ID of it';
COMMENT ON COLUMN marts.current_offers.status IS 'Of the variant, as answered';
COMMENT ON COLUMN marts.current_offers.min_order_quantity IS 'Minimum order quantity [units]';
COMMENT ON COLUMN marts.current_offers.currency IS 'ISO 4217 code of the prices beside it';
COMMENT ON COLUMN marts.current_offers.first_tier_quantity IS 'Where the price tiers begin; NULL: it has none [units]';
COMMENT ON COLUMN marts.current_offers.first_tier_price IS 'Unit price in the first tier, in `currency`; NULL: not known';
COMMENT ON COLUMN marts.current_offers.best_tier_quantity IS 'Fewest units that get the lowest price [units]';
COMMENT ON COLUMN marts.current_offers.best_tier_price IS 'The lowest unit price, in `currency`';
COMMENT ON COLUMN marts.current_offers.wholesale_min_order_quantity IS 'Minimum order quantity of the ready-to-ship trade [units]';
COMMENT ON COLUMN marts.current_offers.wholesale_price IS 'Unit price of the ready-to-ship trade, in the product''s currency';
COMMENT ON COLUMN marts.current_offers.stock IS 'Units in all warehouses; 0: read, and none; NULL: not known [units]';
COMMENT ON COLUMN marts.current_offers.stock_cn IS 'Units that ship from CN; NULL: it is not stocked there [units]';
COMMENT ON COLUMN marts.current_offers.stock_us IS 'Units that ship from US; NULL: it is not stocked there [units]';
COMMENT ON COLUMN marts.current_offers.stock_mx IS 'Units that ship from MX; NULL: it is not stocked there [units]';
COMMENT ON COLUMN marts.current_offers.feeds IS 'The feeds that list it now, by name; NULL: none';
COMMENT ON COLUMN marts.current_offers.described_at IS 'When its description was last read (UTC)';
COMMENT ON COLUMN marts.current_offers.stock_checked_at IS 'When its stock was last read (UTC); NULL: never';
COMMENT ON COLUMN marts.current_offers.changed_at IS 'When anything of the product last differed (UTC)';

CREATE VIEW marts.landed_costs AS
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
) f ON f.product_id = c.product_id AND f.destination_country = c.destination_country AND f.quantity = c.quantity;
COMMENT ON VIEW marts.landed_costs IS 'What a unit costs at the buyer''s door: one row a SKU on offer, destination and quantity that freight was quoted for. A SKU that no carrier takes there has no row: see on_hold. Duty and tax are not in it.';
COMMENT ON COLUMN marts.landed_costs.sku_id IS 'The variant';
COMMENT ON COLUMN marts.landed_costs.destination_country IS 'ISO country code';
COMMENT ON COLUMN marts.landed_costs.quantity IS 'Units ordered together [units]';
COMMENT ON COLUMN marts.landed_costs.product_id IS 'The product';
COMMENT ON COLUMN marts.landed_costs.unit_price IS 'Unit price in the tier that `quantity` is in; below the first tier, that of the ready-to-ship trade. NULL: not sold in this quantity, or not known';
COMMENT ON COLUMN marts.landed_costs.currency IS 'ISO 4217 code of unit price and landed cost';
COMMENT ON COLUMN marts.landed_costs.cheapest_vendor_code IS 'The carrier that asks least; of equals the faster, then by code. A fee in the product''s currency goes first';
COMMENT ON COLUMN marts.landed_costs.cheapest_fee IS 'Its freight for `quantity` units, in `cheapest_fee_currency`';
COMMENT ON COLUMN marts.landed_costs.cheapest_fee_currency IS 'ISO 4217 code of that freight';
COMMENT ON COLUMN marts.landed_costs.cheapest_days_min IS 'Its fastest delivery [days]';
COMMENT ON COLUMN marts.landed_costs.cheapest_days_max IS 'Its slowest delivery [days]';
COMMENT ON COLUMN marts.landed_costs.cheapest_dispatch_country IS 'Where it takes it from, as answered';
COMMENT ON COLUMN marts.landed_costs.landed_unit_cost IS 'Unit price and freight of one unit, in `currency`; NULL: one of them is not known, or in another currency';
COMMENT ON COLUMN marts.landed_costs.fastest_vendor_code IS 'The carrier that delivers soonest at its slowest; of equals the cheaper, then by code';
COMMENT ON COLUMN marts.landed_costs.fastest_fee IS 'Its freight for `quantity` units, in `fastest_fee_currency`';
COMMENT ON COLUMN marts.landed_costs.fastest_fee_currency IS 'ISO 4217 code of that freight';
COMMENT ON COLUMN marts.landed_costs.fastest_days_min IS 'Its fastest delivery [days]';
COMMENT ON COLUMN marts.landed_costs.fastest_days_max IS 'Its slowest delivery [days]';
COMMENT ON COLUMN marts.landed_costs.fastest_dispatch_country IS 'Where it takes it from, as answered';
COMMENT ON COLUMN marts.landed_costs.fastest_landed_unit_cost IS 'Unit price and freight of one unit, in `currency`; NULL: one of them is not known, or in another currency';
COMMENT ON COLUMN marts.landed_costs.quoted_at IS 'When the cheapest was quoted (UTC)';

CREATE VIEW marts.price_moves AS
SELECT
    w.days,
    m.sku_id,
    m.min_quantity,
    m.currency,
    m.product_id,
    e.old_price,
    e.new_price,
    e.new_price - e.old_price AS change,
    -- of whole ten-thousandths, in doubles: half of what the same costs in decimals
    round(
        10000.0::double precision * ((e.new_price - e.old_price) * 10000)::bigint
            / nullif((e.old_price * 10000)::bigint, 0)
    ) / 100 AS change_percent,
    m.moves,
    m.last_moved_at
FROM (VALUES (1), (7), (30)) AS w (days)
CROSS JOIN LATERAL (
    SELECT
        c.product_id,
        c.sku_id,
        c.min_quantity,
        c.currency,
        (array_agg(c.old_price ORDER BY c.observed_at))[1] AS old_price,
        (array_agg(c.new_price ORDER BY c.observed_at))[count(*)] AS new_price,
        count(*) AS moves,
        count(DISTINCT c.observed_at) < count(*) AS some_at_once,
        max(c.observed_at) AS last_moved_at
    FROM catalog.price_changes c
    -- hours, not days: a day of a session's time zone may have 23
    WHERE c.observed_at > now() - w.days * interval '24 hours'
        -- what the windows say as well: without it the planner expects them to be of any length
        AND c.observed_at > now() - 30 * interval '24 hours'
    GROUP BY c.product_id, c.sku_id, c.min_quantity, c.currency
) m
-- Moves of one moment count in the order in which they were written. The index that all the rest is read from does not
-- say it: where there are some, and only there, the table is asked.
CROSS JOIN LATERAL (
    SELECT
        CASE WHEN m.some_at_once THEN (
            SELECT c.old_price
            FROM catalog.price_changes c
            WHERE c.product_id = m.product_id AND c.sku_id = m.sku_id AND c.min_quantity = m.min_quantity
                AND c.currency IS NOT DISTINCT FROM m.currency
                AND c.observed_at > now() - w.days * interval '24 hours'
            ORDER BY c.observed_at, c.ctid LIMIT 1
        ) ELSE m.old_price END AS old_price,
        CASE WHEN m.some_at_once THEN (
            SELECT c.new_price
            FROM catalog.price_changes c
            WHERE c.product_id = m.product_id AND c.sku_id = m.sku_id AND c.min_quantity = m.min_quantity
                AND c.currency IS NOT DISTINCT FROM m.currency
                AND c.observed_at > now() - w.days * interval '24 hours'
            ORDER BY c.observed_at DESC, c.ctid DESC LIMIT 1
        ) ELSE m.new_price END AS new_price
) e;
COMMENT ON VIEW marts.price_moves IS 'Every price that moved within the last day, week and month, from the change log: one row a window, SKU, tier and currency. A price that moved and came back has a change of 0.';
COMMENT ON COLUMN marts.price_moves.days IS 'The window: 1, 7 or 30 [days]';
COMMENT ON COLUMN marts.price_moves.sku_id IS 'The variant';
COMMENT ON COLUMN marts.price_moves.min_quantity IS 'The price tier [units]';
COMMENT ON COLUMN marts.price_moves.currency IS 'ISO 4217 code of the amounts beside it';
COMMENT ON COLUMN marts.price_moves.product_id IS 'The product';
COMMENT ON COLUMN marts.price_moves.old_price IS 'Unit price when the window began; NULL: there was no such tier';
COMMENT ON COLUMN marts.price_moves.new_price IS 'Unit price now; NULL: the tier is gone';
COMMENT ON COLUMN marts.price_moves.change IS 'What it rose by; NULL: a tier came or went';
COMMENT ON COLUMN marts.price_moves.change_percent IS 'What it rose by, of the old price; NULL also from a price of 0 [%]';
COMMENT ON COLUMN marts.price_moves.moves IS 'How often it moved';
COMMENT ON COLUMN marts.price_moves.last_moved_at IS 'When its last move was seen (UTC)';

CREATE VIEW marts.stockouts AS
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
    AND (l.quantity = 0 OR l.quantity <= 30 * t.sold);
COMMENT ON VIEW marts.stockouts IS 'Warehouses that have none of a SKU on offer, or will have none within 30 days if it sells as in the last seven: one row a SKU and warehouse. What was filled up in between does not make the sales fewer.';
COMMENT ON COLUMN marts.stockouts.sku_id IS 'The variant';
COMMENT ON COLUMN marts.stockouts.shipping_from IS 'Country of the warehouse';
COMMENT ON COLUMN marts.stockouts.product_id IS 'The product';
COMMENT ON COLUMN marts.stockouts.title IS 'Title of the product';
COMMENT ON COLUMN marts.stockouts.state IS '`out` or `expected`';
COMMENT ON COLUMN marts.stockouts.quantity IS 'Units left here [units]';
COMMENT ON COLUMN marts.stockouts.elsewhere IS 'Units in the other warehouses [units]';
COMMENT ON COLUMN marts.stockouts.daily_sales IS 'Units that went a day, over the last seven, or over as many as the product is known for; NULL: none [units/day]';
COMMENT ON COLUMN marts.stockouts.days_left IS 'How long it lasts at that; NULL: it is out [days]';
COMMENT ON COLUMN marts.stockouts.out_since IS 'When it was seen to run out (UTC); NULL: it never had any while we looked, or it is not out';
COMMENT ON COLUMN marts.stockouts.expected_at IS 'When it will have run out (UTC); NULL: it is out';
COMMENT ON COLUMN marts.stockouts.checked_at IS 'When it was last read (UTC)';

CREATE VIEW marts.on_hold AS
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
ORDER BY m.product_id, m.sku_id, r.rule, abs(m.change_percent) DESC, m.min_quantity);
COMMENT ON VIEW marts.on_hold IS 'What should not be sold now, and why: products off the market, what no carrier takes to a destination, and what breaks a rule of ops.hold_rules. One row a reason; what is unknown breaks no rule.';
COMMENT ON COLUMN marts.on_hold.product_id IS 'The product';
COMMENT ON COLUMN marts.on_hold.sku_id IS 'The variant; NULL: all of the product';
COMMENT ON COLUMN marts.on_hold.destination_country IS 'To there; NULL: anywhere';
COMMENT ON COLUMN marts.on_hold.quantity IS 'In this quantity, or at the tier that begins with it; NULL: in any [units]';
COMMENT ON COLUMN marts.on_hold.reason IS '`offline`, `unshippable`, `low_stock`, `slow`, `dear` or `price_moved`';
COMMENT ON COLUMN marts.on_hold.rule IS 'The rule that it breaks; NULL: it needs none';
COMMENT ON COLUMN marts.on_hold.measured IS 'What was found, in `unit`: stock, days, landed cost of a unit, how far the price moved';
COMMENT ON COLUMN marts.on_hold.allowed IS 'What the rule allows, in `unit`';
COMMENT ON COLUMN marts.on_hold.unit IS '`units`, `days`, `%` or a currency';
COMMENT ON COLUMN marts.on_hold.why IS 'In words';

CREATE VIEW marts.feed_overlap AS
WITH listed AS (
    SELECT product_id, feed FROM catalog.feed_products WHERE delisted_at IS NULL
), sizes AS (
    SELECT feed, count(*) AS products, count(*) FILTER (WHERE feeds = 1) AS only_here
    FROM (SELECT feed, count(*) OVER (PARTITION BY product_id) AS feeds FROM listed) counted
    GROUP BY feed
), shared AS (
    SELECT a.feed, b.feed AS other_feed, count(*) AS products
    FROM listed a
    JOIN listed b ON b.product_id = a.product_id AND b.feed <> a.feed
    GROUP BY a.feed, b.feed
)
SELECT
    a.feed,
    b.feed AS other_feed,
    a.products AS feed_products,
    a.only_here AS feed_only_products,
    b.products AS other_feed_products,
    coalesce(s.products, 0) AS shared_products,
    round(100.0 * coalesce(s.products, 0) / a.products, 2)::double precision AS shared_percent
FROM sizes a
JOIN sizes b ON b.feed <> a.feed
LEFT JOIN shared s ON s.feed = a.feed AND s.other_feed = b.feed;
COMMENT ON VIEW marts.feed_overlap IS 'How much of a feed other feeds list too, now: one row for each feed and each other one, where both list anything.';
COMMENT ON COLUMN marts.feed_overlap.feed IS 'The feed';
COMMENT ON COLUMN marts.feed_overlap.other_feed IS 'The other';
COMMENT ON COLUMN marts.feed_overlap.feed_products IS 'Products in the feed';
COMMENT ON COLUMN marts.feed_overlap.feed_only_products IS 'Products in the feed and in no other';
COMMENT ON COLUMN marts.feed_overlap.other_feed_products IS 'Products in the other';
COMMENT ON COLUMN marts.feed_overlap.shared_products IS 'Products in both';
COMMENT ON COLUMN marts.feed_overlap.shared_percent IS 'Those, of the feed''s own [%]';

CREATE VIEW marts.supplier_scorecard AS
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
) o ON o.supplier = c.supplier;
COMMENT ON VIEW marts.supplier_scorecard IS 'How far each supplier can be relied on: one row a supplier; the one without a name is all those that gave none.';
COMMENT ON COLUMN marts.supplier_scorecard.supplier IS 'Supplier''s company name';
COMMENT ON COLUMN marts.supplier_scorecard.products IS 'Products on offer';
COMMENT ON COLUMN marts.supplier_scorecard.delisted_30d IS 'Products that left the market in the last 30 days';
COMMENT ON COLUMN marts.supplier_scorecard.skus IS 'Variants on offer';
COMMENT ON COLUMN marts.supplier_scorecard.skus_in_stock IS 'Those with stock anywhere';
COMMENT ON COLUMN marts.supplier_scorecard.in_stock_percent IS 'Those, of the variants whose stock is known; NULL: of none [%]';
COMMENT ON COLUMN marts.supplier_scorecard.price_rises_30d IS 'Prices (of a SKU in a tier) that rose in the last 30 days, each time counted';
COMMENT ON COLUMN marts.supplier_scorecard.price_falls_30d IS 'Prices that fell';
COMMENT ON COLUMN marts.supplier_scorecard.median_handling_days IS 'Half of the products on offer ship within these, as the supplier says [days]';
COMMENT ON COLUMN marts.supplier_scorecard.median_delivery_days IS 'Half of the products on offer arrive within these by their fastest carrier to any destination [days]';
COMMENT ON COLUMN marts.supplier_scorecard.orders_90d IS 'Orders of the last 90 days with a product of theirs';
COMMENT ON COLUMN marts.supplier_scorecard.disputed_90d IS 'Those frozen or charged back';
COMMENT ON COLUMN marts.supplier_scorecard.median_days_to_ship IS 'Half of those that shipped did so within these, from the order on [days]';

CREATE VIEW marts.order_steps AS
-- How long an order was in its first status is known if that is one that orders begin with
SELECT
    c.trade_id,
    o.account,
    c.old_status AS status,
    c.new_status AS next_status,
    c.entered_at,
    c.observed_at AS left_at,
    round(extract(epoch FROM c.observed_at - c.entered_at)::numeric / 3600, 2)::double precision AS hours
FROM (
    SELECT
        s.trade_id, s.old_status, s.new_status, s.observed_at,
        coalesce(
            lag(s.observed_at) OVER (PARTITION BY s.trade_id ORDER BY s.observed_at, s.ctid),
            CASE WHEN s.old_status IN ('to_be_audited', 'unpay') THEN b.created_at END) AS entered_at
    FROM orders.order_status_changes s
    JOIN orders.orders b ON b.trade_id = s.trade_id
) c
JOIN orders.orders o ON o.trade_id = c.trade_id

UNION ALL
-- where it is now; it has been there at least since it last changed
SELECT
    o.trade_id,
    o.account,
    o.status,
    NULL,
    n.entered_at,
    NULL,
    round(extract(epoch FROM now() - n.entered_at)::numeric / 3600, 2)::double precision
FROM orders.orders o
LEFT JOIN LATERAL (
    SELECT max(s.observed_at) AS at FROM orders.order_status_changes s WHERE s.trade_id = o.trade_id
) last ON true
CROSS JOIN LATERAL (
    SELECT coalesce(
        last.at, CASE WHEN o.status IN ('to_be_audited', 'unpay') THEN o.created_at END, o.modified_at) AS entered_at
) n
WHERE o.status IS NOT NULL;
COMMENT ON VIEW marts.order_steps IS 'Every stay of an order in a status that was seen, the one that it is in now included: one row each.';
COMMENT ON COLUMN marts.order_steps.trade_id IS 'The order';
COMMENT ON COLUMN marts.order_steps.account IS 'Whose order it is';
COMMENT ON COLUMN marts.order_steps.status IS 'The status';
COMMENT ON COLUMN marts.order_steps.next_status IS 'What came after it; NULL: nothing yet';
COMMENT ON COLUMN marts.order_steps.entered_at IS 'When it was seen to begin (UTC), at the latest; NULL: it was in it when it was first read';
COMMENT ON COLUMN marts.order_steps.left_at IS 'When it was seen to end (UTC); NULL: it has not';
COMMENT ON COLUMN marts.order_steps.hours IS 'From the one to the other, or until now [hours]';

CREATE VIEW marts.stuck_orders AS
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
    AND w.hours > l.limit_hours;
COMMENT ON VIEW marts.stuck_orders IS 'Orders that have been in a status longer than 95 of 100 that left it; longer than two weeks where fewer than twenty did. Orders that succeeded, were closed or charged back wait for nothing.';
COMMENT ON COLUMN marts.stuck_orders.trade_id IS 'The order';
COMMENT ON COLUMN marts.stuck_orders.account IS 'Whose order it is';
COMMENT ON COLUMN marts.stuck_orders.status IS 'Where it is stuck';
COMMENT ON COLUMN marts.stuck_orders.since IS 'Since when, at the latest (UTC)';
COMMENT ON COLUMN marts.stuck_orders.hours IS 'How long that is [hours]';
COMMENT ON COLUMN marts.stuck_orders.usual_hours IS 'How long it takes half of the orders; NULL: none has left it [hours]';
COMMENT ON COLUMN marts.stuck_orders.limit_hours IS 'From when on it is stuck [hours]';

CREATE VIEW marts.order_funnel AS
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
LEFT JOIN (SELECT status, count(*) AS orders FROM marts.stuck_orders GROUP BY status) k ON k.status = s.status;
COMMENT ON VIEW marts.order_funnel IS 'From which status orders go to which, how long that takes, and how many wait: one row for each pair that was seen, and one without a next status for those that are in it now.';
COMMENT ON COLUMN marts.order_funnel.status IS 'The status';
COMMENT ON COLUMN marts.order_funnel.next_status IS 'What came after it; NULL: the orders that are in it now';
COMMENT ON COLUMN marts.order_funnel.orders IS 'How many';
COMMENT ON COLUMN marts.order_funnel.median_hours IS 'Half took (or have waited) no longer; NULL: of none is known how long [hours]';
COMMENT ON COLUMN marts.order_funnel.p95_hours IS '95 of 100 took no longer [hours]';
COMMENT ON COLUMN marts.order_funnel.stuck_orders IS 'How many of those that wait are stuck; NULL: they moved on';
COMMENT ON COLUMN marts.order_funnel.oldest_since IS 'Since when the one waits that waits longest (UTC); NULL: they moved on';

CREATE FUNCTION marts.prices_as_of(as_of timestamptz) RETURNS TABLE (
    sku_id text,
    min_quantity bigint,
    product_id text,
    price numeric(18,4),
    currency text
)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
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
            AND e.observed_at > as_of);
END;
COMMENT ON FUNCTION marts.prices_as_of(timestamptz) IS 'The prices of every product known at a moment, as they stood then: `SELECT * FROM marts.prices_as_of(''2026-11-01'')`. From the change log backwards; a first price stands since its product was first described.';

CREATE FUNCTION marts.stock_as_of(as_of timestamptz) RETURNS TABLE (
    sku_id text,
    shipping_from text,
    product_id text,
    quantity bigint
)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
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
WHERE s.quantity IS NOT NULL;
END;
COMMENT ON FUNCTION marts.stock_as_of(timestamptz) IS 'The stock of every product known at a moment, as it stood then: `SELECT * FROM marts.stock_as_of(''2026-11-01'')`. From the change log backwards; a first reading stands since its product was first described.';