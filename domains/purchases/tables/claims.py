"""Claims that wait for a report with their token."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    Table,
    Text,
    Uuid,
)

from infrastructure.database.metadata import metadata
from infrastructure.database.rights import rows

# Claims whose token no report has carried yet. Invented ones crowd nobody out.
order_claim = Table(
    "order_claim",
    metadata,
    Column("merchant_id", Uuid, primary_key=True),
    Column("order_reference", Text(collation="C"), primary_key=True),
    Column("token_digest", LargeBinary, primary_key=True),
    Column("identity_group_id", Uuid, primary_key=True),
    # The earliest time at which this person showed this token.
    Column("claim_time", DateTime(timezone=True), nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    ForeignKeyConstraint(
        ["merchant_id", "order_reference"],
        ["shop_order.merchant_id", "shop_order.order_reference"],
        ondelete="RESTRICT",
    ),
    # Serves forget_claims().
    Index("ix_order_claim_create_time", "create_time"),
    info=rows(changed=("claim_time", "create_time"), are_deleted=True),
)
