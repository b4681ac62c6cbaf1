-- Whose a delivery is and how it is signed, with the times at which this very delivery and its body
-- came first.
SELECT merchant.merchant_id, webhook.platform, webhook.sealed_key, webhook.previous_sealed_key,
       webhook.previous_key_end_time,
       CASE WHEN kept.state IN ('failed', 'dead') THEN kept.receive_time END AS first_time,
       LEAST(CASE WHEN kept.state IN ('failed', 'dead') THEN kept.body_time END,
             ahead.body_time) AS body_time
FROM merchant LEFT JOIN merchant_webhook AS webhook USING (merchant_id)
LEFT JOIN LATERAL (
    -- This delivery, if it came before; it counts if it could not be applied then.
    SELECT state, receive_time, body_time FROM delivery
    WHERE merchant_id = merchant.merchant_id AND platform = webhook.platform
      AND signed_digest = :signed_digest
    OFFSET 0
) AS kept ON true
CROSS JOIN LATERAL (
    -- A body that named a time after its receipt, also if it was applied: sent again it would be
    -- newer than what came between.
    SELECT min(body_time) AS body_time FROM delivery
    WHERE merchant_id = merchant.merchant_id AND sha256(body) = :body_digest
      AND notes @> '[{"word": "taken_as_receipt"}]'
) AS ahead
{% if by == "merchant" %}
WHERE merchant.merchant_id = :merchant_id
{% elif by == "product" %}
WHERE merchant.product_id = :product_id
{% endif %}
