-- Every lane that is not held and has something to do, now or later.
--
-- One step into each index for a merchant, from where the lane has looked already: so neither a
-- long queue nor the dead rows that an old snapshot keeps cost more than a short one.
SELECT merchant.merchant_id, lane.merchant_id IS NOT NULL AS exists, lane.phase,
       COALESCE(lane.failure_count, 0) AS failure_count,
       COALESCE(lane.failed_size, 1) AS failed_size,
       COALESCE(lane.next_sequence, 1) AS next_sequence,
       turned.create_time IS NOT NULL AS has_reversals,
       GREATEST(LEAST(
           due_order.due_time, due_referral.due_time,
           CASE WHEN turned.create_time IS NOT NULL THEN CAST(:begin AS timestamptz) END,
           CASE WHEN lane.phase <> 'idle' THEN CAST(:begin AS timestamptz) END
       ), lane.retry_time) AS due_time
FROM merchant
LEFT JOIN reward_lane AS lane USING (merchant_id)
CROSS JOIN LATERAL (
    SELECT CASE WHEN :is_thorough THEN CAST(:begin AS timestamptz)
                ELSE COALESCE(lane.promoted_time - CAST(:look_behind AS interval),
                              CAST(:begin AS timestamptz)) END AS time
    OFFSET 0 -- noqa: PRS
) AS begin
LEFT JOIN LATERAL (
    SELECT due_time FROM shop_order
    WHERE shop_order.merchant_id = merchant.merchant_id AND due_time IS NOT NULL
      AND ready_round IS NULL AND due_time >= begin.time
    ORDER BY due_time LIMIT 1
) AS due_order ON true
LEFT JOIN LATERAL (
    SELECT due_time FROM interaction
    WHERE interaction.merchant_id = merchant.merchant_id AND kind = 'referral'
      AND state = 'pending' AND ready_round IS NULL AND due_time >= begin.time
    ORDER BY due_time LIMIT 1
) AS due_referral ON true
LEFT JOIN LATERAL (
    SELECT create_time FROM reversal
    WHERE reversal.merchant_id = merchant.merchant_id AND drain_time IS NULL
      AND create_time >= begin.time AND (retry_time IS NULL OR retry_time <= :now)
    ORDER BY create_time LIMIT 1
) AS turned ON true
WHERE NOT COALESCE(lane.held, false)
  AND (due_order.due_time IS NOT NULL OR due_referral.due_time IS NOT NULL
       OR turned.create_time IS NOT NULL OR lane.phase <> 'idle')
ORDER BY lane.failure_count > 0 NULLS FIRST, due_time
