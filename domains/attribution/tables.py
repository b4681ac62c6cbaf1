"""The table of arrivals."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, DateTime, Index, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from domains.attribution.model import Source
from infrastructure.database.metadata import metadata

touchpoint = Table(
    "touchpoint",
    metadata,
    # The ids grow with time, so the key lists a merchant's arrivals in their order.
    Column("merchant_id", Uuid, primary_key=True),
    Column("touchpoint_id", Uuid, primary_key=True),
    Column("identity_group_id", Uuid, nullable=False),
    Column("source", Text, nullable=False),
    Column("referrer_group_id", Uuid),
    Column("landing_url", Text, nullable=False),
    Column("utm", JSONB),
    Column("arrival_time", DateTime(timezone=True), nullable=False),
    CheckConstraint(
        "source IN ({})".format(", ".join(f"'{source}'" for source in Source)), name="source_known"
    ),
    CheckConstraint(
        "source = 'referral_link' OR referrer_group_id IS NULL", name="referrers_come_by_link"
    ),
    # Serves the look-back: the touches of one person before a time.
    Index("ix_touchpoint_person", "merchant_id", "identity_group_id", "arrival_time"),
)
