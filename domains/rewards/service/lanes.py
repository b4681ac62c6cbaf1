"""The use cases of lanes: who works on one, where it stands, and when it rests."""

from __future__ import annotations

from datetime import datetime

from domains.rewards.model import LaneWork, Obstacle
from domains.rewards.model.lane import set_back_pause
from domains.rewards.repository import LaneRepository
from infrastructure.database.transaction import Transaction
from vocabulary.ids import MerchantId


class LanesService:
    def __init__(
        self,
        *,
        lanes: LaneRepository,
    ) -> None:
        self._lanes = lanes

    async def ensure(self, tx: Transaction, merchant_id: MerchantId) -> None:
        """Makes the merchant's lane if there is none. A transaction of its own."""
        await self._lanes.ensure(tx, merchant_id)

    async def take(self, tx: Transaction, merchant_id: MerchantId) -> LaneWork | None:
        """Makes this transaction the lane's writer and returns where the lane stands.

        None if another transaction is the writer, or the lane is held. Does not wait.
        """
        return await self._lanes.take(tx, merchant_id)

    async def wait_for(self, tx: Transaction, merchant_id: MerchantId) -> None:
        """Makes this transaction the lane's writer, held or not, once nobody else is."""
        await self._lanes.wait_for(tx, merchant_id)

    async def save(self, tx: Transaction, lane: LaneWork) -> None:
        """Writes where a lane stands that this transaction has taken."""
        await self._lanes.save(tx, lane)

    async def advance(self, tx: Transaction, merchant_id: MerchantId, next_sequence: int) -> None:
        """Counts on after something was decided; the lane is no longer set back."""
        await self._lanes.advance(tx, merchant_id, next_sequence)

    async def count_on(self, tx: Transaction, merchant_id: MerchantId, next_sequence: int) -> None:
        """Counts on after something was taken back; a lane that is set back stays so.

        Else refunds would have it try again and again what is too much for one turn.
        """
        await self._lanes.count_on(tx, merchant_id, next_sequence)

    async def set_back(
        self, tx: Transaction, lane: LaneWork, *, obstacle: Obstacle, size: int, now: datetime
    ) -> None:
        """Lets a lane rest, each time longer, because a turn of a size failed as a whole.

        Costs no interaction a try.
        """
        await self._lanes.set_back(
            tx,
            lane.merchant_id,
            retry_time=now + set_back_pause(lane.failure_count),
            obstacle=obstacle,
            size=size,
        )

    async def set_held(self, tx: Transaction, merchant_id: MerchantId, *, held: bool) -> None:
        """Stops deciding, or lets it go on. Waits for the lane's writer to finish."""
        await self._lanes.set_held(tx, merchant_id, held=held)

    async def wake_workers(self, tx: Transaction) -> None:
        """Tells the workers to look now instead of within a second. May be lost."""
        await self._lanes.wake_workers(tx)
