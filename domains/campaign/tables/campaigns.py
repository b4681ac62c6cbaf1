"""Campaigns and their rules."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from domains.campaign.model import CampaignState
from infrastructure.database.metadata import metadata
from infrastructure.database.rights import rows

campaign = Table(
    "campaign",
    metadata,
    Column("campaign_id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("name", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("rule_version", Integer, nullable=False),
    Column("unlimited_assets", ARRAY(Text), nullable=False),
    Column("start_time", DateTime(timezone=True)),
    Column("expire_time", DateTime(timezone=True)),
    Column("publish_time", DateTime(timezone=True)),
    Column("create_time", DateTime(timezone=True), nullable=False),
    Column("update_time", DateTime(timezone=True), nullable=False),
    CheckConstraint(
        "state IN ({})".format(", ".join(f"'{state}'" for state in CampaignState)),
        name="state_known",
    ),
    CheckConstraint(
        "state IN ('draft', 'archived') OR publish_time IS NOT NULL", name="published_to_pay"
    ),
    CheckConstraint("expire_time > start_time", name="expires_after_its_start"),
    # Serves list_campaigns() and the rules of a merchant's events.
    Index("ix_campaign_merchant", "merchant_id", "priority", "campaign_id"),
    # Drafts are deleted.
    info=rows(
        changed=(
            "name",
            "state",
            "priority",
            "rule_version",
            "unlimited_assets",
            "start_time",
            "expire_time",
            "publish_time",
            "update_time",
        ),
        are_deleted=True,
    ),
)

campaign_rule_version = Table(
    "campaign_rule_version",
    metadata,
    Column(
        "campaign_id", ForeignKey("campaign.campaign_id", ondelete="RESTRICT"), primary_key=True
    ),
    Column("version", Integer, primary_key=True),
    Column("rule", JSONB, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    # Of drafts.
    info=rows(changed=("rule",), are_deleted=True),
)
