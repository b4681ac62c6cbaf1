"""Interactions in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Integer, Text, Uuid

from domains.rewards.model import (
    Interaction,
    InteractionKind,
    InteractionState,
    Obstacle,
    OrderLife,
)
from domains.rewards.repository.lives import asked, to_life, to_lives
from infrastructure.database.bounds import FIRST_ID, LAST_ID
from infrastructure.database.sql_files import sql_file
from infrastructure.database.transaction import Transaction
from vocabulary.ids import IdentityGroupId, InteractionId, MerchantId, ReferralLinkId
from vocabulary.recording import IdRange

INTERACTION_COLUMNS = """interaction_id, merchant_id, kind, event_reference, order_reference,
    generation, identity_group_id, referral_link_id, event_time, state, due_time, try_count,
    wait_count, obstacle, needed_rate, decide_time,
    CAST(facts -> 'chain' ->> 0 AS uuid) AS referrer_group_id,
    CAST(facts ->> 'credit_time' AS timestamptz) AS credit_time"""

# Whoever changes an interaction holds its lane, so these lock nothing.
_LIST_OF_ORDERS = text(
    f"""
    SELECT {INTERACTION_COLUMNS}
    FROM unnest(:order_references) AS asked (asked_reference) CROSS JOIN LATERAL (
        SELECT * FROM interaction
        WHERE merchant_id = :merchant_id AND order_reference = asked_reference
        ORDER BY generation OFFSET 0
    ) AS known
    """
).bindparams(bindparam("order_references", type_=ARRAY(Text)))
_LIST_DECIDED = text(
    """
    SELECT asked_reference AS order_reference, asked_generation AS generation
    FROM unnest(:order_references, :generations) AS asked (asked_reference, asked_generation)
    CROSS JOIN LATERAL (
        SELECT state FROM interaction
        WHERE merchant_id = :merchant_id AND order_reference = asked_reference
          AND generation = asked_generation OFFSET 0
    ) AS known
    WHERE state = 'decided'
    """
).bindparams(
    bindparam("order_references", type_=ARRAY(Text)), bindparam("generations", type_=ARRAY(Integer))
)
_CANCEL = text(
    """
    UPDATE interaction SET state = 'cancelled', obstacle = '', needed_rate = NULL
    FROM unnest(:order_references, :generations) AS life (order_reference, generation)
    WHERE interaction.merchant_id = :merchant_id
      AND interaction.order_reference = ANY(:order_references)
      AND interaction.order_reference = life.order_reference
      AND interaction.generation = life.generation
      AND interaction.state IN ('pending', 'dead')
    RETURNING interaction.order_reference, interaction.generation
    """
).bindparams(
    bindparam("order_references", type_=ARRAY(Text)), bindparam("generations", type_=ARRAY(Integer))
)
_LIST_DEAD = text(
    f"""
    SELECT {INTERACTION_COLUMNS} FROM interaction
    WHERE (state COLLATE "C", merchant_id, interaction_id) >= ('dead', :merchant_id, :first_id)
      AND (state COLLATE "C", merchant_id, interaction_id) <= ('dead', :merchant_id, :last_id)
    ORDER BY state COLLATE "C", merchant_id, interaction_id LIMIT :batch_size
    """
)
_REVIVE = text(
    """
    UPDATE interaction SET state = 'pending', try_count = 0, due_time = :now
    WHERE interaction_id = ANY(:interaction_ids) AND state = 'dead'
    RETURNING interaction_id
    """
).bindparams(bindparam("interaction_ids", type_=ARRAY(Uuid)))
_LIST = sql_file(__file__, "list_interactions.sql", columns=INTERACTION_COLUMNS).bindparams(
    bindparam("states", type_=ARRAY(Text))
)
_FIND = text(
    f"""
    SELECT {INTERACTION_COLUMNS} FROM interaction
    WHERE merchant_id = :merchant_id AND interaction_id = :interaction_id
    """
)


class EventRepository:
    async def list_of_orders(
        self, tx: Transaction, merchant_id: MerchantId, order_references: Sequence[str]
    ) -> Sequence[Interaction]:
        """Every interaction of these orders, of each of their lives, in no order."""
        rows = await tx.execute(
            _LIST_OF_ORDERS, {"merchant_id": merchant_id, "order_references": order_references}
        )
        return [to_interaction(row) for row in rows]

    async def list_decided(
        self, tx: Transaction, merchant_id: MerchantId, lives: Sequence[OrderLife]
    ) -> set[OrderLife]:
        """Those of these lives of orders that are decided. Reads nothing else of them."""
        rows = await tx.execute(
            _LIST_DECIDED,
            {
                "merchant_id": merchant_id,
                **asked(lives),
            },
        )
        return to_lives(rows)

    async def cancel(
        self, tx: Transaction, merchant_id: MerchantId, lives: Sequence[OrderLife]
    ) -> Sequence[OrderLife]:
        """Cancels what is not decided yet of these lives of orders; returns of which."""
        rows = await tx.execute(
            _CANCEL,
            {
                "merchant_id": merchant_id,
                **asked(lives),
            },
        )
        return [to_life(row) for row in rows]

    async def list_dead(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        interaction_id: InteractionId | None,
        *,
        limit: int,
    ) -> Sequence[Interaction]:
        """Dead interactions of a merchant, the oldest first; only one if it is named."""
        rows = await tx.execute(
            _LIST_DEAD,
            {
                "merchant_id": merchant_id,
                "first_id": interaction_id or FIRST_ID,
                "last_id": interaction_id or LAST_ID,
                "batch_size": limit,
            },
        )
        return [to_interaction(row) for row in rows]

    async def revive(
        self, tx: Transaction, interaction_ids: Sequence[InteractionId], *, now: datetime
    ) -> int:
        """Has dead interactions decided again, from now on; returns how many."""
        revived = await tx.execute(_REVIVE, {"interaction_ids": interaction_ids, "now": now})
        return len(revived.all())

    async def list_of_merchant(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        *,
        state: InteractionState | None,
        within: IdRange,
        limit: int,
    ) -> Sequence[Interaction]:
        """A merchant's events with these ids, most recently recorded first."""
        rows = await tx.execute(
            _LIST,
            {
                "merchant_id": merchant_id,
                "states": list(InteractionState) if state is None else [state],
                "first_id": within.first,
                "end_id": within.end,
                "limit": limit,
            },
        )
        return [to_interaction(row) for row in rows]

    async def find(
        self, tx: Transaction, merchant_id: MerchantId, interaction_id: InteractionId
    ) -> Interaction | None:
        row = (
            await tx.execute(_FIND, {"merchant_id": merchant_id, "interaction_id": interaction_id})
        ).one_or_none()
        return None if row is None else to_interaction(row)


def to_interaction(row: Any) -> Interaction:
    """The interaction of a row that has `INTERACTION_COLUMNS`."""
    referrer, person, link = row.referrer_group_id, row.identity_group_id, row.referral_link_id
    return Interaction(
        interaction_id=InteractionId(row.interaction_id),
        merchant_id=MerchantId(row.merchant_id),
        kind=InteractionKind(row.kind),
        event_reference=row.event_reference,
        order_reference=row.order_reference,
        generation=row.generation,
        identity_group_id=None if person is None else IdentityGroupId(person),
        referral_link_id=None if link is None else ReferralLinkId(link),
        event_time=row.event_time,
        state=InteractionState(row.state),
        due_time=row.due_time,
        try_count=row.try_count,
        wait_count=row.wait_count,
        obstacle=Obstacle(row.obstacle),
        needed_rate=row.needed_rate,
        decide_time=row.decide_time,
        referrer_group_id=None if referrer is None else IdentityGroupId(referrer),
        credit_time=row.credit_time,
    )
