-- The rows of a batch of 200 events: 5 decisions, 4 rewards, 4 transfers and 4 budget entries
-- each, and the mark. Into tables of the same shape without foreign keys.
BEGIN;
INSERT INTO floor_decision SELECT uuidv7(), uuidv7(), now(), uuidv7(), n, 1, 'not_matched', '{"failed": {"path": "conditions[0]", "field": "purchase.amount", "operator": "gte", "expected": "1000", "saw": "59.80"}}' FROM generate_series(1, 1000) AS n;
INSERT INTO floor_reward SELECT uuidv7(), :merchant_id, uuidv7(), uuidv7(), 0, n % 4, uuidv7(), 'referrer', uuidv7(), '31337 0x', 1000, 1000, 'pending', NULL, '', now(), now() FROM generate_series(1, 800) AS n;
INSERT INTO floor_transfer SELECT uuidv7(), :merchant_id, '31337 0x', uuidv7(), uuidv7(), 1000, 'grant', uuidv7(), uuidv7(), now() FROM generate_series(1, 800) AS n;
INSERT INTO floor_entry SELECT uuidv7(), uuidv7(), 'consume', uuidv7(), now(), 1000 FROM generate_series(1, 800) AS n;
UPDATE floor_interaction SET state = 'decided', decide_time = now(), facts = '{"chain": []}'
WHERE interaction_id IN (SELECT interaction_id FROM floor_interaction WHERE state = 'pending' LIMIT 200 FOR UPDATE SKIP LOCKED);
COMMIT;
