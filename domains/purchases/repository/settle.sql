{% from "domains/purchases/repository/outcome.sql" import outcome %}
-- Lives that were fixed and not let go of: whether they were decided is known by now. An order that
-- is being written is passed over, and settled next time.
WITH locked AS MATERIALIZED (
    -- Locks: orders, SKIP LOCKED, because whoever calls this holds the lane.
    SELECT order_reference FROM shop_order
    WHERE merchant_id = :merchant_id AND order_reference = ANY(:order_references)
    FOR NO KEY UPDATE SKIP LOCKED
), settled AS (
    UPDATE shop_order AS known
    SET {{ outcome(known="known", life="gone") | indent(8) }}
    FROM locked JOIN unnest(:order_references, :generations, :is_decided)
        AS gone (order_reference, generation, is_decided) USING (order_reference)
    WHERE known.merchant_id = :merchant_id AND known.order_reference = locked.order_reference
      AND known.order_reference = ANY(ARRAY(SELECT order_reference FROM locked))
      AND known.fixed_generation = gone.generation
)
SELECT order_reference FROM locked
