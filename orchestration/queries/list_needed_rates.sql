-- The pairs of currencies that a merchant's orders wait for, with how many and of which times.
WITH RECURSIVE pair AS (
    -- From one pair to the next, by one step into the index each.
    SELECT needed.needed_rate, 1 AS number FROM (
        SELECT needed_rate FROM shop_order
        WHERE merchant_id = :merchant_id AND needed_rate IS NOT NULL
        ORDER BY needed_rate LIMIT 1
    ) AS needed
    UNION ALL
    SELECT needed.needed_rate, pair.number + 1 FROM pair CROSS JOIN LATERAL (
        SELECT needed_rate FROM shop_order
        WHERE merchant_id = :merchant_id AND needed_rate > pair.needed_rate
        ORDER BY needed_rate LIMIT 1
    ) AS needed
    WHERE pair.number < :pairs_max
)
SELECT pair.needed_rate, counted.number, first.order_time AS first, last.order_time AS last
FROM pair
CROSS JOIN LATERAL (
    SELECT count(*) AS number FROM (
        SELECT FROM shop_order
        WHERE merchant_id = :merchant_id AND needed_rate = pair.needed_rate
        ORDER BY order_time LIMIT :counted_max
    ) AS walked
) AS counted
CROSS JOIN LATERAL (
    SELECT order_time FROM shop_order
    WHERE merchant_id = :merchant_id AND needed_rate = pair.needed_rate
    ORDER BY order_time LIMIT 1
) AS first
CROSS JOIN LATERAL (
    SELECT order_time FROM shop_order
    WHERE merchant_id = :merchant_id AND needed_rate = pair.needed_rate
    ORDER BY order_time DESC LIMIT 1
) AS last
ORDER BY pair.needed_rate
