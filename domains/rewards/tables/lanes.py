"""The lanes in which a merchant's money moves, and what waits there to be taken back."""

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

from domains.rewards.model import LanePhase
from infrastructure.database.metadata import metadata
from infrastructure.database.rights import rows

# One row a merchant: whoever moves its money holds this row.
#
# What is due is decided in rounds. A round takes in everything that is due when it begins, then
# walks through that in the order of the lane; its place stands here. So no look passes what was
# decided before, although an old snapshot may keep its dead rows.
reward_lane = Table(
    "reward_lane",
    metadata,
    Column("merchant_id", Uuid, primary_key=True),
    Column("next_sequence", BigInteger, nullable=False, server_default="1"),
    Column("held", Boolean, nullable=False, server_default=text("false")),
    Column("phase", Text, nullable=False, server_default=LanePhase.IDLE.value),
    Column("round", BigInteger, nullable=False, server_default="0"),
    # Due times up to this belong to the round.
    Column("round_time", DateTime(timezone=True)),
    # Up to where due times were looked through.
    Column("promoted_time", DateTime(timezone=True)),
    # The last order and the last referral of the round that were dealt with.
    Column("order_time", DateTime(timezone=True)),
    Column("order_reference", Text(collation="C")),
    Column("referral_time", DateTime(timezone=True)),
    Column("referral_reference", Text(collation="C")),
    # Set back because a turn failed as a whole: how often in a row, how much the last one of them
    # tried, until when, and why.
    Column("failure_count", Integer, nullable=False, server_default="0"),
    Column("failed_size", Integer, nullable=False, server_default="1"),
    Column("retry_time", DateTime(timezone=True)),
    Column("obstacle", Text, nullable=False, server_default=""),
    CheckConstraint(
        "phase IN ({})".format(", ".join(f"'{phase}'" for phase in LanePhase)), name="phase_known"
    ),
    CheckConstraint("(order_time IS NULL) = (order_reference IS NULL)", name="order_place_whole"),
    CheckConstraint(
        "(referral_time IS NULL) = (referral_reference IS NULL)", name="referral_place_whole"
    ),
    CheckConstraint("(failure_count = 0) = (retry_time IS NULL)", name="set_back_until_a_time"),
    postgresql_with={"fillfactor": 50},
    info=rows(written_once=("merchant_id",)),
)

# What webhooks leave for the holder of the lane: an order was taken back.
reversal = Table(
    "reversal",
    metadata,
    Column("reversal_id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("order_reference", Text(collation="C"), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    # Set aside because dealing with it failed alone: how often, and until when.
    Column("try_count", Integer, nullable=False, server_default="0"),
    Column("retry_time", DateTime(timezone=True)),
    Column("drain_time", DateTime(timezone=True)),
    # Its place among the decisions of the merchant.
    Column("sequence", BigInteger),
    UniqueConstraint("merchant_id", "order_reference", "generation", name="uq_reversal_order"),
    # Serves list_open() and whoever asks when a lane has something to do.
    Index(
        "ix_reversal_open",
        "merchant_id",
        "create_time",
        "reversal_id",
        postgresql_where=text("drain_time IS NULL"),
    ),
    info=rows(changed=("try_count", "retry_time", "drain_time", "sequence")),
)
