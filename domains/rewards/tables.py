"""Events, decisions and rewards of people; the lanes in which they are decided."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    Numeric,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from domains.rewards.model import (
    AccountKind,
    CancellationReason,
    InteractionKind,
    InteractionState,
    Outcome,
    RewardState,
    Role,
    TransferKind,
)
from infrastructure.database.metadata import metadata

reward_lane = Table(
    "reward_lane",
    metadata,
    Column("merchant_id", Uuid, primary_key=True),
    Column("next_sequence", BigInteger, nullable=False, server_default="1"),
    Column("held", Boolean, nullable=False, server_default=text("false")),
)

interaction = Table(
    "interaction",
    metadata,
    Column("interaction_id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("event_reference", Text, nullable=False),
    Column("identity_group_id", Uuid, nullable=False),
    Column("purchase_id", Uuid),
    Column("state", Text, nullable=False, server_default="pending"),
    Column("event_time", DateTime(timezone=True), nullable=False),
    Column("due_time", DateTime(timezone=True), nullable=False),
    Column("try_count", Integer, nullable=False, server_default="0"),
    Column("wait_count", Integer, nullable=False, server_default="0"),
    Column("obstacle", Text, nullable=False, server_default=""),
    Column("decide_time", DateTime(timezone=True)),
    # What the decisions of this event saw: who was credited, the chain, the rate.
    Column("facts", JSONB),
    # An event is recorded once, however often it is reported.
    UniqueConstraint("merchant_id", "kind", "event_reference", name="uq_interaction_event"),
    CheckConstraint(
        "kind IN ({})".format(", ".join(f"'{kind}'" for kind in InteractionKind)), name="kind_known"
    ),
    CheckConstraint(
        "state IN ({})".format(", ".join(f"'{state}'" for state in InteractionState)),
        name="state_known",
    ),
    CheckConstraint("(kind = 'purchase') = (purchase_id IS NOT NULL)", name="purchases_named"),
    CheckConstraint("(state = 'decided') = (decide_time IS NOT NULL)", name="decided_at_a_time"),
    # Serves claim_due(): the order of a lane.
    Index(
        "ix_interaction_lane",
        "merchant_id",
        "event_time",
        "event_reference",
        postgresql_where=text("state = 'pending'"),
    ),
    # Serves waiting_lanes(): the first due event of each merchant.
    Index(
        "ix_interaction_due", "merchant_id", "due_time", postgresql_where=text("state = 'pending'")
    ),
)

# What webhooks leave for the holder of the lane: an order was taken back.
reversal = Table(
    "reversal",
    metadata,
    Column("reversal_id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("event_reference", Text, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    Column("drain_time", DateTime(timezone=True)),
    # Its place among the decisions of the merchant.
    Column("sequence", BigInteger),
    UniqueConstraint("merchant_id", "event_reference", name="uq_reversal_event"),
    # Serves claim_reversals() and waiting_lanes().
    Index(
        "ix_reversal_open",
        "merchant_id",
        "reversal_id",
        postgresql_where=text("drain_time IS NULL"),
    ),
)

# A partition a month; the maintenance job makes them ahead and drops them after 400 days.
decision = Table(
    "decision",
    metadata,
    Column("interaction_id", Uuid, primary_key=True),
    Column("campaign_id", Uuid, primary_key=True),
    Column("decide_time", DateTime(timezone=True), primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("rule_version", Integer, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("details", JSONB, nullable=False),
    CheckConstraint(
        "outcome IN ({})".format(", ".join(f"'{outcome}'" for outcome in Outcome)),
        name="outcome_known",
    ),
    postgresql_partition_by="RANGE (decide_time)",
)

reward = Table(
    "reward",
    metadata,
    Column("reward_id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("interaction_id", Uuid, nullable=False),
    Column("campaign_id", Uuid, nullable=False),
    Column("definition_index", SmallInteger, nullable=False),
    # Empty: not shared along a chain.
    Column("depth", SmallInteger),
    Column("identity_group_id", Uuid, nullable=False),
    Column("role", Text, nullable=False),
    Column("purchase_id", Uuid),
    Column("unit", Text, nullable=False),
    Column("granted_base_units", Numeric(78, 0), nullable=False),
    Column("target_base_units", Numeric(78, 0), nullable=False),
    Column("state", Text, nullable=False),
    Column("cancellation_reason", Text),
    Column("description", Text, nullable=False),
    Column("event_time", DateTime(timezone=True), nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    # What a reward is. Never the person: groups merge.
    UniqueConstraint(
        "interaction_id",
        "campaign_id",
        "definition_index",
        "depth",
        name="uq_reward_identity",
        postgresql_nulls_not_distinct=True,
    ),
    ForeignKeyConstraint(["interaction_id"], ["interaction.interaction_id"], ondelete="RESTRICT"),
    CheckConstraint("granted_base_units > 0", name="granted_positive"),
    CheckConstraint(
        "target_base_units BETWEEN 0 AND granted_base_units", name="target_within_granted"
    ),
    CheckConstraint(
        "state IN ({})".format(", ".join(f"'{state}'" for state in RewardState)), name="state_known"
    ),
    CheckConstraint(
        "role IN ({})".format(", ".join(f"'{role}'" for role in Role)), name="role_known"
    ),
    CheckConstraint(
        "cancellation_reason IN ({})".format(", ".join(f"'{each}'" for each in CancellationReason)),
        name="cancellation_reason_known",
    ),
    CheckConstraint(
        "(state = 'cancelled') = (cancellation_reason IS NOT NULL)", name="cancelled_for_a_reason"
    ),
    CheckConstraint("state <> 'cancelled' OR target_base_units = 0", name="cancelled_is_nothing"),
    # Serves list_rewards(): the ids grow with time.
    Index("ix_reward_merchant", "merchant_id", "reward_id"),
    Index("ix_reward_person", "identity_group_id", "merchant_id", "reward_id"),
    Index("ix_reward_purchase", "purchase_id", postgresql_where=text("purchase_id IS NOT NULL")),
)

# A token or a soft asset at one merchant; its decimals as they were when it was first used.
ledger_unit = Table(
    "ledger_unit",
    metadata,
    Column("merchant_id", Uuid, primary_key=True),
    Column("unit", Text, primary_key=True),
    Column("decimals", SmallInteger, nullable=False),
)

account = Table(
    "account",
    metadata,
    # The key is what transfers point to, so that none can cross merchants or units.
    Column("account_id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, primary_key=True),
    Column("unit", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("owner", Uuid, nullable=False),
    # Credits less debits. Kept in the transaction of every transfer.
    Column("balance", Numeric(78, 0), nullable=False, server_default="0"),
    UniqueConstraint("owner", "kind", "merchant_id", "unit", name="uq_account_owner"),
    ForeignKeyConstraint(
        ["merchant_id", "unit"],
        ["ledger_unit.merchant_id", "ledger_unit.unit"],
        ondelete="RESTRICT",
    ),
    CheckConstraint(
        "kind IN ({})".format(", ".join(f"'{kind}'" for kind in AccountKind)), name="kind_known"
    ),
    CheckConstraint(
        "CASE WHEN kind = 'campaign_granted' THEN balance <= 0 ELSE balance >= 0 END",
        name="balance_on_its_side",
    ),
    postgresql_with={"fillfactor": 80},
)

transfer = Table(
    "transfer",
    metadata,
    Column("transfer_id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("unit", Text, nullable=False),
    Column("debit", Uuid, nullable=False),
    Column("credit", Uuid, nullable=False),
    Column("base_units", Numeric(78, 0), nullable=False),
    # What caused it. A cause happens once: a second transfer of it ends the transaction.
    Column("kind", Text, nullable=False),
    Column("cause_id", Uuid, nullable=False),
    Column("reward_id", Uuid, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    UniqueConstraint("kind", "cause_id", "reward_id", name="uq_transfer_cause"),
    ForeignKeyConstraint(
        ["debit", "merchant_id", "unit"],
        ["account.account_id", "account.merchant_id", "account.unit"],
        name="fk_transfer_debit",
        ondelete="RESTRICT",
    ),
    ForeignKeyConstraint(
        ["credit", "merchant_id", "unit"],
        ["account.account_id", "account.merchant_id", "account.unit"],
        name="fk_transfer_credit",
        ondelete="RESTRICT",
    ),
    CheckConstraint("base_units > 0", name="base_units_positive"),
    CheckConstraint("debit <> credit", name="two_sides"),
    CheckConstraint(
        "kind IN ({})".format(", ".join(f"'{kind}'" for kind in TransferKind)), name="kind_known"
    ),
)
