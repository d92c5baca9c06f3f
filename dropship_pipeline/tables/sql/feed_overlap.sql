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
LEFT JOIN shared s ON s.feed = a.feed AND s.other_feed = b.feed
