-- What is dead comes first, for it waits for somebody; what is late goes on by itself.
WITH looked AS MATERIALIZED (
    -- A few steps into an index for each merchant, none of which walks what others of its kind
    -- there are.
    SELECT merchant.merchant_id, merchant.name,
           COALESCE(lane.held, false) AS held,
           COALESCE(lane.obstacle, '') <> '' AS set_back,
           dead.found IS NOT NULL AS dead,
           undelivered.found IS NOT NULL AS undelivered,
           unrated.found IS NOT NULL AS unrated,
           COALESCE(lane.phase <> 'idle' AND lane.round_time < :late, false)
           OR LEAST(due_order.time, due_referral.time, turned.time) < :late AS late
    FROM merchant LEFT JOIN reward_lane AS lane USING (merchant_id)
    LEFT JOIN LATERAL (
        SELECT interaction_id AS found FROM interaction
        WHERE (state COLLATE "C", interaction.merchant_id) >= ('dead', merchant.merchant_id)
          AND (state COLLATE "C", interaction.merchant_id) <= ('dead', merchant.merchant_id)
        ORDER BY state COLLATE "C", interaction.merchant_id, interaction_id LIMIT 1
    ) AS dead ON true
    LEFT JOIN LATERAL (
        SELECT delivery_id AS found FROM delivery
        WHERE delivery.merchant_id = merchant.merchant_id AND state IN ('failed', 'dead')
        ORDER BY delivery_id LIMIT 1
    ) AS undelivered ON true
    LEFT JOIN LATERAL (
        SELECT needed_rate AS found FROM shop_order
        WHERE shop_order.merchant_id = merchant.merchant_id AND needed_rate IS NOT NULL
        ORDER BY needed_rate LIMIT 1
    ) AS unrated ON true
    LEFT JOIN LATERAL (
        SELECT due_time AS time FROM shop_order
        WHERE shop_order.merchant_id = merchant.merchant_id AND due_time IS NOT NULL
          AND ready_round IS NULL
        ORDER BY due_time LIMIT 1
    ) AS due_order ON true
    LEFT JOIN LATERAL (
        SELECT due_time AS time FROM interaction
        WHERE interaction.merchant_id = merchant.merchant_id AND kind = 'referral'
          AND state = 'pending' AND ready_round IS NULL
        ORDER BY due_time LIMIT 1
    ) AS due_referral ON true
    LEFT JOIN LATERAL (
        SELECT create_time AS time FROM reversal
        WHERE reversal.merchant_id = merchant.merchant_id AND drain_time IS NULL
        ORDER BY create_time LIMIT 1
    ) AS turned ON true
)
SELECT merchant_id, name, count(*) OVER () AS troubled,
       (SELECT count(*) FROM looked) AS shops
FROM looked WHERE held OR set_back OR dead OR undelivered OR unrated OR late
ORDER BY dead DESC, held DESC, undelivered DESC, set_back DESC, unrated DESC, merchant_id
LIMIT :shops_max
