-- The next merchants of whom a failed delivery is due.
WITH RECURSIVE failed AS (
    -- From one merchant to the next, by one step into the index each. `number` counts those that
    -- are due: the walk passes others.
    SELECT first.merchant_id, first.retry_time,
           CASE WHEN first.retry_time <= :now THEN 1 ELSE 0 END AS number
    FROM (
        SELECT merchant_id, retry_time FROM delivery
        WHERE state = 'failed' AND merchant_id > :after
        ORDER BY merchant_id, retry_time LIMIT 1
    ) AS first
    UNION ALL
    SELECT next.merchant_id, next.retry_time,
           failed.number + CASE WHEN next.retry_time <= :now THEN 1 ELSE 0 END
    FROM failed CROSS JOIN LATERAL (
        SELECT merchant_id, retry_time FROM delivery
        WHERE state = 'failed' AND merchant_id > failed.merchant_id
        ORDER BY merchant_id, retry_time LIMIT 1
    ) AS next
    WHERE failed.number < :batch_size
)
SELECT merchant_id FROM failed WHERE retry_time <= :now ORDER BY merchant_id
