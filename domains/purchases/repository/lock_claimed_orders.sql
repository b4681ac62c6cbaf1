-- The claims that waited the longest, as far as their orders can be had. These are locked first:
-- what is read next is as of then.
WITH waiting AS MATERIALIZED (
    -- Strangers choose how many claims an order has, so the claims are counted, not their orders.
    -- Serves itself from ix_order_claim_create_time.
    SELECT merchant_id, order_reference, token_digest, identity_group_id FROM order_claim
    WHERE create_time < :before
    ORDER BY create_time LIMIT :batch_size
), locked AS MATERIALIZED (
    -- Locks: orders, SKIP LOCKED: those that are being written are left for another time.
    SELECT known.merchant_id, known.order_reference
    FROM (SELECT DISTINCT merchant_id, order_reference FROM waiting) AS claimed
    CROSS JOIN LATERAL (
        SELECT merchant_id, order_reference FROM shop_order
        WHERE merchant_id = claimed.merchant_id AND order_reference = claimed.order_reference
        FOR UPDATE SKIP LOCKED
    ) AS known
)
SELECT merchant_id, order_reference, token_digest, identity_group_id
FROM waiting JOIN locked USING (merchant_id, order_reference)
