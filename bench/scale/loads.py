"""What makes a shop large, each in one statement: rows as the product writes them."""

from __future__ import annotations

_BUYER = """
    (SELECT identity_group_id FROM identity_node
     WHERE kind = 'client' AND value = :buyer AND merchant_id = :merchant_id)
"""

_ORDERS = f"""
    WITH buyer AS MATERIALIZED (SELECT {_BUYER} AS person), made AS (
        INSERT INTO shop_order (merchant_id, order_reference, create_time, purchase_id,
            first_report_time, state,
            event_time, body_hash, order_time, order_time_stated, content_key, total, currency,
            items, token_digests, claim_count, claim_group_id, claim_time, claim_digest,
            interaction_generation, due_time)
        SELECT :merchant_id, CAST(:prefix AS text) || n, now(), uuidv7(), now(), 'confirmed', now(),
               sha256(n::text::bytea), now() - interval '1 second' + n * interval '1 microsecond',
               true, '1', 100, 'EUR', '[]', ARRAY[sha256('token')], 1, buyer.person, now(),
               sha256('token'), 1, {{due_time}}
        FROM generate_series(1, CAST(:orders AS int)) AS n, buyer
        RETURNING merchant_id, order_reference, due_time
    )
    INSERT INTO interaction
        (interaction_id, merchant_id, kind, order_reference, generation, due_time)
    SELECT uuidv7(), merchant_id, 'purchase', order_reference, 1, due_time FROM made
"""
DUE_ORDERS = _ORDERS.format(due_time="clock_timestamp()")
WAITING_ORDERS = _ORDERS.format(due_time="now() + interval '1 day' + n * interval '1 second'")

TOUCHES = f"""
    INSERT INTO touchpoint (merchant_id, touchpoint_id, identity_group_id, source,
                            referrer_group_id, landing_url, arrival_time)
    SELECT :merchant_id, uuidv7(), {_BUYER},
           CASE WHEN n % 2 = 0 THEN 'direct' ELSE 'referral_link' END,
           CASE WHEN n % 2 = 1 THEN md5('stranger ' || n % 100)::uuid END, '',
           now() - n * interval '20 seconds'
    FROM generate_series(1, CAST(:touches AS int)) AS n
"""
ENDED_LINKS = f"""
    INSERT INTO referral_link (merchant_id, referral_link_id, referrer_group_id, referee_group_id,
                               start_time, end_time, end_reason, create_time)
    SELECT :merchant_id, uuidv7(), md5('stranger ' || n % 100)::uuid, {_BUYER},
           now() - (n + 1) * interval '20 seconds', now() - n * interval '20 seconds',
           'replaced', now()
    FROM generate_series(1, CAST(:links AS int)) AS n
"""

# The friends were brought by the first of a chain, each one of which was brought by the next.
CHAIN = """
    INSERT INTO referral_link
        (merchant_id, referral_link_id, referrer_group_id, referee_group_id, start_time,
         create_time)
    SELECT :merchant_id, uuidv7(), md5('chained ' || n)::uuid, below.person,
           now() - interval '1 day', now()
    FROM generate_series(1, CAST(:people AS int)) AS n, LATERAL (
        SELECT md5('chained ' || n - 1)::uuid AS person WHERE n > 1
        UNION ALL
        SELECT identity_group_id FROM identity_node
        WHERE n = 1 AND kind = 'client' AND value = ANY(CAST(:friends AS text[]))
          AND merchant_id = :merchant_id
    ) AS below
"""

INVENTED_CLAIMS = """
    WITH claimed AS (
        INSERT INTO shop_order AS known (merchant_id, order_reference, create_time, claim_count)
        VALUES (:merchant_id, :order_reference, now(), :claims)
        ON CONFLICT (merchant_id, order_reference)
            DO UPDATE SET claim_count = known.claim_count + excluded.claim_count
        RETURNING merchant_id, order_reference
    )
    INSERT INTO order_claim (merchant_id, order_reference, token_digest, identity_group_id,
                             claim_time, create_time)
    SELECT merchant_id, order_reference, sha256(('invented ' || n)::bytea),
           md5('stranger ' || n)::uuid, now(), now()
    FROM claimed, generate_series(1, CAST(:claims AS int)) AS n
"""

MERCHANTS = """
    WITH made AS (
        INSERT INTO merchant (merchant_id, product_id, name, domain, token_chain_id, token_address,
            token_decimals, peg_currency, look_back, reward_delay, clock_tolerance,
            attribution_model, create_time)
        SELECT uuidv7(), sha256(('merchant ' || n)::bytea), 'Another', n || '.example', 1,
               '0x1f9840a85d5af5bf1d1762f925bdaddc4201f984', 6, 'EUR', interval '30 days',
               interval '0', interval '0', 'last_touch', now()
        FROM generate_series(1, CAST(:merchants AS int)) AS n
        RETURNING merchant_id
    )
    INSERT INTO reward_lane (merchant_id, promoted_time) SELECT merchant_id, now() FROM made
"""
