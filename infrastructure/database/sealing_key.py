"""The table of keys that stored secrets are sealed with: their fingerprints, never the keys."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, LargeBinary, Table, func, text

from infrastructure.database.metadata import metadata
from infrastructure.database.transaction import Transaction

sealing_key = Table(
    "sealing_key",
    metadata,
    Column("fingerprint", LargeBinary, primary_key=True),
    Column("create_time", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

_LIST = text("SELECT fingerprint FROM sealing_key")
_ADD = text("INSERT INTO sealing_key (fingerprint) VALUES (:fingerprint) ON CONFLICT DO NOTHING")


async def list_fingerprints(tx: Transaction) -> frozenset[bytes]:
    """Of every key that something may be sealed with."""
    return frozenset((await tx.execute(_LIST)).scalars())


async def add_fingerprint(tx: Transaction, fingerprint: bytes) -> None:
    """Notes that secrets may be sealed with a key from now on."""
    await tx.execute(_ADD, {"fingerprint": fingerprint})
