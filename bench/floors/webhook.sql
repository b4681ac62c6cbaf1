-- The rows of a delivery of a new, confirmed order whose buyer is known.
\set number random(1, 1000000000000)
BEGIN;
INSERT INTO delivery (merchant_id, delivery_id, platform, signed_digest, event_reference, headers, body, state, receive_time, body_time)
VALUES (:merchant_id, uuidv7(), 'custom', sha256(convert_to('floor-' || CAST(:number AS text) || clock_timestamp(), 'UTF8')), '', '{}', convert_to(repeat('x', 420), 'UTF8'), 'applied', now(), now());
INSERT INTO shop_order (merchant_id, order_reference, create_time, purchase_id, first_report_time, state, event_time, body_hash, order_time, token_digests, total, currency, items, hint_group_id, hint_key, interaction_generation, due_time)
VALUES (:merchant_id, 'floor-' || CAST(:number AS text) || clock_timestamp(), now(), uuidv7(), now(), 'confirmed', now(), sha256('x'), now(), ARRAY[sha256('x')], 59.80, 'USD', '[{"name": "blue-mug", "price": "29.90", "title": "Blue mug", "quantity": 2, "image_url": "", "product_reference": "sku-41"}]', uuidv7(), 'h', 1, now() + interval '1 day');
INSERT INTO interaction (interaction_id, merchant_id, kind, order_reference, generation, due_time)
VALUES (uuidv7(), :merchant_id, 'purchase', 'floor-' || CAST(:number AS text) || clock_timestamp(), 1, now());
COMMIT;
