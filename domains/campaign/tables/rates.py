"""What currencies were worth in each other."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Numeric,
    Table,
    Text,
    Uuid,
    text,
)

from infrastructure.database.metadata import metadata
from infrastructure.database.rights import rows

# What one unit of a currency was worth in another, as somebody observed it. Only appended.
exchange_rate = Table(
    "exchange_rate",
    metadata,
    Column("exchange_rate_id", Uuid, primary_key=True),
    Column("base_currency", Text, nullable=False),
    Column("quote_currency", Text, nullable=False),
    Column("rate", Numeric, nullable=False),
    Column("observe_time", DateTime(timezone=True), nullable=False),
    Column("source", Text, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    # Whether the orders that waited for it have heard of it.
    Column("announced", Boolean, nullable=False, server_default=text("false")),
    CheckConstraint("rate > 0", name="rate_positive"),
    CheckConstraint("base_currency <> quote_currency", name="two_currencies"),
    # Serves rates_as_of(): the newest observation of a pair before a time.
    Index(
        "ix_exchange_rate_pair",
        "base_currency",
        "quote_currency",
        "observe_time",
        # Of two observations of one instant the one that was added later counts. Not by the ids,
        # which are of the clocks of hosts.
        "create_time",
        "exchange_rate_id",
    ),
    # Serves next_unannounced().
    Index("ix_exchange_rate_new", "exchange_rate_id", postgresql_where=text("NOT announced")),
    info=rows(changed=("announced",)),
)
