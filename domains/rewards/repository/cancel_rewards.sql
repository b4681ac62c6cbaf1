-- Cancels the rewards of the orders that were taken back; returns what each one loses. Whoever
-- changes a reward holds its lane, so nothing is locked before.
WITH earned AS MATERIALIZED (
    SELECT turned.reversal_id, given.reward_id, ledger_unit.decimals
    FROM unnest(:reversal_ids, :order_references, :generations)
        AS turned (reversal_id, order_reference, generation)
    CROSS JOIN LATERAL (
        SELECT interaction_id FROM interaction
        WHERE merchant_id = :merchant_id AND order_reference = turned.order_reference
          AND generation = turned.generation OFFSET 0
    ) AS event CROSS JOIN LATERAL (
        SELECT reward_id, merchant_id, unit FROM reward
        WHERE interaction_id = event.interaction_id AND state = 'pending' OFFSET 0
    ) AS given CROSS JOIN LATERAL (
        SELECT decimals FROM ledger_unit
        WHERE merchant_id = given.merchant_id AND unit = given.unit OFFSET 0
    ) AS ledger_unit
)
UPDATE reward
SET target_base_units = 0, state = 'cancelled', cancellation_reason = 'refund'
-- No limit: it keeps PostgreSQL from taking these for a large part of the table.
FROM (SELECT * FROM earned LIMIT (SELECT count(*) FROM earned)) AS lost
WHERE reward.reward_id = lost.reward_id
RETURNING reward.reward_id, reward.campaign_id, reward.identity_group_id, reward.unit,
          lost.decimals, lost.reversal_id, old.target_base_units AS lost_base_units
