-- How far deciding has come at a merchant, and how much waits.
--
-- That is counted by walking an index of what waits from its beginning, and no further than
-- `counted_max`: whoever reads a lane may hold it, and a merchant may have millions of orders.
SELECT COALESCE(lane.held, false) AS held, COALESCE(lane.obstacle, '') AS obstacle,
       lane.retry_time,
       due_order.number + ready_order.number + due_referral.number + ready_referral.number
           + turned.number AS due,
       later_order.number + later_referral.number AS waiting,
       LEAST(due_order.oldest, ready_order.oldest, due_referral.oldest, ready_referral.oldest)
           AS oldest,
       dead.number AS dead, turned.failing
FROM (SELECT) AS nothing LEFT JOIN reward_lane AS lane ON lane.merchant_id = :merchant_id
CROSS JOIN LATERAL (
    SELECT count(*) AS number, min(due_time) AS oldest FROM (
        SELECT due_time FROM shop_order
        WHERE merchant_id = :merchant_id
          AND due_time IS NOT NULL AND ready_round IS NULL AND due_time <= :now
        ORDER BY due_time LIMIT :counted_max
    ) AS walked
) AS due_order
CROSS JOIN LATERAL (
    SELECT count(*) AS number, min(due_time) AS oldest FROM (
        SELECT due_time FROM shop_order
        WHERE merchant_id = :merchant_id AND ready_round IS NOT NULL
        ORDER BY ready_round, order_time, order_reference LIMIT :counted_max
    ) AS walked
) AS ready_order
CROSS JOIN LATERAL (
    SELECT count(*) AS number, min(due_time) AS oldest FROM (
        SELECT due_time FROM interaction
        WHERE merchant_id = :merchant_id AND kind = 'referral'
          AND state = 'pending' AND ready_round IS NULL AND due_time <= :now
        ORDER BY due_time LIMIT :counted_max
    ) AS walked
) AS due_referral
CROSS JOIN LATERAL (
    SELECT count(*) AS number, min(due_time) AS oldest FROM (
        SELECT due_time FROM interaction
        WHERE merchant_id = :merchant_id AND ready_round IS NOT NULL
        ORDER BY ready_round, event_time, referral_reference LIMIT :counted_max
    ) AS walked
) AS ready_referral
CROSS JOIN LATERAL (
    SELECT count(*) AS number, min(due_time) AS oldest FROM (
        SELECT due_time FROM shop_order
        WHERE merchant_id = :merchant_id
          AND due_time IS NOT NULL AND ready_round IS NULL AND due_time > :now
        ORDER BY due_time LIMIT :counted_max
    ) AS walked
) AS later_order
CROSS JOIN LATERAL (
    SELECT count(*) AS number, min(due_time) AS oldest FROM (
        SELECT due_time FROM interaction
        WHERE merchant_id = :merchant_id AND kind = 'referral'
          AND state = 'pending' AND ready_round IS NULL AND due_time > :now
        ORDER BY due_time LIMIT :counted_max
    ) AS walked
) AS later_referral
CROSS JOIN LATERAL (
    SELECT count(*) AS number FROM (
        SELECT FROM interaction
        WHERE (state COLLATE "C", merchant_id) >= ('dead', :merchant_id)
          AND (state COLLATE "C", merchant_id) <= ('dead', :merchant_id)
        ORDER BY state COLLATE "C", merchant_id, interaction_id LIMIT :counted_max
    ) AS walked
) AS dead
CROSS JOIN LATERAL (
    SELECT count(*) AS number, count(*) FILTER (WHERE try_count > 0) AS failing FROM (
        SELECT try_count FROM reversal
        WHERE merchant_id = :merchant_id AND drain_time IS NULL
        ORDER BY create_time, reversal_id LIMIT :counted_max
    ) AS walked
) AS turned
