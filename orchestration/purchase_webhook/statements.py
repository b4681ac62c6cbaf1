"""The statement of a delivery: it decides and writes everything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import orjson
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import IntegrityError

from domains.purchases.model import Delivery, OrderEvent, OrderState, token_digest
from domains.purchases.model.evidence import TOKENS_MAX
from infrastructure.database.failures import sqlstate
from infrastructure.database.sql_files import quoted, sql_file
from infrastructure.database.transaction import Transaction
from vocabulary.ids import IdentityGroupId, MerchantId, PurchaseId

_NOT_NULL_VIOLATION = "23502"

_APPLY = sql_file(
    __file__,
    "apply_delivery.sql",
    states=quoted(OrderState),
    void_states=quoted(state for state in OrderState if state.is_void),
    tokens_max=TOKENS_MAX,
).bindparams(bindparam("headers", type_=JSONB), bindparam("notes", type_=JSONB))
_LOCK_ORDER = text(
    """
    SELECT FROM shop_order
    WHERE merchant_id = :merchant_id AND order_reference = :order_reference
    FOR NO KEY UPDATE
    """
)


class Applied(StrEnum):
    """What became of a delivery."""

    APPLIED = "applied"
    IGNORED = "ignored"
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewIds:
    """The ids of everything that a delivery may make."""

    node_id: UUID
    group_id: IdentityGroupId
    purchase_id: PurchaseId
    interaction_id: UUID
    reversal_id: UUID


async def apply(
    tx: Transaction, delivery: Delivery, event: OrderEvent, ids: NewIds, *, now: datetime
) -> Applied | None:
    """Writes a delivery and all its effects, or nothing if it was applied before.

    None: the order was claimed while this waited for its row; again, after `lock_order`. The
    locks are the order's row and those of the rows that are made.
    """
    parameters = {
        "merchant_id": delivery.merchant_id,
        "platform": delivery.platform,
        "delivery_id": delivery.delivery_id,
        "signed_digest": delivery.signed_digest,
        "event_reference": delivery.event_reference,
        "headers": delivery.headers,
        "body": delivery.body,
        "receive_time": delivery.receive_time,
        "body_time": delivery.body_time,
        "now": now,
        "client_id": event.client_id,
        "new_node_id": ids.node_id,
        "new_group_id": ids.group_id,
        "customer_reference": event.customer_reference,
        "order_reference": event.order_reference,
        "new_purchase_id": ids.purchase_id,
        "state": event.state,
        "event_time": event.event_time,
        "body_hash": event.body_hash,
        "order_time": event.order_time,
        "order_time_stated": event.order_time_stated,
        "content_key": event.content_key,
        "hint_key": event.guard_key,
        "token_digest": token_digest(event.token),
        "total": event.total,
        "currency": event.currency,
        "subtotal": event.subtotal,
        "notes": [note.to_document() for note in event.notes],
        "items": None
        if event.items is None
        else orjson.dumps([item.to_document() for item in event.items]).decode(),
        "new_interaction_id": ids.interaction_id,
        "new_reversal_id": ids.reversal_id,
    }
    try:
        row = (await tx.execute(_APPLY, parameters)).one()
    except IntegrityError as failure:
        if sqlstate(failure) == _NOT_NULL_VIOLATION and "try_count" in str(failure.orig):
            return Applied.REPEATED
        raise
    if row.is_undecided:
        return None
    if row.is_applied is None:
        return Applied.REPEATED
    return Applied.APPLIED if row.is_applied else Applied.IGNORED


async def lock_order(tx: Transaction, merchant_id: MerchantId, order_reference: str) -> None:
    """Locks an order's row, so that what is read next is as of now. Waits for whoever has it."""
    await tx.execute(_LOCK_ORDER, {"merchant_id": merchant_id, "order_reference": order_reference})
