"""The table of keys that stored secrets are sealed with: their fingerprints, never the keys."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Column, DateTime, LargeBinary, Table, func, text

from infrastructure.database.metadata import metadata
from infrastructure.database.rights import rows
from infrastructure.database.transaction import Transaction

sealing_key = Table(
    "sealing_key",
    metadata,
    Column("fingerprint", LargeBinary, primary_key=True),
    Column("create_time", DateTime(timezone=True), nullable=False, server_default=func.now()),
    info=rows(changed=("create_time",), are_deleted=True),
)

_LIST = text("SELECT fingerprint FROM sealing_key")
_ADD = text("INSERT INTO sealing_key (fingerprint) VALUES (:fingerprint) ON CONFLICT DO NOTHING")
# The row is written even where it is there: that holds it until the transaction ends.
_HOLD = text(
    """
    INSERT INTO sealing_key (fingerprint) VALUES (:fingerprint)
    ON CONFLICT (fingerprint) DO UPDATE SET create_time = sealing_key.create_time
    """
)
_FORGET_OTHERS = text("DELETE FROM sealing_key WHERE fingerprint <> ALL(:fingerprints)")


async def list_fingerprints(tx: Transaction) -> frozenset[bytes]:
    """Of every key that something may be sealed with."""
    return frozenset((await tx.execute(_LIST)).scalars())


async def hold_fingerprint(tx: Transaction, fingerprint: bytes) -> None:
    """Notes the key that this transaction seals with; nobody forgets it before its end."""
    await tx.execute(_HOLD, {"fingerprint": fingerprint})


async def forget_other_fingerprints(tx: Transaction, fingerprints: Collection[bytes]) -> int:
    """Forgets all keys but these, once who seals with others has ended; returns how many.

    Until this transaction ends, nobody seals with them.
    """
    return (await tx.execute(_FORGET_OTHERS, {"fingerprints": [*fingerprints]})).rowcount


async def add_fingerprint(tx: Transaction, fingerprint: bytes) -> None:
    """Notes that secrets may be sealed with a key from now on."""
    await tx.execute(_ADD, {"fingerprint": fingerprint})
