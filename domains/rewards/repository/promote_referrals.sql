-- Takes referrals that are due into a round. Whoever changes an interaction holds its lane, so
-- nothing is locked before.
WITH due AS MATERIALIZED (
    SELECT interaction_id, due_time FROM interaction
    WHERE merchant_id = :merchant_id AND kind = 'referral' AND state = 'pending'
      AND ready_round IS NULL AND due_time >= :after AND due_time <= :until
    ORDER BY due_time LIMIT :batch_size
), promoted AS (
    -- Found again in that part of the index where they were found first.
    UPDATE interaction SET ready_round = :round
    WHERE merchant_id = :merchant_id AND kind = 'referral' AND state = 'pending'
      AND ready_round IS NULL AND due_time >= (SELECT min(due_time) FROM due)
      AND due_time <= (SELECT max(due_time) FROM due)
      AND interaction_id = ANY(ARRAY(SELECT interaction_id FROM due))
)
SELECT count(*) AS promoted_count, max(due_time) AS due_time FROM due
