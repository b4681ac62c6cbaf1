"""One truth about an order: evidence, lanes in rounds, facts instead of records, rates."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ORDERS = """
ALTER TABLE shop_order
    DROP CONSTRAINT ck_shop_order_reported_whole,
    DROP CONSTRAINT ck_shop_order_linked_whole,
    DROP CONSTRAINT ck_shop_order_link_known,
    DROP CONSTRAINT ck_shop_order_claims_whole,
    ALTER COLUMN order_reference TYPE text COLLATE "C",
    ADD COLUMN first_report_time timestamptz,
    ADD COLUMN token_digests bytea[] NOT NULL DEFAULT '{}',
    ADD COLUMN claim_count integer NOT NULL DEFAULT 0,
    ADD COLUMN claim_group_id uuid,
    ADD COLUMN claim_time timestamptz,
    ADD COLUMN claim_digest bytea,
    ADD COLUMN hint_group_id uuid,
    ADD COLUMN hint_key text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN customer_key text COLLATE "C",
    ADD COLUMN items_key text COLLATE "C",
    ADD COLUMN guess_time timestamptz,
    ADD COLUMN guess_group_id uuid,
    ADD COLUMN interaction_generation integer NOT NULL DEFAULT 0,
    ADD COLUMN decided_generation integer NOT NULL DEFAULT 0,
    ADD COLUMN fixed_generation integer NOT NULL DEFAULT 0,
    ADD COLUMN fixed_group_id uuid,
    ADD COLUMN fixed_link text,
    ADD COLUMN heard_time timestamptz,
    ADD COLUMN due_time timestamptz,
    ADD COLUMN ready_round bigint,
    ADD COLUMN needed_rate text COLLATE "C",
    SET (fillfactor = 80);
CREATE TABLE order_claim (
    merchant_id uuid NOT NULL,
    order_reference text COLLATE "C" NOT NULL,
    token_digest bytea NOT NULL,
    identity_group_id uuid NOT NULL,
    claim_time timestamptz NOT NULL,
    create_time timestamptz NOT NULL,
    CONSTRAINT pk_order_claim
        PRIMARY KEY (merchant_id, order_reference, token_digest, identity_group_id),
    CONSTRAINT fk_order_claim_merchant_id_order_reference
        FOREIGN KEY (merchant_id, order_reference)
        REFERENCES shop_order (merchant_id, order_reference) ON DELETE RESTRICT
);
CREATE INDEX ix_order_claim_create_time ON order_claim (create_time);
-- A claim waits from when it was made: its order's row may be much older.
INSERT INTO order_claim
SELECT merchant_id, order_reference, claim.digest, claim.person, min(claim.at),
       GREATEST(min(create_time), max(claim.at))
FROM shop_order, unnest(claim_digests, claim_groups, claim_times) AS claim (digest, person, at)
GROUP BY merchant_id, order_reference, claim.digest, claim.person;
-- The ids of purchases begin with their time, in milliseconds.
UPDATE shop_order SET
    first_report_time = to_timestamp(
        CAST(CAST('x' || left(replace(CAST(purchase_id AS text), '-', ''), 12) AS bit(48)) AS bigint)
        / 1000.0)
WHERE purchase_id IS NOT NULL;
UPDATE shop_order SET
    token_digests = CASE WHEN token_digest IS NULL THEN '{}' ELSE ARRAY[token_digest] END,
    claim_count = cardinality(claim_digests),
    claim_group_id = CASE WHEN link = 'claim' THEN identity_group_id END,
    claim_time = CASE WHEN link = 'claim' THEN link_time END,
    claim_digest = CASE WHEN link = 'claim' THEN token_digest END,
    hint_group_id = CASE WHEN link = 'client' THEN identity_group_id END,
    hint_key = CASE WHEN link = 'client' THEN '0' ELSE '' END,
    customer_key = CASE WHEN customer_reference IS NULL THEN '' END,
    items_key = CASE WHEN items IS NULL OR items = '[]' THEN '' END,
    -- The account that somebody was linked by may not be named any more.
    guess_time = CASE WHEN customer_reference IS NOT NULL OR link = 'customer'
                      THEN first_report_time END,
    guess_group_id = CASE WHEN link = 'customer' THEN identity_group_id END
WHERE token_digest IS NOT NULL OR claim_digests <> '{}';
ALTER TABLE shop_order
    DROP COLUMN identity_group_id,
    DROP COLUMN link,
    DROP COLUMN link_time,
    DROP COLUMN token_digest,
    DROP COLUMN claim_digests,
    DROP COLUMN claim_groups,
    DROP COLUMN claim_times,
    ADD COLUMN identity_group_id uuid GENERATED ALWAYS AS
        (COALESCE(fixed_group_id, claim_group_id, hint_group_id, guess_group_id)) STORED,
    ADD COLUMN link text GENERATED ALWAYS AS (
        CASE WHEN fixed_group_id IS NOT NULL THEN fixed_link
             WHEN claim_group_id IS NOT NULL THEN 'claim'
             WHEN hint_group_id IS NOT NULL THEN 'client'
             WHEN guess_group_id IS NOT NULL THEN 'customer' END) STORED,
    ADD CONSTRAINT ck_shop_order_reported_whole CHECK (
        num_nulls(purchase_id, first_report_time, state, event_time, body_hash, order_time,
                  items) IN (0, 7)),
    ADD CONSTRAINT ck_shop_order_claim_whole CHECK (
        num_nulls(claim_group_id, claim_time, claim_digest) IN (0, 3)),
    ADD CONSTRAINT ck_shop_order_hint_whole CHECK ((hint_group_id IS NULL) = (hint_key = '')),
    ADD CONSTRAINT ck_shop_order_guesses_name_a_customer CHECK (
        guess_group_id IS NULL OR guess_time IS NOT NULL),
    ADD CONSTRAINT ck_shop_order_interactions_of_known_lives CHECK (
        interaction_generation <= generation),
    ADD CONSTRAINT ck_shop_order_decided_interactions CHECK (
        GREATEST(decided_generation, fixed_generation) <= interaction_generation),
    ADD CONSTRAINT ck_shop_order_fixed_whole CHECK (
        num_nulls(fixed_group_id, fixed_link)
        = CASE WHEN GREATEST(decided_generation, fixed_generation) > 0 THEN 0 ELSE 2 END),
    ADD CONSTRAINT ck_shop_order_heard_while_fixed CHECK (
        heard_time IS NULL OR fixed_generation > 0),
    ADD CONSTRAINT ck_shop_order_due_interactions CHECK (
        due_time IS NULL OR interaction_generation > 0),
    ADD CONSTRAINT ck_shop_order_ready_once_due CHECK (
        ready_round IS NULL OR due_time IS NOT NULL),
    ADD CONSTRAINT ck_shop_order_rates_for_what_waits CHECK (
        needed_rate IS NULL OR due_time IS NOT NULL)
"""

_INTERACTIONS = """
ALTER TABLE interaction
    DROP CONSTRAINT uq_interaction_event,
    DROP CONSTRAINT ck_interaction_purchases_named;
ALTER TABLE interaction RENAME COLUMN event_reference TO old_reference;
DROP INDEX ix_interaction_due, ix_interaction_lane, ix_interaction_dead;
ALTER TABLE interaction
    ADD COLUMN order_reference text COLLATE "C",
    ADD COLUMN generation integer,
    ADD COLUMN referral_link_id uuid,
    ADD COLUMN referral_reference text COLLATE "C",
    ADD COLUMN ready_round bigint,
    ADD COLUMN needed_rate text,
    ALTER COLUMN identity_group_id DROP NOT NULL,
    ALTER COLUMN event_time DROP NOT NULL;
UPDATE interaction SET
    order_reference = shop_order.order_reference,
    generation = COALESCE(CAST(substring(
        replace(substring(old_reference FROM 10), '##', '') FROM '#([0-9]+)$') AS integer), 1),
    identity_group_id = NULL, event_time = NULL
FROM shop_order
WHERE interaction.kind = 'purchase' AND shop_order.purchase_id = interaction.purchase_id;
UPDATE interaction SET
    referral_link_id = CAST(right(old_reference, 36) AS uuid),
    referral_reference = left(old_reference, length(old_reference) - 37)
WHERE kind = 'referral';
-- A person is brought once: by a link that is decided, else by the first one. Any other link that
-- is not decided yet earns nothing.
DELETE FROM interaction AS other USING interaction AS counting
WHERE other.kind = 'referral' AND other.state <> 'decided' AND counting.kind = 'referral'
  AND counting.merchant_id = other.merchant_id
  AND counting.identity_group_id = other.identity_group_id
  AND (counting.state <> 'decided', counting.interaction_id)
      < (other.state <> 'decided', other.interaction_id);
-- What one has earned stays earned; it is about somebody of its own, so that the books agree.
UPDATE interaction AS later SET identity_group_id = later.referral_link_id
FROM interaction AS first
WHERE later.kind = 'referral' AND first.kind = 'referral'
  AND first.merchant_id = later.merchant_id
  AND first.identity_group_id = later.identity_group_id
  AND first.interaction_id < later.interaction_id
"""

_REST = """
ALTER TABLE interaction
    DROP COLUMN old_reference,
    DROP COLUMN purchase_id,
    ADD COLUMN event_reference text COLLATE "C" GENERATED ALWAYS AS (
        CASE kind WHEN 'purchase' THEN 'purchase:' || replace(order_reference, '#', '##')
             || CASE WHEN generation > 1 THEN '#' || generation::text ELSE '' END
             ELSE referral_reference END) STORED,
    ADD CONSTRAINT uq_interaction_purchase UNIQUE (merchant_id, order_reference, generation),
    ADD CONSTRAINT uq_interaction_referral UNIQUE (identity_group_id, merchant_id),
    ADD CONSTRAINT ck_interaction_purchases_name_their_order CHECK (
        num_nulls(order_reference, generation) = CASE kind WHEN 'purchase' THEN 0 ELSE 2 END),
    ADD CONSTRAINT ck_interaction_referrals_name_their_link CHECK (
        num_nulls(identity_group_id, referral_link_id, event_time, referral_reference)
        = CASE kind WHEN 'referral' THEN 0 ELSE 4 END),
    ADD CONSTRAINT ck_interaction_rates_for_what_waits CHECK (
        needed_rate IS NULL OR state = 'pending');
UPDATE shop_order SET
    interaction_generation = known.newest,
    decided_generation = known.decided,
    fixed_group_id = CASE WHEN known.decided > 0 THEN shop_order.identity_group_id END,
    fixed_link = CASE WHEN known.decided > 0 THEN shop_order.link END,
    due_time = CASE WHEN known.is_pending AND shop_order.state = 'confirmed'
                    THEN known.due_time END
FROM (
    SELECT interaction.merchant_id, interaction.order_reference, max(interaction.generation) AS newest,
           COALESCE(max(interaction.generation) FILTER (WHERE interaction.state = 'decided'), 0)
               AS decided,
           bool_or(interaction.state = 'pending') AS is_pending,
           max(due_time) FILTER (WHERE interaction.state = 'pending') AS due_time
    FROM interaction WHERE kind = 'purchase'
    GROUP BY interaction.merchant_id, interaction.order_reference
) AS known
WHERE shop_order.merchant_id = known.merchant_id
  AND shop_order.order_reference = known.order_reference;
DELETE FROM reversal WHERE NOT EXISTS (
    SELECT FROM interaction WHERE interaction.merchant_id = reversal.merchant_id
                              AND interaction.event_reference = reversal.event_reference);
ALTER TABLE reversal
    DROP CONSTRAINT uq_reversal_event,
    ADD COLUMN order_reference text COLLATE "C",
    ADD COLUMN generation integer,
    ADD COLUMN try_count integer NOT NULL DEFAULT 0,
    ADD COLUMN retry_time timestamptz;
UPDATE reversal SET order_reference = interaction.order_reference,
                    generation = interaction.generation
FROM interaction
WHERE interaction.merchant_id = reversal.merchant_id
  AND interaction.event_reference = reversal.event_reference AND interaction.kind = 'purchase';
DROP INDEX ix_reversal_open;
ALTER TABLE reversal
    DROP COLUMN event_reference,
    ALTER COLUMN order_reference SET NOT NULL,
    ALTER COLUMN generation SET NOT NULL,
    ADD CONSTRAINT uq_reversal_order UNIQUE (merchant_id, order_reference, generation);
ALTER TABLE reward_lane
    ADD COLUMN phase text NOT NULL DEFAULT 'idle',
    ADD COLUMN round bigint NOT NULL DEFAULT 0,
    ADD COLUMN round_time timestamptz,
    ADD COLUMN promoted_time timestamptz,
    ADD COLUMN order_time timestamptz,
    ADD COLUMN order_reference text COLLATE "C",
    ADD COLUMN referral_time timestamptz,
    ADD COLUMN referral_reference text COLLATE "C",
    ADD COLUMN failure_count integer NOT NULL DEFAULT 0,
    ADD COLUMN failed_size integer NOT NULL DEFAULT 1,
    ADD COLUMN retry_time timestamptz,
    ADD COLUMN obstacle text NOT NULL DEFAULT '',
    ADD CONSTRAINT ck_reward_lane_phase_known CHECK (phase IN ('idle', 'promoting', 'walking')),
    ADD CONSTRAINT ck_reward_lane_order_place_whole CHECK (
        (order_time IS NULL) = (order_reference IS NULL)),
    ADD CONSTRAINT ck_reward_lane_referral_place_whole CHECK (
        (referral_time IS NULL) = (referral_reference IS NULL)),
    ADD CONSTRAINT ck_reward_lane_set_back_until_a_time CHECK (
        (failure_count = 0) = (retry_time IS NULL)),
    SET (fillfactor = 50);
ALTER TABLE delivery
    ADD COLUMN failure_count integer NOT NULL DEFAULT 0,
    ADD COLUMN try_time timestamptz NOT NULL DEFAULT now();
UPDATE delivery SET try_time = receive_time;
DROP INDEX ix_delivery_receive_time;
CREATE INDEX ix_delivery_receive_time ON delivery (receive_time);
DROP INDEX ix_delivery_retry;
CREATE INDEX ix_delivery_retry ON delivery (merchant_id, retry_time) WHERE state = 'failed';
CREATE TABLE exchange_rate (
    exchange_rate_id uuid NOT NULL,
    base_currency text NOT NULL,
    quote_currency text NOT NULL,
    rate numeric NOT NULL,
    observe_time timestamptz NOT NULL,
    source text NOT NULL,
    create_time timestamptz NOT NULL,
    announced boolean NOT NULL DEFAULT false,
    CONSTRAINT pk_exchange_rate PRIMARY KEY (exchange_rate_id),
    CONSTRAINT ck_exchange_rate_rate_positive CHECK (rate > 0),
    CONSTRAINT ck_exchange_rate_two_currencies CHECK (base_currency <> quote_currency)
);
-- Who a customer is follows from the orders that name them.
DELETE FROM identity_node WHERE kind = 'customer';
ALTER TABLE identity_node
    DROP CONSTRAINT ck_identity_node_kind_known,
    ADD CONSTRAINT ck_identity_node_kind_known CHECK (kind IN ('client', 'wallet'));
CREATE INDEX ix_shop_order_customer ON shop_order
    (merchant_id, customer_reference, first_report_time, order_reference)
    WHERE customer_reference IS NOT NULL AND COALESCE(claim_group_id, hint_group_id) IS NOT NULL;
DROP INDEX ix_referral_link_referee, ix_referral_link_referrer;
CREATE INDEX ix_referral_link_referee ON referral_link
    (referee_group_id, merchant_id, start_time, referral_link_id);
CREATE INDEX ix_referral_link_referrer ON referral_link
    (referrer_group_id, merchant_id, referral_link_id);
DROP INDEX ix_touchpoint_person;
CREATE INDEX ix_touchpoint_source ON touchpoint
    (merchant_id, identity_group_id, source, arrival_time, touchpoint_id);
CREATE INDEX ix_touchpoint_referrer ON touchpoint
    (merchant_id, identity_group_id, referrer_group_id, arrival_time)
    WHERE referrer_group_id IS NOT NULL;
CREATE INDEX ix_shop_order_due ON shop_order (merchant_id, due_time)
    WHERE due_time IS NOT NULL AND ready_round IS NULL;
CREATE INDEX ix_shop_order_ready ON shop_order
    (merchant_id, ready_round, order_time, order_reference) WHERE ready_round IS NOT NULL;
CREATE INDEX ix_shop_order_needed_rate ON shop_order (needed_rate, order_time)
    WHERE needed_rate IS NOT NULL AND order_time IS NOT NULL;
CREATE INDEX ix_shop_order_rates ON shop_order (merchant_id, needed_rate, order_time)
    WHERE needed_rate IS NOT NULL;
CREATE INDEX ix_interaction_due ON interaction (merchant_id, due_time)
    WHERE kind = 'referral' AND state = 'pending' AND ready_round IS NULL;
CREATE INDEX ix_interaction_ready ON interaction
    (merchant_id, ready_round, event_time, referral_reference) WHERE ready_round IS NOT NULL;
CREATE INDEX ix_interaction_state ON interaction
    (state COLLATE "C", merchant_id, interaction_id);
CREATE INDEX ix_reversal_open ON reversal (merchant_id, create_time, reversal_id)
    WHERE drain_time IS NULL;
CREATE INDEX ix_exchange_rate_pair ON exchange_rate
    (base_currency, quote_currency, observe_time, create_time, exchange_rate_id);
CREATE INDEX ix_exchange_rate_new ON exchange_rate (exchange_rate_id) WHERE NOT announced
"""


def upgrade() -> None:
    for script in (_ORDERS, _INTERACTIONS, _REST):
        for statement in script.split(";\n"):
            if statement.strip():
                op.execute(statement)
