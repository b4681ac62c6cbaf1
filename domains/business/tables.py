"""The tables of merchants."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Interval,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    Uuid,
)

from domains.business.model import AttributionModel, Platform
from infrastructure.database.metadata import metadata
from infrastructure.database.rights import rows

merchant = Table(
    "merchant",
    metadata,
    Column("merchant_id", Uuid, primary_key=True),
    Column("product_id", LargeBinary, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("domain", Text, nullable=False, unique=True),
    Column("token_chain_id", BigInteger, nullable=False),
    Column("token_address", Text, nullable=False),
    Column("token_decimals", SmallInteger, nullable=False),
    Column("peg_currency", Text, nullable=False),
    Column("look_back", Interval, nullable=False),
    Column("reward_delay", Interval, nullable=False),
    Column("clock_tolerance", Interval, nullable=False),
    Column("attribution_model", Text, nullable=False),
    Column("create_time", DateTime(timezone=True), nullable=False),
    CheckConstraint(
        "attribution_model IN ({})".format(", ".join(f"'{each}'" for each in AttributionModel)),
        name="attribution_model_known",
    ),
    CheckConstraint("octet_length(product_id) = 32", name="product_id_is_a_hash"),
    CheckConstraint("look_back > interval '0'", name="look_back_positive"),
    CheckConstraint(
        "clock_tolerance >= interval '0' AND clock_tolerance <= interval '24 hours'",
        name="clock_tolerance_bounded",
    ),
    CheckConstraint("reward_delay >= interval '0'", name="reward_delay_not_negative"),
    info=rows(
        changed=(
            "name",
            "token_chain_id",
            "token_address",
            "token_decimals",
            "peg_currency",
            "look_back",
            "reward_delay",
            "clock_tolerance",
            "attribution_model",
        )
    ),
)

merchant_webhook = Table(
    "merchant_webhook",
    metadata,
    Column(
        "merchant_id", ForeignKey("merchant.merchant_id", ondelete="RESTRICT"), primary_key=True
    ),
    Column("platform", Text, nullable=False),
    # Encrypted with the process's key: a copy of the database signs nothing.
    Column("sealed_key", LargeBinary, nullable=False),
    Column("key_suffix", Text, nullable=False),
    Column("update_time", DateTime(timezone=True), nullable=False),
    # The key before it, which verifies as well until then.
    Column("previous_sealed_key", LargeBinary),
    Column("previous_key_suffix", Text),
    Column("previous_key_end_time", DateTime(timezone=True)),
    CheckConstraint(
        "num_nulls(previous_sealed_key, previous_key_suffix, previous_key_end_time) IN (0, 3)",
        name="previous_key_whole",
    ),
    CheckConstraint(
        "platform IN ({})".format(", ".join(f"'{each}'" for each in Platform)),
        name="platform_known",
    ),
    info=rows(
        changed=(
            "platform",
            "sealed_key",
            "key_suffix",
            "update_time",
            "previous_sealed_key",
            "previous_key_suffix",
            "previous_key_end_time",
        ),
        # When nobody can read a key any more.
        are_deleted=True,
    ),
)
