"""Events in their lanes, what was decided of them, and what was taken back."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from domains.rewards.model import InteractionKind, InteractionState, Outcome
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
    # Serves get_lane() and whoever looks for what failed.
    Index(
        "ix_interaction_dead",
        "merchant_id",
        "interaction_id",
        postgresql_where=text("state = 'dead'"),
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
