"""Takes back, under the lane, what orders earned that were taken back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from domains.purchases.model.lane_queue import FixedLife
from domains.rewards.model import InteractionState, Reversal, WaitingLane
from domains.rewards.service import InteractionsService, LanesService, ReversalsService
from infrastructure.database.transaction import Database
from orchestration.cancellation.flow import CancellationOrchestrator
from orchestration.lane.flow.lane_orders import LaneOrders
from vocabulary.ids import MerchantId


class LaneReversals:
    """Deals with the reversals of a lane, before anything is decided there.

    Locks, downwards: the lane; orders, never waited for; rewards; budget windows; accounts.
    """

    def __init__(
        self,
        *,
        database: Database,
        orders: LaneOrders,
        lanes: LanesService,
        interactions: InteractionsService,
        reversals: ReversalsService,
        cancellation: CancellationOrchestrator,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._orders = orders
        self._lanes = lanes
        self._interactions = interactions
        self._reversals = reversals
        self._cancellation = cancellation
        self._clock = clock

    async def list_open(
        self, waiting: WaitingLane, *, after: Reversal | None = None, limit: int
    ) -> Sequence[Reversal]:
        """Orders of the lane that were taken back and whose rewards were not yet, oldest first.

        `after` is the last one of those that were passed.
        """
        async with self._database.single() as tx:
            return await self._reversals.list_open(
                tx, waiting.merchant_id, after=after, now=self._clock(), limit=limit
            )

    async def drain(self, merchant_id: MerchantId, reversals: Sequence[Reversal]) -> int | None:
        """Takes back what these orders earned, all or none; returns how many it were.

        Orders that are being written are left for the next time. None: another worker has the
        lane, or it is held, and nothing was done.
        """
        now = self._clock()
        settled = await self._settle(merchant_id, reversals)
        if settled is None:
            return None
        if not settled:
            return 0
        async with self._database.transaction() as tx:
            lane = await self._lanes.take(tx, merchant_id)
            if lane is None:
                return None
            # Another worker may have dealt with some of them.
            open_ones = await self._reversals.list_some(tx, [each.reversal_id for each in settled])
            if not open_ones:
                return 0
            await self._cancellation.take_back_in(
                tx, merchant_id, open_ones, first_sequence=lane.next_sequence, now=now
            )
            await self._lanes.count_on(tx, merchant_id, lane.next_sequence + len(open_ones))
        return len(open_ones)

    async def _settle(
        self, merchant_id: MerchantId, reversals: Sequence[Reversal]
    ) -> Sequence[Reversal] | None:
        """Those of the reversals whose orders know by now whether that life was decided.

        A transaction of its own, so that no webhook waits for the one that takes back. It comes
        first, so that it happens again if a worker is killed in between. None: another worker has
        the lane.
        """
        async with self._database.transaction() as tx:
            if await self._lanes.take(tx, merchant_id) is None:
                return None
            lives = [each.life for each in reversals]
            interactions = await self._interactions.list_of_orders(
                tx, merchant_id, [each.order_reference for each in lives]
            )
            settled = await self._orders.settle(
                tx,
                merchant_id,
                [
                    FixedLife(
                        order_reference=life.order_reference,
                        generation=life.generation,
                        is_decided=life in interactions
                        and interactions[life].state is InteractionState.DECIDED,
                    )
                    for life in lives
                ],
            )
        known = set(settled)
        return [each for each in reversals if each.life.order_reference in known]

    async def set_aside(
        self, merchant_id: MerchantId, reversal: Reversal, *, rest: timedelta
    ) -> None:
        """Lets a reversal wait that failed or took too long alone, so that the others go on.

        `rest` is how long the lane itself rests, beyond which it waits.
        """
        async with self._database.transaction() as tx:
            if await self._lanes.take(tx, merchant_id) is not None:
                await self._reversals.set_aside(tx, reversal, now=self._clock() + rest)
