-- What a simulated database keeps beside the product's own tables.

-- Each version of each order's row, in the order in which they were written: whoever writes the
-- next one waits for the row's lock.
CREATE TABLE order_version (
    number bigserial PRIMARY KEY,
    merchant_id uuid NOT NULL,
    order_reference text NOT NULL,
    writer text NOT NULL,
    written timestamptz NOT NULL,
    -- 'written', 'deleted', or 'claim deleted': a claim of this group with this token is gone.
    what text NOT NULL DEFAULT 'written',
    token_digest bytea,
    state text,
    generation integer,
    voided boolean,
    identity_group_id uuid,
    link text,
    order_time timestamptz,
    decided_generation integer,
    fixed_generation integer,
    is_fixed boolean,
    interaction_generation integer,
    due_time timestamptz,
    ready_round bigint,
    needed_rate text
);

-- Orders that cannot be decided or, if they are kept, be taken back until they are mended.
CREATE TABLE poisoned (merchant_id uuid NOT NULL, order_reference text NOT NULL, kept boolean);

-- States of campaigns and what was decided, numbered in the order in which they happened: who
-- decides holds the campaign against a change.
CREATE TABLE campaign_moment (
    number bigserial PRIMARY KEY,
    campaign_id uuid NOT NULL,
    state text,
    interaction_id uuid,
    outcome text,
    details jsonb
);

-- Callers hold the row a little longer than they need, so that others meet them there.
CREATE FUNCTION record_order_version() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    writer text := current_setting('application_name');
BEGIN
    INSERT INTO order_version (merchant_id, order_reference, writer, written, state, generation,
        voided, identity_group_id, link, order_time, decided_generation, fixed_generation, is_fixed,
        interaction_generation, due_time, ready_round, needed_rate)
    VALUES (NEW.merchant_id, NEW.order_reference, writer, clock_timestamp(), NEW.state,
        NEW.generation, NEW.voided, NEW.identity_group_id, NEW.link, NEW.order_time,
        NEW.decided_generation, NEW.fixed_generation, NEW.fixed_group_id IS NOT NULL,
        NEW.interaction_generation, NEW.due_time, NEW.ready_round, NEW.needed_rate);
    IF writer LIKE 'caller%' AND random() < 0.4 THEN
        PERFORM pg_sleep(random() * 0.008);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER record_order_version AFTER INSERT OR UPDATE ON shop_order
    FOR EACH ROW EXECUTE FUNCTION record_order_version();

CREATE FUNCTION record_deletion() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'shop_order' THEN
        INSERT INTO order_version (merchant_id, order_reference, writer, written, what)
        VALUES (OLD.merchant_id, OLD.order_reference, current_setting('application_name'),
                clock_timestamp(), 'deleted');
    ELSE
        INSERT INTO order_version (merchant_id, order_reference, writer, written, what,
                                   token_digest, identity_group_id)
        VALUES (OLD.merchant_id, OLD.order_reference, current_setting('application_name'),
                clock_timestamp(), 'claim deleted', OLD.token_digest, OLD.identity_group_id);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER record_deletion AFTER DELETE ON shop_order
    FOR EACH ROW EXECUTE FUNCTION record_deletion();
CREATE TRIGGER record_deletion AFTER DELETE ON order_claim
    FOR EACH ROW EXECUTE FUNCTION record_deletion();

CREATE FUNCTION refuse_poisoned() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM poisoned WHERE merchant_id = NEW.merchant_id
                                      AND order_reference = NEW.order_reference
                                      AND kept = (TG_TABLE_NAME = 'reversal')) THEN
        RAISE EXCEPTION 'poisoned';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse_poisoned BEFORE UPDATE ON interaction
    FOR EACH ROW WHEN (NEW.state = 'decided' AND OLD.state <> 'decided')
    EXECUTE FUNCTION refuse_poisoned();
CREATE TRIGGER refuse_poisoned BEFORE UPDATE ON reversal
    FOR EACH ROW WHEN (NEW.drain_time IS NOT NULL AND OLD.drain_time IS NULL)
    EXECUTE FUNCTION refuse_poisoned();

CREATE FUNCTION record_campaign_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO campaign_moment (campaign_id, state) VALUES (NEW.campaign_id, NEW.state);
    RETURN NULL;
END $$;
CREATE TRIGGER record_campaign_state AFTER INSERT OR UPDATE ON campaign
    FOR EACH ROW EXECUTE FUNCTION record_campaign_state();

CREATE FUNCTION record_decision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO campaign_moment (campaign_id, interaction_id, outcome, details)
    VALUES (NEW.campaign_id, NEW.interaction_id, NEW.outcome, NEW.details);
    RETURN NULL;
END $$;
CREATE TRIGGER record_decision AFTER INSERT ON decision
    FOR EACH ROW EXECUTE FUNCTION record_decision();

-- A batch takes a moment, in which others come; sometimes one in which they come and go.
CREATE FUNCTION take_a_moment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('application_name') LIKE 'worker%' AND random() < 0.5 THEN
        PERFORM pg_sleep(random() * CASE WHEN random() < 0.6 THEN 0.1 ELSE 0.02 END);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER take_a_moment AFTER INSERT ON decision
    FOR EACH STATEMENT EXECUTE FUNCTION take_a_moment();
