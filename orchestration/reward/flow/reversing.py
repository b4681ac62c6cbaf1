"""Takes back, under the lane, what orders earned that were taken back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from domains.purchases.service import PurchasesService
from domains.rewards.model import OrderLife, Reversal, WaitingLane
from domains.rewards.service import LanesService
from infrastructure.database.transaction import Database
from orchestration.cancellation.flow import CancellationOrchestrator
from vocabulary.ids import MerchantId


class LaneReversals:
    """Deals with the reversals of a lane, before anything is decided there.

    Locks, downwards: the lane; orders, never waited for; rewards; budget windows; accounts.
    """

    def __init__(
        self,
        *,
        database: Database,
        purchases: PurchasesService,
        lanes: LanesService,
        cancellation: CancellationOrchestrator,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._purchases = purchases
        self._lanes = lanes
        self._cancellation = cancellation
        self._clock = clock

    async def list_open(self, waiting: WaitingLane, *, limit: int) -> Sequence[Reversal]:
        """Orders of the lane that were taken back and whose rewards were not yet."""
        async with self._database.single() as tx:
            return await self._lanes.list_open_reversals(
                tx, waiting.merchant_id, after=None, now=self._clock(), limit=limit
            )

    async def drain(self, merchant_id: MerchantId, reversals: Sequence[Reversal]) -> int | None:
        """Takes back what these orders earned, all or none; returns how many it were.

        None: another worker has the lane, or it is held, and nothing was done.
        """
        now = self._clock()
        async with self._database.transaction() as tx:
            lane = await self._lanes.take(tx, merchant_id)
            if lane is None:
                return None
            # Another worker may have dealt with some of them.
            open_ones = await self._lanes.list_reversals(
                tx, [each.reversal_id for each in reversals]
            )
            if not open_ones:
                return 0
            undecided = await self._cancellation.take_back_in(
                tx, merchant_id, open_ones, first_sequence=lane.next_sequence, now=now
            )
            await self._lanes.count_on(tx, merchant_id, lane.next_sequence + len(open_ones))
        await self._lift(merchant_id, undecided)
        return len(open_ones)

    async def _lift(self, merchant_id: MerchantId, lives: Sequence[OrderLife]) -> None:
        """A transaction of its own, so that no webhook waits for the one before."""
        if not lives:
            return
        async with self._database.transaction() as tx:
            if await self._lanes.take(tx, merchant_id) is not None:
                await self._purchases.lift(
                    tx, merchant_id, [(each.order_reference, each.generation) for each in lives]
                )

    async def set_aside(self, merchant_id: MerchantId, reversal: Reversal) -> None:
        """Lets a reversal wait that failed or took too long alone, so that the others go on."""
        async with self._database.transaction() as tx:
            if await self._lanes.take(tx, merchant_id) is not None:
                await self._lanes.set_reversal_aside(tx, reversal, now=self._clock())
