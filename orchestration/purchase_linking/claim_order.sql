{% from "orchestration/arrival/visitor.sql" import visitor_of %}
{% from "orchestration/purchase_linking/order.sql" import insert_interaction, order_as_written %}
-- Writes everything of a claim.
--
-- Locks: the order's row, which is what reports, other claims and the worker wait at; in it, the
-- claim's. After that wait only the order's own columns are read: `visitor` and `shop` were read
-- before, and nothing that happens to an order changes them.
WITH shop AS (
    SELECT merchant_id, reward_delay FROM merchant WHERE merchant_id = :merchant_id
),
{{ visitor_of(
    client_id=":client_id", merchant_id=":merchant_id", shop="shop",
    new_node_id=":new_node_id", new_group_id=":new_group_id", now=":now",
) }},
claimed AS (
    -- Counts the claim in the order's row, which is made if no report came yet.
    INSERT INTO shop_order AS known (merchant_id, order_reference, create_time, claim_count)
    SELECT :merchant_id, :order_reference, :now, 1 FROM visitor
    ON CONFLICT (merchant_id, order_reference) DO UPDATE SET
        claim_count = known.claim_count + 1,
        (claim_group_id, claim_time, claim_digest, interaction_generation, due_time) = (
            SELECT CASE WHEN claim.wins THEN visitor.identity_group_id
                        ELSE known.claim_group_id END,
                   CASE WHEN claim.wins THEN CAST(:event_time AS timestamptz)
                        ELSE known.claim_time END,
                   CASE WHEN claim.wins THEN CAST(:token_digest AS bytea)
                        ELSE known.claim_digest END,
                   CASE WHEN interaction.begins THEN known.generation
                        ELSE known.interaction_generation END,
                   CASE WHEN interaction.begins
                        THEN GREATEST(:now, LEAST(known.event_time, :now) + shop.reward_delay)
                        ELSE known.due_time END
            FROM visitor, shop, LATERAL (
                -- Whoever shows a token that a report has carried is the buyer; of several,
                -- the earliest.
                SELECT known.token_digests @> ARRAY[CAST(:token_digest AS bytea)]
                       AND (known.claim_group_id IS NULL
                            OR (CAST(:event_time AS timestamptz),
                                CAST(:token_digest AS bytea), visitor.identity_group_id)
                             < (known.claim_time, known.claim_digest, known.claim_group_id))
                       AS wins
            ) AS claim, LATERAL (
                SELECT known.state = 'confirmed'
                       AND known.interaction_generation < known.generation
                       AND (claim.wins OR known.identity_group_id IS NOT NULL) AS begins
            ) AS interaction
        )
    RETURNING {{ order_as_written(old="old", new="new") | indent(14) }},
              -- Whoever does not hold the order's token learns nothing of it.
              new.token_digests @> ARRAY[CAST(:token_digest AS bytea)] AS is_proven
), waiting AS (
    -- A claim whose token no report has carried. After a decision it still says whose the
    -- customer is.
    INSERT INTO order_claim AS known (merchant_id, order_reference, token_digest,
                                      identity_group_id, claim_time, create_time)
    SELECT claimed.merchant_id, claimed.order_reference, :token_digest,
           visitor.identity_group_id, :event_time, :now
    FROM claimed, visitor
    WHERE NOT claimed.is_proven
    ON CONFLICT (merchant_id, order_reference, token_digest, identity_group_id)
        -- Made again, it is kept from now on.
        DO UPDATE SET claim_time = LEAST(known.claim_time, excluded.claim_time),
                      create_time = GREATEST(known.create_time, excluded.create_time)
), earned AS (
    {{ insert_interaction(interaction_id=":new_interaction_id", order="claimed") | indent(4) }}
)
SELECT visitor.identity_group_id, mine.purchase_id,
       COALESCE(mine.is_fixed, false) AS is_decided
FROM visitor LEFT JOIN (
    SELECT purchase_id, identity_group_id, is_fixed FROM claimed WHERE is_proven
) AS mine USING (identity_group_id)
