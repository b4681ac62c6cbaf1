-- Notes that a retry failed. That is charged as a try only if orders came since the last try, were
-- applied, and earn: else what it fails of may be what all that earn fail of. An order that was
-- claimed before its report is no evidence, nor is one of long ago. In doubt nothing is charged.
WITH known AS MATERIALIZED (
    SELECT ctid AS place, state, try_count, try_time FROM delivery
    WHERE merchant_id = :merchant_id AND delivery_id BETWEEN :delivery_id AND :delivery_id
    -- Found by the key, whatever PostgreSQL believes of the table.
    ORDER BY delivery_id LIMIT 1
), tries AS MATERIALIZED (
    -- Its tries with this one, if it is charged. Serves itself from ix_shop_order_purchase.
    SELECT known.place, known.try_count + CASE WHEN EXISTS (
               SELECT FROM (
                   SELECT create_time, interaction_generation FROM shop_order
                   WHERE merchant_id = :merchant_id AND purchase_id IS NOT NULL
                   ORDER BY purchase_id DESC LIMIT :orders_max
               ) AS newest
               WHERE newest.create_time > known.try_time AND newest.interaction_generation > 0
           ) THEN 1 ELSE 0 END AS charged
    FROM known WHERE known.state = 'failed'
)
UPDATE delivery
SET (state, retry_time, try_count) = (
        SELECT CASE WHEN charged >= :tries_max THEN 'dead' ELSE 'failed' END,
               CASE WHEN charged < :tries_max
                    THEN CAST(:now AS timestamptz) + CAST(:pause AS interval) END,
               charged
        FROM tries
    ),
    failure = :failure, failure_count = failure_count + 1, try_time = :now
WHERE ctid = (SELECT place FROM tries)
