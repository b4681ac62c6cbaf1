"""Double entry: units, accounts and the transfers between them."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Numeric,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)

from domains.rewards.model import AccountKind, TransferKind
from infrastructure.database.metadata import metadata
from infrastructure.database.rights import only_appended, rows

# A token or a soft asset at one merchant; its decimals as they were when it was first used.
ledger_unit = Table(
    "ledger_unit",
    metadata,
    Column("merchant_id", Uuid, primary_key=True),
    Column("unit", Text, primary_key=True),
    Column("decimals", SmallInteger, nullable=False),
    info=only_appended(),
)

account = Table(
    "account",
    metadata,
    # The key is what transfers point to, so that none can cross merchants or units.
    Column("account_id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, primary_key=True),
    Column("unit", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("owner", Uuid, nullable=False),
    # Credits less debits. Kept in the transaction of every transfer.
    Column("balance", Numeric(78, 0), nullable=False, server_default="0"),
    UniqueConstraint("owner", "kind", "merchant_id", "unit", name="uq_account_owner"),
    ForeignKeyConstraint(
        ["merchant_id", "unit"],
        ["ledger_unit.merchant_id", "ledger_unit.unit"],
        ondelete="RESTRICT",
    ),
    CheckConstraint(
        "kind IN ({})".format(", ".join(f"'{kind}'" for kind in AccountKind)), name="kind_known"
    ),
    CheckConstraint(
        "CASE WHEN kind = 'campaign_granted' THEN balance <= 0 ELSE balance >= 0 END",
        name="balance_on_its_side",
    ),
    postgresql_with={"fillfactor": 80},
    info=rows(changed=("balance",)),
)

transfer = Table(
    "transfer",
    metadata,
    Column("transfer_id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("unit", Text, nullable=False),
    Column("debit", Uuid, nullable=False),
    Column("credit", Uuid, nullable=False),
    Column("base_units", Numeric(78, 0), nullable=False),
    # What caused it. A cause happens once: a second transfer of it ends the transaction.
    Column("kind", Text, nullable=False),
    Column("cause_id", Uuid, nullable=False),
    Column("reward_id", Uuid, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    UniqueConstraint("kind", "cause_id", "reward_id", name="uq_transfer_cause"),
    ForeignKeyConstraint(
        ["debit", "merchant_id", "unit"],
        ["account.account_id", "account.merchant_id", "account.unit"],
        name="fk_transfer_debit",
        ondelete="RESTRICT",
    ),
    ForeignKeyConstraint(
        ["credit", "merchant_id", "unit"],
        ["account.account_id", "account.merchant_id", "account.unit"],
        name="fk_transfer_credit",
        ondelete="RESTRICT",
    ),
    CheckConstraint("base_units > 0", name="base_units_positive"),
    CheckConstraint("debit <> credit", name="two_sides"),
    CheckConstraint(
        "kind IN ({})".format(", ".join(f"'{kind}'" for kind in TransferKind)), name="kind_known"
    ),
    info=only_appended(),
)
