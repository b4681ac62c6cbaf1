-- The rows of a claim of a reported order by somebody new: person, browser, order, event.
\set number random(1, :order_count)
\set client random(1, 1000000000000)
BEGIN;
WITH made AS (INSERT INTO identity_group VALUES (uuidv7(), now()) RETURNING identity_group_id)
INSERT INTO identity_node SELECT uuidv7(), identity_group_id, 'client', 'floor-' || CAST(:client AS text) || clock_timestamp(), :merchant_id, now() FROM made;
UPDATE shop_order SET claim_group_id = uuidv7(), claim_time = now(), claim_digest = sha256('x'), claim_count = claim_count + 1, interaction_generation = 1, due_time = now() + interval '1 day'
WHERE merchant_id = :merchant_id AND order_reference = 'floor-order-' || CAST(:number AS text);
INSERT INTO interaction (interaction_id, merchant_id, kind, order_reference, generation, due_time)
VALUES (uuidv7(), :merchant_id, 'purchase', 'floor-claim-' || CAST(:client AS text) || clock_timestamp(), 1, now());
COMMIT;
