"""The main job."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "campaign",
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("rule_version", sa.Integer(), nullable=False),
        sa.Column("unlimited_assets", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("start_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expire_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("publish_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('draft', 'active', 'paused', 'archived')",
            name=op.f("ck_campaign_state_known"),
        ),
        sa.CheckConstraint(
            "state IN ('draft', 'archived') OR publish_time IS NOT NULL",
            name=op.f("ck_campaign_published_to_pay"),
        ),
        sa.CheckConstraint(
            "expire_time > start_time", name=op.f("ck_campaign_expires_after_its_start")
        ),
        sa.PrimaryKeyConstraint("campaign_id", name=op.f("pk_campaign")),
    )
    op.create_index(
        "ix_campaign_merchant", "campaign", ["merchant_id", "priority", "campaign_id"], unique=False
    )
    op.create_table(
        "decision",
        sa.Column("interaction_id", sa.Uuid(), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("decide_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("rule_version", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('granted', 'not_matched', 'not_active', 'nothing_to_pay', 'budget_refused')",
            name=op.f("ck_decision_outcome_known"),
        ),
        sa.PrimaryKeyConstraint(
            "interaction_id", "campaign_id", "decide_time", name=op.f("pk_decision")
        ),
        postgresql_partition_by="RANGE (decide_time)",
    )
    op.create_table(
        "delivery",
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("event_reference", sa.Text(), nullable=False),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("failure", sa.Text(), server_default="", nullable=False),
        sa.Column("try_count", sa.Integer(), server_default="1", nullable=False),
        sa.Column("receive_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retry_time", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'failed') = (retry_time IS NOT NULL)",
            name=op.f("ck_delivery_failed_are_retried"),
        ),
        sa.CheckConstraint(
            "state IN ('applied', 'ignored', 'failed', 'dead')",
            name=op.f("ck_delivery_state_known"),
        ),
        sa.PrimaryKeyConstraint("merchant_id", "delivery_id", name=op.f("pk_delivery")),
        sa.UniqueConstraint("merchant_id", "platform", "event_reference", name="uq_delivery_event"),
    )
    op.create_index(
        "ix_delivery_receive_time",
        "delivery",
        ["receive_time"],
        unique=False,
        postgresql_using="brin",
    )
    op.create_index(
        "ix_delivery_unapplied",
        "delivery",
        ["merchant_id", "delivery_id"],
        unique=False,
        postgresql_where=sa.text("state IN ('failed', 'dead')"),
    )
    op.create_index(
        "ix_delivery_retry",
        "delivery",
        ["retry_time"],
        unique=False,
        postgresql_where=sa.text("state = 'failed'"),
    )
    op.create_table(
        "identity_group",
        sa.Column("identity_group_id", sa.Uuid(), nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("identity_group_id", name=op.f("pk_identity_group")),
    )
    op.create_table(
        "interaction",
        sa.Column("interaction_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("event_reference", sa.Text(), nullable=False),
        sa.Column("identity_group_id", sa.Uuid(), nullable=False),
        sa.Column("purchase_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("event_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("try_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("wait_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("obstacle", sa.Text(), server_default="", nullable=False),
        sa.Column("decide_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.CheckConstraint(
            "(kind = 'purchase') = (purchase_id IS NOT NULL)",
            name=op.f("ck_interaction_purchases_named"),
        ),
        sa.CheckConstraint(
            "(state = 'decided') = (decide_time IS NOT NULL)",
            name=op.f("ck_interaction_decided_at_a_time"),
        ),
        sa.CheckConstraint(
            "kind IN ('referral', 'purchase')", name=op.f("ck_interaction_kind_known")
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'decided', 'cancelled', 'dead')",
            name=op.f("ck_interaction_state_known"),
        ),
        sa.PrimaryKeyConstraint("interaction_id", name=op.f("pk_interaction")),
        sa.UniqueConstraint("merchant_id", "kind", "event_reference", name="uq_interaction_event"),
    )
    op.create_index(
        "ix_interaction_dead",
        "interaction",
        ["merchant_id", "interaction_id"],
        unique=False,
        postgresql_where=sa.text("state = 'dead'"),
    )
    op.create_index(
        "ix_interaction_due",
        "interaction",
        ["merchant_id", "due_time"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "ix_interaction_lane",
        "interaction",
        ["merchant_id", "event_time", "event_reference"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_table(
        "ledger_unit",
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("decimals", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("merchant_id", "unit", name=op.f("pk_ledger_unit")),
    )
    op.create_table(
        "merchant",
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("token_chain_id", sa.BigInteger(), nullable=False),
        sa.Column("token_address", sa.Text(), nullable=False),
        sa.Column("token_decimals", sa.SmallInteger(), nullable=False),
        sa.Column("peg_currency", sa.Text(), nullable=False),
        sa.Column("look_back", sa.Interval(), nullable=False),
        sa.Column("reward_delay", sa.Interval(), nullable=False),
        sa.Column("attribution_model", sa.Text(), nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "attribution_model IN ('first_touch', 'last_touch')",
            name=op.f("ck_merchant_attribution_model_known"),
        ),
        sa.CheckConstraint("look_back > interval '0'", name=op.f("ck_merchant_look_back_positive")),
        sa.CheckConstraint(
            "reward_delay >= interval '0'", name=op.f("ck_merchant_reward_delay_not_negative")
        ),
        sa.CheckConstraint(
            "octet_length(product_id) = 32", name=op.f("ck_merchant_product_id_is_a_hash")
        ),
        sa.PrimaryKeyConstraint("merchant_id", name=op.f("pk_merchant")),
        sa.UniqueConstraint("domain", name=op.f("uq_merchant_domain")),
        sa.UniqueConstraint("product_id", name=op.f("uq_merchant_product_id")),
    )
    op.create_table(
        "referral_link",
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("referral_link_id", sa.Uuid(), nullable=False),
        sa.Column("referrer_group_id", sa.Uuid(), nullable=False),
        sa.Column("referee_group_id", sa.Uuid(), nullable=False),
        sa.Column("start_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "end_reason IN ('replaced')", name=op.f("ck_referral_link_end_reason_known")
        ),
        sa.CheckConstraint(
            "(end_time IS NULL) = (end_reason IS NULL)",
            name=op.f("ck_referral_link_ended_for_a_reason"),
        ),
        sa.CheckConstraint(
            "end_time >= start_time", name=op.f("ck_referral_link_ends_after_its_start")
        ),
        sa.CheckConstraint(
            "referrer_group_id <> referee_group_id",
            name=op.f("ck_referral_link_nobody_refers_themselves"),
        ),
        sa.PrimaryKeyConstraint("merchant_id", "referral_link_id", name=op.f("pk_referral_link")),
    )
    op.create_index(
        "ix_referral_link_referee",
        "referral_link",
        ["merchant_id", "referee_group_id", "start_time"],
        unique=False,
    )
    op.create_index(
        "ix_referral_link_referrer",
        "referral_link",
        ["merchant_id", "referrer_group_id", "referral_link_id"],
        unique=False,
    )
    op.create_index(
        "uq_referral_link_active",
        "referral_link",
        ["merchant_id", "referee_group_id"],
        unique=True,
        postgresql_where=sa.text("end_time IS NULL"),
    )
    op.create_table(
        "repeated_call",
        sa.Column("principal", sa.LargeBinary(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.Column(
            "create_time",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("principal", "method", "request_id", name=op.f("pk_repeated_call")),
    )
    op.create_index("ix_repeated_call_create_time", "repeated_call", ["create_time"], unique=False)
    op.create_table(
        "reversal",
        sa.Column("reversal_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("event_reference", sa.Text(), nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("drain_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("reversal_id", name=op.f("pk_reversal")),
        sa.UniqueConstraint("merchant_id", "event_reference", name="uq_reversal_event"),
    )
    op.create_index(
        "ix_reversal_open",
        "reversal",
        ["merchant_id", "reversal_id"],
        unique=False,
        postgresql_where=sa.text("drain_time IS NULL"),
    )
    op.create_table(
        "reward_lane",
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("next_sequence", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("held", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("merchant_id", name=op.f("pk_reward_lane")),
    )
    op.create_table(
        "shop_order",
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("order_reference", sa.Text(), nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("purchase_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("event_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("body_hash", sa.LargeBinary(), nullable=True),
        sa.Column("order_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "order_time_stated", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
        sa.Column("content_key", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("customer_reference", sa.Text(), nullable=True),
        sa.Column("token_digest", sa.LargeBinary(), nullable=True),
        sa.Column("total", sa.Numeric(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("items", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("generation", sa.Integer(), server_default="1", nullable=False),
        sa.Column("voided", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("identity_group_id", sa.Uuid(), nullable=True),
        sa.Column("link", sa.Text(), nullable=True),
        sa.Column("link_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "claim_digests", postgresql.ARRAY(sa.LargeBinary()), server_default="{}", nullable=False
        ),
        sa.Column("claim_groups", postgresql.ARRAY(sa.Uuid()), server_default="{}", nullable=False),
        sa.Column(
            "claim_times",
            postgresql.ARRAY(sa.DateTime(timezone=True)),
            server_default="{}",
            nullable=False,
        ),
        sa.CheckConstraint(
            "link IN ('claim', 'client', 'customer')", name=op.f("ck_shop_order_link_known")
        ),
        sa.CheckConstraint(
            "order_reference <> ''", name=op.f("ck_shop_order_order_reference_present")
        ),
        sa.CheckConstraint(
            "state <> 'confirmed' OR (total IS NOT NULL AND currency IS NOT NULL)",
            name=op.f("ck_shop_order_confirmed_orders_have_a_total"),
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'confirmed', 'cancelled', 'refunded')",
            name=op.f("ck_shop_order_state_known"),
        ),
        sa.CheckConstraint(
            "cardinality(claim_digests) = cardinality(claim_groups) AND cardinality(claim_digests) = cardinality(claim_times)",
            name=op.f("ck_shop_order_claims_whole"),
        ),
        sa.CheckConstraint(
            "num_nulls(identity_group_id, link, link_time) IN (0, 3)",
            name=op.f("ck_shop_order_linked_whole"),
        ),
        sa.CheckConstraint(
            "num_nulls(purchase_id, state, event_time, body_hash, order_time, token_digest, items) IN (0, 7)",
            name=op.f("ck_shop_order_reported_whole"),
        ),
        sa.CheckConstraint("total >= 0", name=op.f("ck_shop_order_total_not_negative")),
        sa.PrimaryKeyConstraint("merchant_id", "order_reference", name=op.f("pk_shop_order")),
        sa.UniqueConstraint("purchase_id", name=op.f("uq_shop_order_purchase_id")),
    )
    op.create_index(
        "ix_shop_order_purchase",
        "shop_order",
        ["merchant_id", "purchase_id"],
        unique=False,
        postgresql_where=sa.text("purchase_id IS NOT NULL"),
    )
    op.create_index(
        "ix_shop_order_waiting",
        "shop_order",
        ["create_time"],
        unique=False,
        postgresql_where=sa.text("purchase_id IS NULL"),
    )
    op.create_table(
        "touchpoint",
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("touchpoint_id", sa.Uuid(), nullable=False),
        sa.Column("identity_group_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("referrer_group_id", sa.Uuid(), nullable=True),
        sa.Column("landing_url", sa.Text(), nullable=False),
        sa.Column("utm", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("arrival_time", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "source = 'referral_link' OR referrer_group_id IS NULL",
            name=op.f("ck_touchpoint_referrers_come_by_link"),
        ),
        sa.CheckConstraint(
            "source IN ('referral_link', 'paid_ad', 'direct')",
            name=op.f("ck_touchpoint_source_known"),
        ),
        sa.PrimaryKeyConstraint("merchant_id", "touchpoint_id", name=op.f("pk_touchpoint")),
    )
    op.create_index(
        "ix_touchpoint_person",
        "touchpoint",
        ["merchant_id", "identity_group_id", "arrival_time"],
        unique=False,
    )
    op.create_table(
        "account",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("owner", sa.Uuid(), nullable=False),
        sa.Column("balance", sa.Numeric(precision=78, scale=0), server_default="0", nullable=False),
        sa.CheckConstraint(
            "CASE WHEN kind = 'campaign_granted' THEN balance <= 0 ELSE balance >= 0 END",
            name=op.f("ck_account_balance_on_its_side"),
        ),
        sa.CheckConstraint(
            "kind IN ('campaign_granted', 'recipient_pending')", name=op.f("ck_account_kind_known")
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id", "unit"],
            ["ledger_unit.merchant_id", "ledger_unit.unit"],
            name=op.f("fk_account_merchant_id_unit"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("account_id", "merchant_id", "unit", name=op.f("pk_account")),
        sa.UniqueConstraint("owner", "kind", "merchant_id", "unit", name="uq_account_owner"),
        postgresql_with={"fillfactor": 80},
    )
    op.create_table(
        "budget_item",
        sa.Column("budget_item_id", sa.Uuid(), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("unit_decimals", sa.SmallInteger(), nullable=False),
        sa.Column("limit_base_units", sa.Numeric(precision=78, scale=0), nullable=False),
        sa.Column("window_kind", sa.Text(), nullable=False),
        sa.Column("window_duration", sa.Interval(), nullable=True),
        sa.Column("time_zone", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(window_kind = 'duration') = (window_duration IS NOT NULL)",
            name=op.f("ck_budget_item_durations_have_a_length"),
        ),
        sa.CheckConstraint(
            "(window_kind = 'month') = (time_zone IS NOT NULL)",
            name=op.f("ck_budget_item_months_have_a_zone"),
        ),
        sa.CheckConstraint(
            "window_kind IN ('all', 'duration', 'month')",
            name=op.f("ck_budget_item_window_kind_known"),
        ),
        sa.CheckConstraint("limit_base_units > 0", name=op.f("ck_budget_item_limit_positive")),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaign.campaign_id"],
            name=op.f("fk_budget_item_campaign_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("budget_item_id", name=op.f("pk_budget_item")),
        sa.UniqueConstraint("campaign_id", "label", name="uq_budget_item_label"),
    )
    op.create_table(
        "campaign_rule_version",
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("rule", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"],
            ["campaign.campaign_id"],
            name=op.f("fk_campaign_rule_version_campaign_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("campaign_id", "version", name=op.f("pk_campaign_rule_version")),
    )
    op.create_table(
        "identity_node",
        sa.Column("identity_node_id", sa.Uuid(), nullable=False),
        sa.Column("identity_group_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=True),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(kind = 'wallet') = (merchant_id IS NULL)",
            name=op.f("ck_identity_node_wallets_have_no_merchant"),
        ),
        sa.CheckConstraint(
            "kind IN ('client', 'customer', 'wallet')", name=op.f("ck_identity_node_kind_known")
        ),
        sa.CheckConstraint("value <> ''", name=op.f("ck_identity_node_value_present")),
        sa.ForeignKeyConstraint(
            ["identity_group_id"],
            ["identity_group.identity_group_id"],
            name=op.f("fk_identity_node_identity_group_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("identity_node_id", name=op.f("pk_identity_node")),
        sa.UniqueConstraint(
            "kind",
            "value",
            "merchant_id",
            name="uq_identity_node_identifier",
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_index(
        "ix_identity_node_group",
        "identity_node",
        ["identity_group_id", "identity_node_id"],
        unique=False,
    )
    op.create_index(
        "uq_identity_node_wallet",
        "identity_node",
        ["identity_group_id"],
        unique=True,
        postgresql_where=sa.text("kind = 'wallet'"),
    )
    op.create_table(
        "merchant_webhook",
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("sealed_key", sa.LargeBinary(), nullable=False),
        sa.Column("key_suffix", sa.Text(), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "platform IN ('custom')", name=op.f("ck_merchant_webhook_platform_known")
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id"],
            ["merchant.merchant_id"],
            name=op.f("fk_merchant_webhook_merchant_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("merchant_id", name=op.f("pk_merchant_webhook")),
    )
    op.create_table(
        "reward",
        sa.Column("reward_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("interaction_id", sa.Uuid(), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("definition_index", sa.SmallInteger(), nullable=False),
        sa.Column("depth", sa.SmallInteger(), nullable=True),
        sa.Column("identity_group_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("purchase_id", sa.Uuid(), nullable=True),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("granted_base_units", sa.Numeric(precision=78, scale=0), nullable=False),
        sa.Column("target_base_units", sa.Numeric(precision=78, scale=0), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("cancellation_reason", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("event_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(state = 'cancelled') = (cancellation_reason IS NOT NULL)",
            name=op.f("ck_reward_cancelled_for_a_reason"),
        ),
        sa.CheckConstraint(
            "cancellation_reason IN ('refund')", name=op.f("ck_reward_cancellation_reason_known")
        ),
        sa.CheckConstraint(
            "role IN ('referrer', 'referee', 'user')", name=op.f("ck_reward_role_known")
        ),
        sa.CheckConstraint(
            "state <> 'cancelled' OR target_base_units = 0",
            name=op.f("ck_reward_cancelled_is_nothing"),
        ),
        sa.CheckConstraint("state IN ('pending', 'cancelled')", name=op.f("ck_reward_state_known")),
        sa.CheckConstraint("granted_base_units > 0", name=op.f("ck_reward_granted_positive")),
        sa.CheckConstraint(
            "target_base_units BETWEEN 0 AND granted_base_units",
            name=op.f("ck_reward_target_within_granted"),
        ),
        sa.ForeignKeyConstraint(
            ["interaction_id"],
            ["interaction.interaction_id"],
            name=op.f("fk_reward_interaction_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("reward_id", name=op.f("pk_reward")),
        sa.UniqueConstraint(
            "interaction_id",
            "campaign_id",
            "definition_index",
            "depth",
            name="uq_reward_identity",
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_index("ix_reward_merchant", "reward", ["merchant_id", "reward_id"], unique=False)
    op.create_index(
        "ix_reward_person",
        "reward",
        ["identity_group_id", "merchant_id", "reward_id"],
        unique=False,
    )
    op.create_index(
        "ix_reward_purchase",
        "reward",
        ["purchase_id"],
        unique=False,
        postgresql_where=sa.text("purchase_id IS NOT NULL"),
    )
    op.create_table(
        "budget_window",
        sa.Column("budget_item_id", sa.Uuid(), nullable=False),
        sa.Column("start_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "used_base_units", sa.Numeric(precision=78, scale=0), server_default="0", nullable=False
        ),
        sa.Column("refused_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "refused_base_units",
            sa.Numeric(precision=78, scale=0),
            server_default="0",
            nullable=False,
        ),
        sa.CheckConstraint(
            "start_time < end_time", name=op.f("ck_budget_window_ends_after_its_start")
        ),
        sa.CheckConstraint("used_base_units >= 0", name=op.f("ck_budget_window_used_not_negative")),
        sa.ForeignKeyConstraint(
            ["budget_item_id"],
            ["budget_item.budget_item_id"],
            name=op.f("fk_budget_window_budget_item_id"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("budget_item_id", "start_time", name=op.f("pk_budget_window")),
    )
    op.create_table(
        "transfer",
        sa.Column("transfer_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("debit", sa.Uuid(), nullable=False),
        sa.Column("credit", sa.Uuid(), nullable=False),
        sa.Column("base_units", sa.Numeric(precision=78, scale=0), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("cause_id", sa.Uuid(), nullable=False),
        sa.Column("reward_id", sa.Uuid(), nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('grant', 'refund')", name=op.f("ck_transfer_kind_known")),
        sa.CheckConstraint("base_units > 0", name=op.f("ck_transfer_base_units_positive")),
        sa.CheckConstraint("debit <> credit", name=op.f("ck_transfer_two_sides")),
        sa.ForeignKeyConstraint(
            ["credit", "merchant_id", "unit"],
            ["account.account_id", "account.merchant_id", "account.unit"],
            name="fk_transfer_credit",
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["debit", "merchant_id", "unit"],
            ["account.account_id", "account.merchant_id", "account.unit"],
            name="fk_transfer_debit",
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("transfer_id", name=op.f("pk_transfer")),
        sa.UniqueConstraint("kind", "cause_id", "reward_id", name="uq_transfer_cause"),
    )
    op.create_table(
        "budget_entry",
        sa.Column("reward_id", sa.Uuid(), nullable=False),
        sa.Column("budget_item_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("cause_id", sa.Uuid(), nullable=False),
        sa.Column("start_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("base_units", sa.Numeric(precision=78, scale=0), nullable=False),
        sa.CheckConstraint(
            "kind IN ('consume', 'release')", name=op.f("ck_budget_entry_kind_known")
        ),
        sa.CheckConstraint("base_units > 0", name=op.f("ck_budget_entry_base_units_positive")),
        sa.ForeignKeyConstraint(
            ["budget_item_id", "start_time"],
            ["budget_window.budget_item_id", "budget_window.start_time"],
            name=op.f("fk_budget_entry_budget_item_id_start_time"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint(
            "reward_id", "budget_item_id", "kind", "cause_id", name=op.f("pk_budget_entry")
        ),
    )
    # Takes what no month's partition takes, so that nothing is ever refused for want of one.
    op.execute("CREATE TABLE decision_default PARTITION OF decision DEFAULT")
