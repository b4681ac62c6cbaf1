"""Events in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import DateTime, Text, Uuid

from domains.rewards.model import (
    Interaction,
    InteractionKind,
    InteractionState,
)
from infrastructure.database.transaction import Transaction
from vocabulary.ids import (
    IdentityGroupId,
    InteractionId,
    MerchantId,
    PurchaseId,
)

_COLUMNS = """interaction_id, merchant_id, kind, event_reference, identity_group_id, purchase_id,
    state, event_time, due_time, try_count, wait_count, obstacle, decide_time,
    CAST(facts -> 'chain' ->> 0 AS uuid) AS referrer_group_id"""

_CLAIM_DUE = text(
    f"""
    SELECT {_COLUMNS} FROM interaction
    WHERE merchant_id = :merchant_id AND state = 'pending' AND due_time <= :now
    ORDER BY event_time, event_reference
    LIMIT :batch_size
    FOR NO KEY UPDATE SKIP LOCKED
    """
)
_CLAIM_SOME = text(
    f"""
    SELECT {_COLUMNS} FROM interaction
    WHERE interaction_id = ANY(:interaction_ids) AND state = 'pending'
    ORDER BY event_time, event_reference
    FOR NO KEY UPDATE SKIP LOCKED
    """
).bindparams(bindparam("interaction_ids", type_=ARRAY(Uuid)))
_MARK_DECIDED = text(
    """
    UPDATE interaction
    SET state = 'decided', decide_time = :now, obstacle = '', facts = CAST(decided.facts AS jsonb)
    FROM unnest(:interaction_ids, :facts) AS decided (interaction_id, facts)
    WHERE interaction.interaction_id = decided.interaction_id
    """
).bindparams(bindparam("interaction_ids", type_=ARRAY(Uuid)), bindparam("facts", type_=ARRAY(Text)))
_POSTPONE = text(
    """
    UPDATE interaction
    SET due_time = waiting.due_time, obstacle = :obstacle, wait_count = wait_count + 1
    FROM unnest(:interaction_ids, :due_times) AS waiting (interaction_id, due_time)
    WHERE interaction.interaction_id = waiting.interaction_id AND state = 'pending'
    """
).bindparams(
    bindparam("interaction_ids", type_=ARRAY(Uuid)),
    bindparam("due_times", type_=ARRAY(DateTime(timezone=True))),
)
_FAIL = text(
    """
    UPDATE interaction
    SET try_count = try_count + 1, obstacle = :obstacle,
        due_time = COALESCE(CAST(:due_time AS timestamptz), due_time),
        state = CASE WHEN CAST(:due_time AS timestamptz) IS NULL THEN 'dead' ELSE state END
    WHERE interaction_id = :interaction_id AND state = 'pending'
    """
)
_CANCEL = text(
    """
    UPDATE interaction SET state = 'cancelled', obstacle = ''
    WHERE merchant_id = :merchant_id AND kind = 'purchase'
      AND event_reference = ANY(:event_references) AND state IN ('pending', 'dead')
    """
).bindparams(bindparam("event_references", type_=ARRAY(Text)))
_LIST = text(
    f"""
    SELECT {_COLUMNS} FROM interaction
    WHERE merchant_id = :merchant_id
      AND (CAST(:state AS text) IS NULL OR state = :state)
      AND (CAST(:after AS uuid) IS NULL OR interaction_id < :after)
    ORDER BY interaction_id DESC
    LIMIT :limit
    """
)
_FIND = text(
    f"""
    SELECT {_COLUMNS} FROM interaction
    WHERE merchant_id = :merchant_id AND interaction_id = :interaction_id
    """
)


class EventRepository:
    async def claim_due(
        self, tx: Transaction, merchant_id: MerchantId, *, now: datetime, limit: int
    ) -> Sequence[Interaction]:
        """Locks up to `limit` due events of a lane, in the order of the lane."""
        rows = await tx.execute(
            _CLAIM_DUE, {"merchant_id": merchant_id, "now": now, "batch_size": limit}
        )
        return [_interaction(row) for row in rows]

    async def claim_some(
        self, tx: Transaction, interaction_ids: Sequence[InteractionId]
    ) -> Sequence[Interaction]:
        """Locks these events, as far as they are still pending, in the order of the lane."""
        rows = await tx.execute(_CLAIM_SOME, {"interaction_ids": interaction_ids})
        return [_interaction(row) for row in rows]

    async def mark_decided(
        self,
        tx: Transaction,
        facts: Sequence[tuple[InteractionId, dict[str, object]]],
        *,
        now: datetime,
    ) -> None:
        await tx.execute(
            _MARK_DECIDED,
            {
                "interaction_ids": [interaction_id for interaction_id, _ in facts],
                "facts": [orjson.dumps(each).decode() for _, each in facts],
                "now": now,
            },
        )

    async def postpone(
        self,
        tx: Transaction,
        waits: Sequence[tuple[InteractionId, datetime]],
        *,
        obstacle: str,
    ) -> None:
        """Lets events wait, each until a time, for something from outside. Costs them no try."""
        await tx.execute(
            _POSTPONE,
            {
                "interaction_ids": [interaction_id for interaction_id, _ in waits],
                "due_times": [until for _, until in waits],
                "obstacle": obstacle,
            },
        )

    async def fail(
        self,
        tx: Transaction,
        interaction_id: InteractionId,
        *,
        retry_time: datetime | None,
        obstacle: str,
    ) -> None:
        """Sets an event aside until it is tried again; without a time it is dead."""
        await tx.execute(
            _FAIL,
            {"interaction_id": interaction_id, "due_time": retry_time, "obstacle": obstacle},
        )

    async def cancel(
        self, tx: Transaction, merchant_id: MerchantId, event_references: Sequence[str]
    ) -> None:
        """Cancels what is not decided yet of these events."""
        await tx.execute(
            _CANCEL, {"merchant_id": merchant_id, "event_references": event_references}
        )

    async def list_of_merchant(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        *,
        state: InteractionState | None,
        after: UUID | None,
        limit: int,
    ) -> Sequence[Interaction]:
        """A merchant's events, newest first."""
        rows = await tx.execute(
            _LIST, {"merchant_id": merchant_id, "state": state, "after": after, "limit": limit}
        )
        return [_interaction(row) for row in rows]

    async def find(
        self, tx: Transaction, merchant_id: MerchantId, interaction_id: InteractionId
    ) -> Interaction | None:
        row = (
            await tx.execute(_FIND, {"merchant_id": merchant_id, "interaction_id": interaction_id})
        ).one_or_none()
        return None if row is None else _interaction(row)


def _interaction(row: Any) -> Interaction:
    return Interaction(
        interaction_id=InteractionId(row.interaction_id),
        merchant_id=MerchantId(row.merchant_id),
        kind=InteractionKind(row.kind),
        event_reference=row.event_reference,
        identity_group_id=IdentityGroupId(row.identity_group_id),
        purchase_id=None if row.purchase_id is None else PurchaseId(row.purchase_id),
        state=InteractionState(row.state),
        event_time=row.event_time,
        due_time=row.due_time,
        try_count=row.try_count,
        wait_count=row.wait_count,
        obstacle=row.obstacle,
        decide_time=row.decide_time,
        referrer_group_id=None
        if row.referrer_group_id is None
        else IdentityGroupId(row.referrer_group_id),
    )
