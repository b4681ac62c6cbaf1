"""The table of arrivals."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, DateTime, Index, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from domains.attribution.model import Source
from infrastructure.database.metadata import metadata
from infrastructure.database.rights import only_appended

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
        "(source = 'referral_link') = (referrer_group_id IS NOT NULL)", name="links_are_somebodys"
    ),
    # Serves the look-back: the newest touch of one person through each door before a time.
    Index(
        "ix_touchpoint_source",
        "merchant_id",
        "identity_group_id",
        "source",
        "arrival_time",
        "touchpoint_id",
    ),
    # Serves the look-back: the newest touch of one person by one referrer before a time.
    Index(
        "ix_touchpoint_referrer",
        "merchant_id",
        "identity_group_id",
        "referrer_group_id",
        "arrival_time",
        postgresql_where=text("referrer_group_id IS NOT NULL"),
    ),
    info=only_appended(),
)
