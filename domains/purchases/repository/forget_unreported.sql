-- Orders, locked before, that no report named and that have no claim left.
DELETE FROM shop_order WHERE ctid = ANY(ARRAY(
    SELECT found.place
    FROM unnest(:merchant_ids, :order_references) AS locked (merchant_id, order_reference)
    CROSS JOIN LATERAL (
        SELECT ctid AS place, purchase_id FROM shop_order
        WHERE merchant_id = locked.merchant_id AND order_reference = locked.order_reference
        OFFSET 0
    ) AS found
    LEFT JOIN LATERAL (
        SELECT token_digest FROM order_claim
        WHERE merchant_id = locked.merchant_id AND order_reference = locked.order_reference
        ORDER BY token_digest LIMIT 1
    ) AS left_over ON true
    WHERE found.purchase_id IS NULL AND left_over.token_digest IS NULL))
