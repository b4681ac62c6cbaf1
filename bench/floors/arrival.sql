-- The rows of an arrival of somebody new: a person, their browser, the arrival.
\set client random(1, 1000000000000)
BEGIN;
WITH made AS (INSERT INTO identity_group VALUES (uuidv7(), now()) RETURNING identity_group_id)
INSERT INTO identity_node SELECT uuidv7(), identity_group_id, 'client', 'floor-' || CAST(:client AS text) || clock_timestamp(), :merchant_id, now() FROM made;
INSERT INTO touchpoint (merchant_id, touchpoint_id, identity_group_id, source, landing_url, arrival_time)
VALUES (:merchant_id, uuidv7(), uuidv7(), 'direct', 'https://shop.example/', now());
COMMIT;
