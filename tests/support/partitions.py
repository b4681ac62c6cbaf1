"""Partitions of a time that a test chooses."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text

from infrastructure.database.transaction import Transaction

_KEEP = text("SELECT keep_decision_months_as_of(:moment)")
_NO_TIMEOUTS = text("SET LOCAL statement_timeout = 0"), text("SET LOCAL transaction_timeout = 0")


async def keep_months_as_of(tx: Transaction, now: datetime) -> None:
    """What a worker has done at a time, done by the owner: nobody else may name a time."""
    for statement in _NO_TIMEOUTS:
        await tx.execute(statement)
    await tx.execute(_KEEP, {"moment": now})
