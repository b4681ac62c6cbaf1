"""Lanes in SQL: one writer a merchant."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import text

from domains.rewards.model import LanePhase, LaneWork, Obstacle, Place
from domains.rewards.model.lane import WORKERS
from infrastructure.database.transaction import Transaction
from infrastructure.database.waking import notify
from vocabulary.ids import MerchantId

# Waits for another one that makes the same lane first, so it is a transaction of its own: else
# every worker would wait for the first batch of a merchant.
_ENSURE = text("INSERT INTO reward_lane (merchant_id) VALUES (:merchant_id) ON CONFLICT DO NOTHING")
_LANE = """merchant_id, next_sequence, phase, round, round_time, promoted_time, order_time,
    order_reference, referral_time, referral_reference, failure_count"""
# Locks: the lane, SKIP LOCKED.
_TAKE = text(
    f"""
    SELECT {_LANE} FROM reward_lane WHERE merchant_id = :merchant_id AND NOT held
    FOR NO KEY UPDATE SKIP LOCKED
    """
)
# Locks: the lane, and waits for it.
_WAIT_FOR = text("SELECT FROM reward_lane WHERE merchant_id = :merchant_id FOR NO KEY UPDATE")
_SAVE = text(
    """
    UPDATE reward_lane SET next_sequence = :next_sequence, phase = :phase, round = :round,
        round_time = :round_time, promoted_time = :promoted_time, order_time = :order_time,
        order_reference = :order_reference, referral_time = :referral_time,
        referral_reference = :referral_reference
    WHERE merchant_id = :merchant_id
    """
)
_COUNT_ON = text(
    "UPDATE reward_lane SET next_sequence = :next_sequence WHERE merchant_id = :merchant_id"
)
_ADVANCE = text(
    """
    UPDATE reward_lane SET next_sequence = :next_sequence, failure_count = 0, retry_time = NULL,
        obstacle = ''
    WHERE merchant_id = :merchant_id
    """
)
_SET_BACK = text(
    """
    UPDATE reward_lane SET failure_count = failure_count + 1, failed_size = :size,
        retry_time = :retry_time, obstacle = :obstacle
    WHERE merchant_id = :merchant_id
    """
)
_HOLD = text(
    """
    INSERT INTO reward_lane (merchant_id, held) VALUES (:merchant_id, :held)
    ON CONFLICT (merchant_id) DO UPDATE SET held = excluded.held,
        -- Whoever releases a lane wants it to be tried now.
        failure_count = 0, retry_time = NULL, obstacle = ''
    """
)


class LaneRepository:
    async def ensure(self, tx: Transaction, merchant_id: MerchantId) -> None:
        """Makes the merchant's lane if there is none."""
        await tx.execute(_ENSURE, {"merchant_id": merchant_id})

    async def take(self, tx: Transaction, merchant_id: MerchantId) -> LaneWork | None:
        """Makes this transaction the lane's writer and returns where the lane stands.

        None if another transaction is the writer, or the lane is held. Does not wait.
        """
        row = (await tx.execute(_TAKE, {"merchant_id": merchant_id})).one_or_none()
        return None if row is None else _lane(row)

    async def wait_for(self, tx: Transaction, merchant_id: MerchantId) -> None:
        """Makes this transaction the lane's writer, held or not, once nobody else is."""
        await tx.execute(_WAIT_FOR, {"merchant_id": merchant_id})

    async def save(self, tx: Transaction, lane: LaneWork) -> None:
        """Writes where a lane stands that this transaction has taken."""
        order, referral = lane.order_place, lane.referral_place
        await tx.execute(
            _SAVE,
            {
                "merchant_id": lane.merchant_id,
                "next_sequence": lane.next_sequence,
                "phase": lane.phase,
                "round": lane.round_number,
                "round_time": lane.round_time,
                "promoted_time": lane.promoted_time,
                "order_time": order.time if order else None,
                "order_reference": order.reference if order else None,
                "referral_time": referral.time if referral else None,
                "referral_reference": referral.reference if referral else None,
            },
        )

    async def advance(self, tx: Transaction, merchant_id: MerchantId, next_sequence: int) -> None:
        """Counts on after a turn that succeeded; the lane is no longer set back."""
        await tx.execute(_ADVANCE, {"merchant_id": merchant_id, "next_sequence": next_sequence})

    async def count_on(self, tx: Transaction, merchant_id: MerchantId, next_sequence: int) -> None:
        """Counts on after something else than deciding; a lane that is set back stays so."""
        await tx.execute(_COUNT_ON, {"merchant_id": merchant_id, "next_sequence": next_sequence})

    async def set_back(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        *,
        retry_time: datetime,
        obstacle: Obstacle,
        size: int,
    ) -> None:
        """Lets a lane rest, because a turn of a size failed as a whole."""
        await tx.execute(
            _SET_BACK,
            {
                "merchant_id": merchant_id,
                "retry_time": retry_time,
                "obstacle": obstacle,
                "size": size,
            },
        )

    async def set_held(self, tx: Transaction, merchant_id: MerchantId, *, held: bool) -> None:
        """Waits for the lane's writer to finish."""
        await tx.execute(_HOLD, {"merchant_id": merchant_id, "held": held})

    async def wake_workers(self, tx: Transaction) -> None:
        """Tells the workers to look now instead of within a second."""
        await notify(tx, WORKERS)


def _lane(row: Any) -> LaneWork:
    return LaneWork(
        merchant_id=MerchantId(row.merchant_id),
        next_sequence=row.next_sequence,
        phase=LanePhase(row.phase),
        round_number=row.round,
        round_time=row.round_time,
        promoted_time=row.promoted_time,
        order_place=_place(row.order_time, row.order_reference),
        referral_place=_place(row.referral_time, row.referral_reference),
        failure_count=row.failure_count,
    )


def _place(time: datetime | None, reference: str | None) -> Place | None:
    if time is None or reference is None:
        return None
    return Place(time=time, reference=reference)
