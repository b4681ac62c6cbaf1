{% from "domains/purchases/repository/outcome.sql" import outcome %}
-- Takes orders out of a round, decided or to be looked at again. A row that another round holds by
-- now stays as it is, and so does one that is being written: its round is walked once more.
WITH locked AS MATERIALIZED (
    -- Locks: orders, SKIP LOCKED, because whoever calls this holds the lane.
    SELECT order_reference FROM shop_order
    WHERE merchant_id = :merchant_id AND order_reference = ANY(:order_references)
    FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE shop_order AS known
SET (ready_round, due_time, needed_rate) = (
        SELECT CAST(NULL AS bigint),
               -- What was corrected meanwhile needs another rate, or none: it is due again.
               CASE WHEN gone.needed_rate IS NULL OR need.stands THEN gone.due_time
                    ELSE known.due_time END,
               CASE WHEN need.stands THEN gone.needed_rate END
        FROM (SELECT split_part(gone.needed_rate, '/', 1) = known.currency
                     AND (known.decided_generation > 0 OR known.heard_time IS NULL)
                     AS stands) AS need),
    {{ outcome(known="known", life="gone") | indent(4) }}
FROM locked JOIN unnest(:order_references, :generations, :due_times, :needed_rates,
                        :is_decided)
    AS gone (order_reference, generation, due_time, needed_rate, is_decided)
    USING (order_reference)
WHERE known.merchant_id = :merchant_id AND known.order_reference = locked.order_reference
  AND known.order_reference = ANY(ARRAY(SELECT order_reference FROM locked))
  -- Not by `=`, which would have it found by the index of the round.
  AND known.ready_round IS NOT DISTINCT FROM :round AND known.generation = gone.generation
  AND known.fixed_generation = gone.generation
