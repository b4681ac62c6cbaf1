-- Fixes the next orders of a round: from the commit on nothing changes their buyers and times.
WITH ready AS MATERIALIZED (
    -- Locks: orders, SKIP LOCKED: those that are being written are left to a later walk.
    -- Serves itself from ix_shop_order_ready.
    SELECT order_reference, order_time, fixed_generation > 0 AS was_fixed,
           fixed_generation NOT IN (0, generation) AS is_of_earlier_life
    FROM shop_order
    WHERE merchant_id = :merchant_id AND ready_round = :round
      AND (order_time, order_reference) > (:after_time, CAST(:after_reference AS text))
      AND order_time <= :until
    ORDER BY order_time, order_reference LIMIT :batch_size
    FOR NO KEY UPDATE SKIP LOCKED
), fixed AS (
    UPDATE shop_order SET fixed_generation = generation, fixed_group_id = identity_group_id,
        fixed_link = link,
        fixed_report_time = COALESCE(fixed_report_time, first_report_time)
    WHERE merchant_id = :merchant_id
      AND order_reference
          = ANY(ARRAY(SELECT order_reference FROM ready WHERE NOT is_of_earlier_life))
    RETURNING order_reference, generation, order_time,
              CASE WHEN jsonb_typeof(items) = 'array' THEN jsonb_array_length(items)
                   ELSE 0 END AS line_count
), put_off AS (
    -- One that was fixed in an earlier life: it is to be noted first whether that was decided.
    UPDATE shop_order SET ready_round = NULL, due_time = :put_off_time
    WHERE merchant_id = :merchant_id
      AND order_reference
          = ANY(ARRAY(SELECT order_reference FROM ready WHERE is_of_earlier_life))
)
SELECT order_reference, generation, fixed.order_time, line_count, was_fixed
FROM fixed JOIN ready USING (order_reference)
ORDER BY fixed.order_time, order_reference
