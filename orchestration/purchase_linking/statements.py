"""The statements of a claim: one, and a second one that counts what a decided order earned."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from infrastructure.database.sql_files import sql_file
from infrastructure.database.transaction import Transaction
from vocabulary.ids import IdentityGroupId, MerchantId, PurchaseId

_CLAIM = sql_file(__file__, "claim_order.sql")
_COUNT_REWARDS = text("SELECT count(*) FROM reward WHERE purchase_id = :purchase_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRow:
    """What a claim is written from."""

    merchant_id: MerchantId
    client_id: str
    order_reference: str
    token_digest: bytes
    event_time: datetime
    now: datetime
    new_node_id: UUID
    new_group_id: IdentityGroupId
    new_interaction_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """What a claim came to. Without a purchase it waits, or cannot win."""

    identity_group_id: IdentityGroupId
    purchase_id: PurchaseId | None
    reward_count: int


async def claim(tx: Transaction, row: ClaimRow) -> Claimed | None:
    """Writes everything of a claim. None: there is no such merchant, nothing is written.

    Locks the order's row and, in it, the claim's.
    """
    parameters = {
        "merchant_id": row.merchant_id,
        "client_id": row.client_id,
        "order_reference": row.order_reference,
        "token_digest": row.token_digest,
        "event_time": row.event_time,
        "now": row.now,
        "new_node_id": row.new_node_id,
        "new_group_id": row.new_group_id,
        "new_interaction_id": row.new_interaction_id,
    }
    found = (await tx.execute(_CLAIM, parameters)).one_or_none()
    if found is None:
        return None
    reward_count = 0
    if found.is_decided:
        # A statement of its own: the first one may have waited while they were written.
        counted = await tx.execute(_COUNT_REWARDS, {"purchase_id": found.purchase_id})
        reward_count = counted.scalar_one()
    return Claimed(
        identity_group_id=IdentityGroupId(found.identity_group_id),
        purchase_id=None if found.purchase_id is None else PurchaseId(found.purchase_id),
        reward_count=reward_count,
    )
