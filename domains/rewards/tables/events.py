"""What may earn, and what was decided of it."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
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
from infrastructure.database.rights import only_appended, rows

# `domains.rewards.model.event_reference` says the same; a test compares the two.
EVENT_REFERENCE = (
    "CASE kind WHEN 'purchase' THEN 'purchase:' || replace(order_reference, '#', '##')"
    " || CASE WHEN generation > 1 THEN '#' || generation::text ELSE '' END"
    " ELSE referral_reference END"
)

# What an interaction is about says which one it is: the order's life, or the person who was
# brought. A purchase has neither buyer nor time of its own; both are the order's.
interaction = Table(
    "interaction",
    metadata,
    Column("interaction_id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    # A purchase: which life of which order.
    Column("order_reference", Text(collation="C")),
    Column("generation", Integer),
    # A referral: who was brought, by which link, and since when that holds. The name tells
    # referrals of one instant apart, the same however often history is imported.
    Column("identity_group_id", Uuid),
    Column("referral_link_id", Uuid),
    Column("event_time", DateTime(timezone=True)),
    Column("referral_reference", Text(collation="C")),
    # The name of what happened: `purchase:<order>`, with `#2` for its second life, or the
    # referral's.
    Column("event_reference", Text(collation="C"), Computed(EVENT_REFERENCE, persisted=True)),
    Column("state", Text, nullable=False, server_default="pending"),
    Column("due_time", DateTime(timezone=True), nullable=False),
    # The round that a referral is decided in. A purchase's stands in its order.
    Column("ready_round", BigInteger),
    Column("try_count", Integer, nullable=False, server_default="0"),
    Column("wait_count", Integer, nullable=False, server_default="0"),
    Column("obstacle", Text, nullable=False, server_default=""),
    # The rate that it waits for, as in `USD/EUR`.
    Column("needed_rate", Text),
    Column("decide_time", DateTime(timezone=True)),
    # What the decisions of this event saw: who was credited, the chain, the rate.
    Column("facts", JSONB),
    # An order earns once in each of its lives, and a person is brought to a merchant once.
    UniqueConstraint(
        "merchant_id", "order_reference", "generation", name="uq_interaction_purchase"
    ),
    # One of the two alone begins with the merchant: else PostgreSQL may take this one for a way
    # to all of a merchant's interactions.
    UniqueConstraint("identity_group_id", "merchant_id", name="uq_interaction_referral"),
    CheckConstraint(
        "kind IN ({})".format(", ".join(f"'{kind}'" for kind in InteractionKind)), name="kind_known"
    ),
    CheckConstraint(
        "state IN ({})".format(", ".join(f"'{state}'" for state in InteractionState)),
        name="state_known",
    ),
    CheckConstraint(
        "num_nulls(order_reference, generation) = CASE kind WHEN 'purchase' THEN 0 ELSE 2 END",
        name="purchases_name_their_order",
    ),
    CheckConstraint(
        "num_nulls(identity_group_id, referral_link_id, event_time, referral_reference)"
        " = CASE kind WHEN 'referral' THEN 0 ELSE 4 END",
        name="referrals_name_their_link",
    ),
    CheckConstraint("(state = 'decided') = (decide_time IS NOT NULL)", name="decided_at_a_time"),
    CheckConstraint("needed_rate IS NULL OR state = 'pending'", name="rates_for_what_waits"),
    # Serves promote_referrals() and whoever asks when a lane has something to do.
    Index(
        "ix_interaction_due",
        "merchant_id",
        "due_time",
        postgresql_where=text("kind = 'referral' AND state = 'pending' AND ready_round IS NULL"),
    ),
    # Serves list_ready(): the order of a lane, a round at a time.
    Index(
        "ix_interaction_ready",
        "merchant_id",
        "ready_round",
        "event_time",
        "referral_reference",
        postgresql_where=text("ready_round IS NOT NULL"),
    ),
    # Serves list_of_merchant(), list_dead() and get_lane(). Only what names this collation can be
    # planned by it: others would take it for a way to all that is pending, or all of a merchant's.
    Index(
        "ix_interaction_state",
        "state",
        "merchant_id",
        "interaction_id",
        postgresql_ops={"state": 'COLLATE "C"'},
    ),
    info=rows(
        changed=(
            "state",
            "due_time",
            "ready_round",
            "try_count",
            "wait_count",
            "obstacle",
            "needed_rate",
            "decide_time",
            "facts",
        )
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
    info=only_appended(),
)
