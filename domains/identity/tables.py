"""The tables of people."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)

from domains.identity.model import NodeKind
from infrastructure.database.metadata import metadata
from infrastructure.database.rights import only_appended, rows

identity_group = Table(
    "identity_group",
    metadata,
    Column("identity_group_id", Uuid, primary_key=True),
    Column("create_time", DateTime(timezone=True), nullable=False),
    info=only_appended(),
)

identity_node = Table(
    "identity_node",
    metadata,
    Column("identity_node_id", Uuid, primary_key=True),
    Column(
        "identity_group_id",
        ForeignKey("identity_group.identity_group_id", ondelete="RESTRICT"),
        nullable=False,
    ),
    Column("kind", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("merchant_id", Uuid),
    Column("create_time", DateTime(timezone=True), nullable=False),
    # What links call a browser: random, so that it tells nothing of the value, which is a secret.
    Column("share_id", Uuid, nullable=False, server_default=func.gen_random_uuid(), unique=True),
    # Wallets have no merchant, and a wallet belongs to one group all the same.
    UniqueConstraint(
        "kind",
        "value",
        "merchant_id",
        name="uq_identity_node_identifier",
        postgresql_nulls_not_distinct=True,
    ),
    CheckConstraint(f"kind IN ('{NodeKind.CLIENT}', '{NodeKind.WALLET}')", name="kind_known"),
    CheckConstraint("(kind = 'wallet') = (merchant_id IS NULL)", name="wallets_have_no_merchant"),
    CheckConstraint("value <> ''", name="value_present"),
    # Serves list_nodes().
    Index("ix_identity_node_group", "identity_group_id", "identity_node_id"),
    # Two wallets never meet in one group. Serves wallets_of() as well.
    Index(
        "uq_identity_node_wallet",
        "identity_group_id",
        unique=True,
        postgresql_where=text("kind = 'wallet'"),
    ),
    # Never to another one: an upsert writes it anew, to be told of a twin.
    info=rows(changed=("value",)),
)
