-- The look-ups are by the whole key, which nothing can take for a large part of the table.
DELETE FROM order_claim WHERE ctid = ANY(ARRAY(
    SELECT found.place
    FROM unnest(:merchant_ids, :order_references, :token_digests, :identity_group_ids)
        AS waiting (merchant_id, order_reference, token_digest, identity_group_id)
    CROSS JOIN LATERAL (
        SELECT ctid AS place FROM order_claim
        WHERE merchant_id = waiting.merchant_id
          AND order_reference = waiting.order_reference
          AND token_digest = waiting.token_digest
          AND identity_group_id = waiting.identity_group_id
          AND create_time < :before
        OFFSET 0
    ) AS found))
