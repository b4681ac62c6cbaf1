{% from "domains/purchases/repository/customer.sql" import customer_of %}
{% from "orchestration/arrival/visitor.sql" import visitor_of %}
{% from "orchestration/purchase_linking/order.sql" import insert_interaction, order_as_written %}
{% macro rank(state) %}
array_position(ARRAY[{{ states }}], {{ state }})
{%- endmacro %}
-- Writes a delivery and everything that follows from it, or nothing if it was applied before.
--
-- The order of the parts matters. `fresh` keeps a delivery that was applied before from touching
-- the order; the order's row comes next, because it is what claims, other deliveries and the worker
-- wait at; `kept` comes last and ends the statement if another copy of this very delivery was
-- applied while it waited: its row is not in this statement's snapshot, but it is in the unique
-- index.
--
-- After the wait only the order's own columns are read. `seen` is what claims there were before
-- it: if they are others by now, nothing is written, and the caller comes again.
WITH shop AS (
    SELECT merchant_id, reward_delay FROM merchant WHERE merchant_id = :merchant_id
), fresh AS (
    -- The merchant, unless this delivery was applied before.
    SELECT shop.merchant_id FROM shop WHERE NOT EXISTS (
        SELECT FROM delivery
        WHERE merchant_id = :merchant_id AND platform = :platform
          AND signed_digest = :signed_digest AND state IN ('applied', 'ignored'))
),
{{ visitor_of(
    client_id=":client_id", merchant_id=":merchant_id", shop="shop",
    new_node_id=":new_node_id", new_group_id=":new_group_id", now=":now",
) }},
seen AS MATERIALIZED (
    -- The order's claims so far, and the earliest that shows this report's token.
    SELECT known.claim_count, known.create_time, earliest.identity_group_id,
           earliest.claim_time
    FROM shop_order AS known LEFT JOIN LATERAL (
        SELECT identity_group_id, claim_time FROM order_claim
        WHERE order_claim.merchant_id = :merchant_id
          AND order_claim.order_reference = :order_reference
          AND order_claim.token_digest = CAST(:token_digest AS bytea)
        ORDER BY claim_time, identity_group_id LIMIT 1
    ) AS earliest ON true
    WHERE known.merchant_id = :merchant_id AND known.order_reference = :order_reference
), said AS MATERIALIZED (
    -- What this report says of the buyer, and from when on the order may be decided.
    SELECT fresh.merchant_id,
           (SELECT identity_group_id FROM visitor) AS hint_group_id,
           ({{ customer_of(
               merchant_id=":merchant_id", customer_reference=":customer_reference",
               receive_time=":receive_time", now=":now",
           ) | indent(12) }}) AS guess_group_id,
           (SELECT claim_count FROM seen) AS claim_count,
           (SELECT create_time FROM seen) AS create_time,
           (SELECT identity_group_id FROM seen) AS claim_group_id,
           (SELECT claim_time FROM seen) AS claim_time,
           CAST(:state AS text) = 'confirmed' AS is_confirmed,
           shop.reward_delay
    FROM fresh, shop
), claimed AS (
    -- The order: as the report says if it is the first, else what both it and the row make of it.
    -- Locks: the order's row.
    INSERT INTO shop_order AS known
        (merchant_id, order_reference, create_time, purchase_id, first_report_time, state,
         event_time, body_hash, order_time, order_time_stated, content_key, total, currency,
         customer_reference, customer_key, items, subtotal, items_currency, items_key, voided,
         token_digests, hint_group_id, hint_key, guess_time, guess_group_id,
         interaction_generation, due_time)
    SELECT :merchant_id, :order_reference, :now, :new_purchase_id, :receive_time, :state,
           :event_time, :body_hash, :order_time, :order_time_stated, :content_key,
           CAST(:total AS numeric), :currency, CAST(:customer_reference AS text),
           CASE WHEN CAST(:customer_reference AS text) IS NULL THEN '' END,
           COALESCE(CAST(:items AS jsonb), '[]'), CAST(:subtotal AS numeric),
           CASE WHEN CAST(:items AS jsonb) IS NOT NULL THEN :currency END,
           CASE WHEN CAST(:items AS jsonb) IS NULL THEN '' END,
           CAST(:state AS text) IN ({{ void_states }}), ARRAY[CAST(:token_digest AS bytea)],
           said.hint_group_id,
           CASE WHEN said.hint_group_id IS NOT NULL THEN :hint_key ELSE '' END,
           CASE WHEN CAST(:customer_reference AS text) IS NOT NULL
                THEN CAST(:receive_time AS timestamptz) END,
           said.guess_group_id,
           CASE WHEN interaction.begins THEN 1 ELSE 0 END,
           CASE WHEN interaction.begins
                THEN GREATEST(:now, LEAST(:event_time, :now) + said.reward_delay) END
    FROM said, LATERAL (
        SELECT said.is_confirmed
               AND COALESCE(said.hint_group_id, said.guess_group_id) IS NOT NULL AS begins
    ) AS interaction
    ON CONFLICT (merchant_id, order_reference) DO UPDATE SET
        (purchase_id, first_report_time, state, event_time, body_hash, generation, voided,
         content_key, total, currency, customer_reference, customer_key, items, subtotal,
         items_currency, items_key, order_time, heard_time, order_time_stated, token_digests,
         claim_group_id, claim_time, claim_digest, hint_group_id, hint_key, guess_time,
         guess_group_id, interaction_generation, due_time, ready_round, needed_rate) = (
            SELECT COALESCE(known.purchase_id, excluded.purchase_id),
                   LEAST(known.first_report_time, excluded.first_report_time),
                   standing.state, standing.event_time, standing.body_hash,
                   standing.generation, standing.voided,
                   content.content_key, content.total, content.currency,
                   CASE WHEN named.has_customer THEN excluded.customer_reference
                        ELSE known.customer_reference END,
                   NULLIF(CASE WHEN named.has_customer THEN excluded.content_key
                               ELSE judged.customer_key END, content.content_key),
                   CASE WHEN named.has_lines THEN excluded.items
                        ELSE COALESCE(known.items, '[]') END,
                   CASE WHEN named.has_lines THEN excluded.subtotal
                        ELSE known.subtotal END,
                   CASE WHEN named.has_lines THEN excluded.items_currency
                        ELSE known.items_currency END,
                   NULLIF(CASE WHEN named.has_lines THEN excluded.content_key
                               ELSE judged.items_key END, content.content_key),
                   CASE WHEN judged.is_fixed THEN known.order_time ELSE dated.order_time END,
                   CASE WHEN known.fixed_generation > 0
                        THEN NULLIF(dated.order_time, known.order_time) END,
                   known.order_time_stated OR excluded.order_time_stated,
                   CASE WHEN judged.carries_new_token
                        THEN known.token_digests || excluded.token_digests
                        ELSE known.token_digests END,
                   proven.claim_group_id, proven.claim_time, proven.claim_digest,
                   CASE WHEN judged.hints THEN excluded.hint_group_id
                        ELSE known.hint_group_id END,
                   CASE WHEN judged.hints THEN excluded.hint_key ELSE known.hint_key END,
                   CASE WHEN judged.guesses THEN excluded.guess_time
                        ELSE known.guess_time END,
                   CASE WHEN judged.guesses THEN excluded.guess_group_id
                        ELSE known.guess_group_id END,
                   CASE WHEN interaction.begins THEN standing.generation
                        ELSE known.interaction_generation END,
                   queue.due_time, queue.ready_round, queue.needed_rate
            FROM said, LATERAL (
                -- What counts for more: the row or the report.
                SELECT known.state IS NULL
                       OR (excluded.state <> 'pending', excluded.event_time,
                           {{ rank("excluded.state") }}, excluded.body_hash)
                        > (known.state <> 'pending', known.event_time,
                           {{ rank("known.state") }}, known.body_hash) AS is_newer,
                       known.fixed_group_id IS NOT NULL AS is_fixed,
                       COALESCE(known.heard_time, known.order_time) AS known_time,
                       NOT known.token_digests @> excluded.token_digests
                           AND cardinality(known.token_digests) < {{ tokens_max }}
                           AS carries_new_token,
                       excluded.hint_key > known.hint_key AS hints,
                       -- The first one received, of whatever try. Nobody is taken away.
                       known.guess_time IS NULL
                           OR (excluded.guess_time < known.guess_time
                               AND excluded.guess_group_id IS NOT NULL) AS guesses,
                       COALESCE(known.customer_key, known.content_key) AS customer_key,
                       COALESCE(known.items_key, known.content_key) AS items_key
            ) AS judged, LATERAL (
                -- Whether an order that was taken back is paid again: it begins another life.
                SELECT judged.is_newer AND known.voided AND said.is_confirmed AS is_reborn
            ) AS life, LATERAL (
                SELECT CASE WHEN judged.is_newer THEN excluded.state ELSE known.state END
                           AS state,
                       CASE WHEN judged.is_newer THEN excluded.event_time
                            ELSE known.event_time END AS event_time,
                       CASE WHEN judged.is_newer THEN excluded.body_hash
                            ELSE known.body_hash END AS body_hash,
                       known.generation + CASE WHEN life.is_reborn THEN 1 ELSE 0 END
                           AS generation,
                       (known.voided AND NOT life.is_reborn)
                           OR (judged.is_newer AND excluded.voided) AS voided
            ) AS standing, LATERAL (
                -- What was bought is taken whole from one report, by the key of its content.
                SELECT excluded.content_key, excluded.total, excluded.currency
                WHERE excluded.content_key > known.content_key
                UNION ALL
                SELECT known.content_key, known.total, known.currency
                WHERE excluded.content_key <= known.content_key
            ) AS content, LATERAL (
                -- What a report leaves out stays as another one named it.
                SELECT excluded.customer_key IS NULL
                           AND excluded.content_key > judged.customer_key AS has_customer,
                       excluded.items_key IS NULL
                           AND excluded.content_key > judged.items_key AS has_lines
            ) AS named, LATERAL (
                -- A time that the shop named, else that of the first report; the earlier
                -- of two.
                SELECT CASE
                    WHEN excluded.order_time_stated = known.order_time_stated
                        THEN LEAST(judged.known_time, excluded.order_time)
                    WHEN excluded.order_time_stated OR judged.known_time IS NULL
                        THEN excluded.order_time
                    ELSE judged.known_time END AS order_time
            ) AS dated, LATERAL (
                -- The earliest claim with a token that a report has carried.
                SELECT said.claim_group_id, said.claim_time,
                       CAST(:token_digest AS bytea) AS claim_digest
                WHERE judged.carries_new_token AND said.claim_group_id IS NOT NULL
                UNION ALL
                SELECT known.claim_group_id, known.claim_time, known.claim_digest
                ORDER BY claim_time, claim_digest, claim_group_id LIMIT 1
            ) AS proven, LATERAL (
                -- Whether it may earn: confirmed, and its buyer is known by whatever evidence.
                SELECT standing.state = 'confirmed' AND COALESCE(
                           known.fixed_group_id, proven.claim_group_id,
                           known.hint_group_id, excluded.hint_group_id,
                           known.guess_group_id,
                           CASE WHEN judged.guesses THEN excluded.guess_group_id END
                       ) IS NOT NULL AS earns
            ) AS buyer, LATERAL (
                SELECT buyer.earns AND known.interaction_generation < standing.generation
                           AS begins
            ) AS interaction, LATERAL (
                -- Whether it has to move in the lane: its time is another, or its rate.
                SELECT counts.is_moved AND known.due_time IS NOT NULL AS is_dated_anew,
                       -- Of one that is fixed right now, whoever lets go of it sees to that.
                       known.needed_rate IS NOT NULL AND known.fixed_generation = 0
                           AND (counts.is_moved
                                OR content.currency IS DISTINCT FROM known.currency)
                           AS needs_another_rate
                FROM (SELECT NOT judged.is_fixed AND dated.order_time <> known.order_time
                             AS is_moved) AS counts
            ) AS queued, LATERAL (
                SELECT CASE
                           WHEN NOT buyer.earns THEN NULL
                           WHEN interaction.begins THEN GREATEST(
                               :now, LEAST(standing.event_time, :now) + said.reward_delay)
                           -- It takes its new place in the lane, or waits for nothing more.
                           WHEN queued.is_dated_anew AND known.ready_round IS NOT NULL
                                OR queued.needs_another_rate THEN :now
                           ELSE known.due_time END AS due_time,
                       CASE WHEN buyer.earns AND NOT interaction.begins
                                 AND NOT queued.is_dated_anew AND NOT queued.needs_another_rate
                            THEN known.ready_round END AS ready_round,
                       CASE WHEN buyer.earns AND NOT queued.needs_another_rate
                            THEN known.needed_rate END AS needed_rate
            ) AS queue
        )
    -- Claims that were not seen matter only to a token that is new. An order that was forgotten
    -- and claimed anew counts its claims from one again.
    WHERE known.claim_count = 0
       OR known.token_digests @> excluded.token_digests
       OR (known.claim_count, known.create_time)
          = (SELECT claim_count, create_time FROM said)
    RETURNING {{ order_as_written(old="old", new="new") | indent(14) }},
              COALESCE(new.voided AND NOT old.voided
                       AND old.interaction_generation = old.generation, false)
                  AS is_taken_back,
              -- After a decision the guess and the time count no more. The other evidence does:
              -- it says whose the customer is, and to which claims.
              (old.state, old.event_time, old.body_hash, old.content_key,
               old.customer_reference, old.items, old.token_digests, old.claim_group_id,
               old.hint_group_id)
                  IS DISTINCT FROM
                  (new.state, new.event_time, new.body_hash, new.content_key,
                   new.customer_reference, new.items, new.token_digests, new.claim_group_id,
                   new.hint_group_id)
                  OR new.decided_generation = 0
                     AND (old.order_time, old.heard_time, old.guess_group_id)
                         IS DISTINCT FROM
                         (new.order_time, new.heard_time, new.guess_group_id) AS is_applied
), earned AS (
    {{ insert_interaction(interaction_id=":new_interaction_id", order="claimed") | indent(4) }}
), taken_back AS (
    -- An interaction that began is to be taken back by the lane.
    INSERT INTO reversal (reversal_id, merchant_id, order_reference, generation, create_time)
    SELECT :new_reversal_id, claimed.merchant_id, claimed.order_reference,
           claimed.generation, :now
    FROM claimed WHERE claimed.is_taken_back
), kept AS (
    -- The delivery, among them one that failed before.
    INSERT INTO delivery AS known
        (merchant_id, delivery_id, platform, signed_digest, event_reference, headers, body,
         state, passed_over, notes, receive_time, body_time, try_time)
    SELECT :merchant_id, :delivery_id, :platform, :signed_digest, :event_reference, :headers,
           :body, CASE WHEN claimed.is_applied THEN 'applied' ELSE 'ignored' END,
           CASE WHEN claimed.is_applied THEN '' ELSE 'nothing_new' END, :notes,
           :receive_time, :body_time, :now
    FROM claimed
    ON CONFLICT ON CONSTRAINT uq_delivery_signed DO UPDATE SET
        state = excluded.state, passed_over = excluded.passed_over,
        notes = excluded.notes, failure = '', retry_time = NULL, try_time = excluded.try_time,
        -- Another copy was applied meanwhile: the column takes no NULL, so nothing of this
        -- stays.
        try_count = CASE WHEN known.state IN ('failed', 'dead') THEN known.try_count + 1 END
)
SELECT EXISTS (SELECT FROM fresh) AND NOT EXISTS (SELECT FROM claimed) AS is_undecided,
       (SELECT is_applied FROM claimed) AS is_applied
