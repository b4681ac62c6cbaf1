"""Budgets, their windows, and what rewards took from them."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Interval,
    Numeric,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)

from domains.campaign.model import EntryKind, WindowKind
from infrastructure.database.metadata import metadata
from infrastructure.database.rights import only_appended, rows

budget_item = Table(
    "budget_item",
    metadata,
    Column("budget_item_id", Uuid, primary_key=True),
    Column("campaign_id", ForeignKey("campaign.campaign_id", ondelete="RESTRICT"), nullable=False),
    Column("position", SmallInteger, nullable=False),
    Column("label", Text, nullable=False),
    Column("asset", Text, nullable=False),
    # The asset's unit when the item was made; it is never denominated anew.
    Column("unit", Text, nullable=False),
    Column("unit_decimals", SmallInteger, nullable=False),
    Column("limit_base_units", Numeric(78, 0), nullable=False),
    # The highest limit that it has had: what is used may be above a limit that was lowered.
    Column("limit_ever_base_units", Numeric(78, 0), nullable=False),
    # The campaign's versions that it is part of. No last one: it is part of the newest.
    Column("first_version", Integer, nullable=False),
    Column("last_version", Integer),
    Column("window_kind", Text, nullable=False),
    Column("window_duration", Interval),
    Column("time_zone", Text),
    Index(
        "uq_budget_item_label",
        "campaign_id",
        "label",
        unique=True,
        postgresql_where=text("last_version IS NULL"),
    ),
    # Serves the reading of campaigns with their budgets.
    Index("ix_budget_item_campaign", "campaign_id", "position"),
    CheckConstraint("limit_ever_base_units >= limit_base_units", name="limit_ever_highest"),
    CheckConstraint("last_version >= first_version", name="lasts_from_its_first"),
    CheckConstraint("limit_base_units > 0", name="limit_positive"),
    CheckConstraint(
        "window_kind IN ({})".format(", ".join(f"'{kind}'" for kind in WindowKind)),
        name="window_kind_known",
    ),
    CheckConstraint(
        "(window_kind = 'duration') = (window_duration IS NOT NULL)", name="durations_have_a_length"
    ),
    CheckConstraint("(window_kind = 'month') = (time_zone IS NOT NULL)", name="months_have_a_zone"),
    # Those of drafts are deleted.
    info=rows(
        changed=("position", "limit_base_units", "limit_ever_base_units", "last_version"),
        are_deleted=True,
    ),
)

budget_window = Table(
    "budget_window",
    metadata,
    Column(
        "budget_item_id",
        ForeignKey("budget_item.budget_item_id", ondelete="RESTRICT"),
        primary_key=True,
    ),
    Column("start_time", DateTime(timezone=True), primary_key=True),
    Column("end_time", DateTime(timezone=True), nullable=False),
    Column("used_base_units", Numeric(78, 0), nullable=False, server_default="0"),
    Column("refused_count", Integer, nullable=False, server_default="0"),
    Column("refused_base_units", Numeric(78, 0), nullable=False, server_default="0"),
    CheckConstraint("used_base_units >= 0", name="used_not_negative"),
    CheckConstraint("start_time < end_time", name="ends_after_its_start"),
    info=rows(changed=("used_base_units", "refused_count", "refused_base_units")),
)

budget_entry = Table(
    "budget_entry",
    metadata,
    # A release names the consumption that it undoes by the same reward and item; `cause_id` is
    # the reward for a consumption and the reversal for a release.
    Column("reward_id", Uuid, primary_key=True),
    Column("budget_item_id", Uuid, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("cause_id", Uuid, primary_key=True),
    Column("start_time", DateTime(timezone=True), nullable=False),
    Column("base_units", Numeric(78, 0), nullable=False),
    ForeignKeyConstraint(
        ["budget_item_id", "start_time"],
        ["budget_window.budget_item_id", "budget_window.start_time"],
        ondelete="RESTRICT",
    ),
    CheckConstraint(
        "kind IN ({})".format(", ".join(f"'{kind}'" for kind in EntryKind)), name="kind_known"
    ),
    CheckConstraint("base_units > 0", name="base_units_positive"),
    info=only_appended(),
)
