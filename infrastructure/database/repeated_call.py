"""The table of calls that may be repeated. Written by `Database.transaction`."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Column, DateTime, Index, LargeBinary, Table, Text, Uuid, func, text

from infrastructure.database.metadata import metadata
from infrastructure.database.rights import rows
from infrastructure.database.transaction import Transaction

KEPT = timedelta(hours=24)

repeated_call = Table(
    "repeated_call",
    metadata,
    Column("principal", LargeBinary, primary_key=True),
    Column("method", Text, primary_key=True),
    Column("request_id", Uuid, primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    # Empty only inside of the transaction that makes the call.
    Column("answer", LargeBinary),
    Column("create_time", DateTime(timezone=True), nullable=False, server_default=func.now()),
    # Serves forget_old().
    Index("ix_repeated_call_create_time", "create_time"),
    info=rows(changed=("answer",), are_deleted=True),
)

_FORGET = text(
    """
    DELETE FROM repeated_call WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM repeated_call WHERE create_time < :before LIMIT :batch_size))
    """
)


async def forget_old(tx: Transaction, *, now: datetime, batch_size: int) -> int:
    """Forgets up to `batch_size` calls older than a day; returns how many."""
    result = await tx.execute(_FORGET, {"before": now - KEPT, "batch_size": batch_size})
    return result.rowcount
