-- The rows of a claim of a reported order by somebody new: person, browser, order, event.
\set number random(1, :order_count)
\set client random(1, 1000000000000)
BEGIN;
WITH made AS (INSERT INTO identity_group VALUES (uuidv7(), now()) RETURNING identity_group_id)
INSERT INTO identity_node SELECT uuidv7(), identity_group_id, 'client', 'floor-' || CAST(:client AS text) || clock_timestamp(), :merchant_id, now() FROM made;
UPDATE shop_order SET identity_group_id = uuidv7(), link = 'claim', link_time = now()
WHERE merchant_id = :merchant_id AND order_reference = 'floor-order-' || CAST(:number AS text);
INSERT INTO interaction (interaction_id, merchant_id, kind, event_reference, identity_group_id, purchase_id, event_time, due_time)
VALUES (uuidv7(), :merchant_id, 'purchase', 'purchase floor-claim-' || CAST(:client AS text) || clock_timestamp(), uuidv7(), uuidv7(), now(), now() + interval '1 day');
COMMIT;
