"""Interactions as their rows stand, for tests of what reads and writes them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import insert, select

from domains.rewards.tables import interaction, reversal
from infrastructure.database.transaction import Transaction
from vocabulary.ids import InteractionId, MerchantId, ReversalId

HAPPENED = datetime(2025, 3, 1, 12, tzinfo=UTC)


async def add_purchase(
    tx: Transaction, merchant_id: MerchantId, order_reference: str = "A-1", **columns: object
) -> InteractionId:
    """Stores what may earn in an order's first life, due when it happened."""
    row: dict[str, object] = {
        "interaction_id": uuid4(),
        "merchant_id": merchant_id,
        "kind": "purchase",
        "order_reference": order_reference,
        "generation": 1,
        "due_time": HAPPENED,
    }
    await tx.execute(insert(interaction).values(row | columns))
    return InteractionId((row | columns)["interaction_id"])  # type: ignore[arg-type]


async def add_referral(
    tx: Transaction, merchant_id: MerchantId, name: str = "referral:a", **columns: object
) -> InteractionId:
    """Stores that somebody was brought, due when it happened."""
    row: dict[str, object] = {
        "interaction_id": uuid4(),
        "merchant_id": merchant_id,
        "kind": "referral",
        "identity_group_id": uuid4(),
        "referral_link_id": uuid4(),
        "event_time": HAPPENED,
        "referral_reference": name,
        "due_time": HAPPENED,
    }
    await tx.execute(insert(interaction).values(row | columns))
    return InteractionId((row | columns)["interaction_id"])  # type: ignore[arg-type]


async def read_event(tx: Transaction, interaction_id: InteractionId) -> Any:
    """An interaction's row."""
    found = await tx.execute(
        select(interaction).where(interaction.c.interaction_id == interaction_id)
    )
    return found.one()


async def add_reversal(
    tx: Transaction, merchant_id: MerchantId, *, order: str = "A-1", **columns: object
) -> ReversalId:
    """Stores that an order was taken back in its first life."""
    row: dict[str, object] = {
        "reversal_id": uuid4(),
        "merchant_id": merchant_id,
        "order_reference": order,
        "generation": 1,
        "create_time": HAPPENED,
    }
    await tx.execute(insert(reversal).values(row | columns))
    return ReversalId((row | columns)["reversal_id"])  # type: ignore[arg-type]


async def read_reversal(tx: Transaction, reversal_id: ReversalId) -> Any:
    """A reversal's row."""
    return (await tx.execute(select(reversal).where(reversal.c.reversal_id == reversal_id))).one()
