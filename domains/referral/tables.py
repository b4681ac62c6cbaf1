"""The table of referral links."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, DateTime, Index, Table, Text, Uuid, text

from domains.referral.model import EndReason
from infrastructure.database.metadata import metadata
from infrastructure.database.rights import rows

referral_link = Table(
    "referral_link",
    metadata,
    Column("merchant_id", Uuid, primary_key=True),
    Column("referral_link_id", Uuid, primary_key=True),
    Column("referrer_group_id", Uuid, nullable=False),
    Column("referee_group_id", Uuid, nullable=False),
    # The link counts from start_time, included, to end_time, excluded.
    Column("start_time", DateTime(timezone=True), nullable=False),
    Column("end_time", DateTime(timezone=True)),
    Column("end_reason", Text),
    Column("create_time", DateTime(timezone=True), nullable=False),
    CheckConstraint("referrer_group_id <> referee_group_id", name="nobody_refers_themselves"),
    CheckConstraint("end_time >= start_time", name="ends_after_its_start"),
    CheckConstraint("(end_time IS NULL) = (end_reason IS NULL)", name="ended_for_a_reason"),
    CheckConstraint(
        "end_reason IN ({})".format(", ".join(f"'{each}'" for each in EndReason)),
        name="end_reason_known",
    ),
    # One referrer at a time.
    Index(
        "uq_referral_link_active",
        "merchant_id",
        "referee_group_id",
        unique=True,
        postgresql_where=text("end_time IS NULL"),
    ),
    # Serves the chain as of a time. The key alone begins with the merchant: else PostgreSQL may
    # take either index for a way to all of a merchant's links.
    Index(
        "ix_referral_link_referee",
        "referee_group_id",
        "merchant_id",
        "start_time",
        "referral_link_id",
    ),
    # Serves list_of_referrer().
    Index("ix_referral_link_referrer", "referrer_group_id", "merchant_id", "referral_link_id"),
    info=rows(changed=("end_time", "end_reason")),
)
