"""The inbox: every signed message of a shop."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from domains.purchases.model import DeliveryState
from infrastructure.database.metadata import metadata
from infrastructure.database.rights import rows

delivery = Table(
    "delivery",
    metadata,
    Column("merchant_id", Uuid, primary_key=True),
    Column("delivery_id", Uuid, primary_key=True),
    Column("platform", Text, nullable=False),
    # The SHA-256 of what was signed: it tells deliveries apart. What the sender calls one does not.
    Column("signed_digest", LargeBinary, nullable=False),
    Column("event_reference", Text, nullable=False),
    Column("headers", JSONB, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),
    Column("failure", Text, nullable=False, server_default=""),
    # When its body first came.
    Column("body_time", DateTime(timezone=True), nullable=False),
    # Why it was passed over, and what was left out of it.
    Column("passed_over", Text, nullable=False, server_default=""),
    Column("notes", JSONB, nullable=False, server_default="[]"),
    # How often applying it failed although others of the shop that earn were applied meanwhile;
    # how often it failed at all; and when it was tried last.
    Column("try_count", Integer, nullable=False, server_default="1"),
    Column("failure_count", Integer, nullable=False, server_default="0"),
    Column("try_time", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("receive_time", DateTime(timezone=True), nullable=False),
    Column("retry_time", DateTime(timezone=True)),
    # A delivery that repeats another changes nothing.
    UniqueConstraint("merchant_id", "platform", "signed_digest", name="uq_delivery_signed"),
    CheckConstraint(
        "state IN ({})".format(", ".join(f"'{state}'" for state in DeliveryState)),
        name="state_known",
    ),
    CheckConstraint("(state = 'ignored') = (passed_over <> '')", name="ignored_for_a_reason"),
    CheckConstraint("(state = 'failed') = (retry_time IS NOT NULL)", name="failed_are_retried"),
    # Serves list_of_merchant(): the ids grow with time. Only what names this collation can be
    # planned by it.
    Index(
        "ix_delivery_state",
        "state",
        "merchant_id",
        "delivery_id",
        postgresql_ops={"state": 'COLLATE "C"'},
    ),
    # Serves whoever looks for what failed.
    Index(
        "ix_delivery_unapplied",
        "merchant_id",
        "delivery_id",
        postgresql_where=text("state IN ('failed', 'dead')"),
    ),
    # Serves list_due_merchants() and claim_failed().
    Index(
        "ix_delivery_retry",
        "merchant_id",
        "retry_time",
        postgresql_where=text("state = 'failed'"),
    ),
    # Serves find_shop(): has this very body come before, with a time that was yet to come?
    Index(
        "ix_delivery_ahead",
        "merchant_id",
        text("sha256(body)"),
        postgresql_where=text("""notes @> '[{"word": "taken_as_receipt"}]'"""),
    ),
    # Serves forget_old().
    Index("ix_delivery_receive_time", "receive_time"),
    info=rows(
        changed=(
            "state",
            "failure",
            "passed_over",
            "notes",
            "try_count",
            "failure_count",
            "try_time",
            "receive_time",
            "body_time",
            "retry_time",
        ),
        are_deleted=True,
    ),
)
