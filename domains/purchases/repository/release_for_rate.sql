-- Makes orders due that wait for a rate of a pair which was observed by now.
WITH waiting AS MATERIALIZED (
    -- Serves itself from ix_shop_order_needed_rate.
    SELECT merchant_id, order_reference FROM shop_order
    WHERE needed_rate = :pair AND order_time >= :observe_time AND order_time < :stale_time
    ORDER BY order_time LIMIT :batch_size
), locked AS MATERIALIZED (
    -- Locks: orders, SKIP LOCKED. Those that are being written are counted and left as they are:
    -- one of them would hold up whoever waits for any rate.
    SELECT known.merchant_id, known.order_reference FROM waiting CROSS JOIN LATERAL (
        SELECT merchant_id, order_reference FROM shop_order
        WHERE merchant_id = waiting.merchant_id AND order_reference = waiting.order_reference
          -- Not by `=`, which would have it found by the index of the rate.
          AND needed_rate IS NOT DISTINCT FROM :pair
        FOR NO KEY UPDATE SKIP LOCKED
    ) AS known
), released AS (
    UPDATE shop_order AS known SET due_time = :now, needed_rate = NULL
    -- No limit: it keeps PostgreSQL from taking these for a large part of the table.
    FROM (SELECT * FROM locked LIMIT (SELECT count(*) FROM locked)) AS freed
    WHERE known.merchant_id = freed.merchant_id
      AND known.order_reference = freed.order_reference
)
SELECT (SELECT count(*) FROM waiting) AS found_count,
       (SELECT count(*) FROM locked) AS released_count
