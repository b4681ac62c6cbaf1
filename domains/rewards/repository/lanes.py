"""Lanes in SQL: one writer a merchant."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text

from domains.rewards.model import Lane, WaitingLane
from domains.rewards.model.event import WORKERS
from infrastructure.database.transaction import Transaction
from infrastructure.database.waking import notify
from vocabulary.ids import MerchantId

# Steps from merchant to merchant through the index, one row each, so that a long queue of one
# merchant costs no more than a short one. The first event of each by due time is enough.
_WAITING = text(
    """
    WITH RECURSIVE head AS (
        (SELECT merchant_id, due_time FROM interaction WHERE state = 'pending'
         ORDER BY merchant_id, due_time LIMIT 1)
        UNION ALL
        SELECT following.merchant_id, following.due_time
        FROM head, LATERAL (
            SELECT merchant_id, due_time FROM interaction
            WHERE state = 'pending' AND merchant_id > head.merchant_id
            ORDER BY merchant_id, due_time LIMIT 1) AS following
    ), turned AS (
        (SELECT merchant_id FROM reversal WHERE drain_time IS NULL ORDER BY merchant_id LIMIT 1)
        UNION ALL
        SELECT following.merchant_id
        FROM turned, LATERAL (
            SELECT merchant_id FROM reversal
            WHERE drain_time IS NULL AND merchant_id > turned.merchant_id
            ORDER BY merchant_id LIMIT 1) AS following
    ), waiting AS (
        SELECT merchant_id, due_time FROM head
        UNION ALL
        SELECT merchant_id, '-infinity' FROM turned
    )
    SELECT merchant_id,
           GREATEST(min(due_time), CAST(:epoch AS timestamptz)) AS due_time,
           lane.merchant_id IS NOT NULL AS exists
    FROM waiting LEFT JOIN reward_lane AS lane USING (merchant_id)
    WHERE NOT COALESCE(lane.held, false)
    GROUP BY merchant_id, lane.merchant_id
    ORDER BY due_time
    """
)
_ENSURE = text("INSERT INTO reward_lane (merchant_id) VALUES (:merchant_id) ON CONFLICT DO NOTHING")
_TAKE = text(
    """
    SELECT next_sequence FROM reward_lane
    WHERE merchant_id = :merchant_id AND NOT held
    FOR NO KEY UPDATE SKIP LOCKED
    """
)
_ADVANCE = text(
    "UPDATE reward_lane SET next_sequence = :next_sequence WHERE merchant_id = :merchant_id"
)
_HOLD = text(
    """
    INSERT INTO reward_lane (merchant_id, held) VALUES (:merchant_id, :held)
    ON CONFLICT (merchant_id) DO UPDATE SET held = excluded.held
    """
)
_GET = text(
    """
    SELECT COALESCE((SELECT held FROM reward_lane WHERE merchant_id = :merchant_id), false) AS held,
           count(*) FILTER (WHERE due_time <= :now) AS due,
           count(*) FILTER (WHERE due_time > :now) AS waiting,
           (SELECT count(*) FROM interaction
            WHERE merchant_id = :merchant_id AND state = 'dead') AS dead,
           min(due_time) FILTER (WHERE due_time <= :now) AS oldest,
           (SELECT count(*) FROM reversal
            WHERE merchant_id = :merchant_id AND drain_time IS NULL) AS reversals
    FROM interaction
    WHERE merchant_id = :merchant_id AND state = 'pending'
    """
)
_EPOCH = datetime.fromisoformat("0001-01-02T00:00:00+00:00")


class LaneRepository:
    async def list_waiting(self, tx: Transaction) -> Sequence[WaitingLane]:
        """Every lane with something to do now or later and not held, the earliest first."""
        rows = await tx.execute(_WAITING, {"epoch": _EPOCH})
        return [
            WaitingLane(
                merchant_id=MerchantId(row.merchant_id), due_time=row.due_time, exists=row.exists
            )
            for row in rows
        ]

    async def ensure(self, tx: Transaction, merchant_id: MerchantId) -> None:
        await tx.execute(_ENSURE, {"merchant_id": merchant_id})

    async def take(self, tx: Transaction, merchant_id: MerchantId) -> int | None:
        """Makes this transaction the lane's writer and returns the next sequence number.

        None if another transaction is the writer, or the lane is held. Does not wait.
        """
        row = (await tx.execute(_TAKE, {"merchant_id": merchant_id})).one_or_none()
        return None if row is None else row.next_sequence

    async def advance(self, tx: Transaction, merchant_id: MerchantId, next_sequence: int) -> None:
        await tx.execute(_ADVANCE, {"merchant_id": merchant_id, "next_sequence": next_sequence})

    async def set_held(self, tx: Transaction, merchant_id: MerchantId, *, held: bool) -> None:
        """Waits for the lane's writer to finish."""
        await tx.execute(_HOLD, {"merchant_id": merchant_id, "held": held})

    async def wake_workers(self, tx: Transaction) -> None:
        """Tells the workers to look now instead of within a second."""
        await notify(tx, WORKERS)

    async def get(self, tx: Transaction, merchant_id: MerchantId, *, now: datetime) -> Lane:
        row = (await tx.execute(_GET, {"merchant_id": merchant_id, "now": now})).one()
        return Lane(
            merchant_id=merchant_id,
            held=row.held,
            due_count=row.due + row.reversals,
            waiting_count=row.waiting,
            dead_count=row.dead,
            oldest_due_time=row.oldest,
        )
