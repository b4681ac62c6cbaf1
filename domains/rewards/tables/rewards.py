"""What people earned."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Numeric,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from domains.rewards.model import CancellationReason, RewardState, Role
from infrastructure.database.metadata import metadata
from infrastructure.database.rights import rows

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
    # These two serve list_of_merchant(): the ids grow with time. Only what names this collation can
    # be planned by them.
    Index(
        "ix_reward_state",
        "state",
        "merchant_id",
        "reward_id",
        postgresql_ops={"state": 'COLLATE "C"'},
    ),
    Index(
        "ix_reward_person_state",
        "identity_group_id",
        "merchant_id",
        "state",
        "reward_id",
        postgresql_ops={"state": 'COLLATE "C"'},
    ),
    Index("ix_reward_purchase", "purchase_id", postgresql_where=text("purchase_id IS NOT NULL")),
    info=rows(changed=("target_base_units", "state", "cancellation_reason")),
)
