"""What becomes of what could not be decided in a turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from domains.purchases.model.lane_queue import LetGo
from domains.rewards.model import Obstacle
from domains.rewards.service import LanesService
from infrastructure.database.transaction import Database
from orchestration.reward.flow.event_facts import LaneEvent
from orchestration.reward.flow.prepared import PreparedBatch, let_go_of, life_of
from orchestration.reward.flow.turns import LaneTurns
from vocabulary.ids import MerchantId


class LaneSetbacks:
    """Lets interactions, or the lane as a whole, wait after a failure."""

    def __init__(
        self,
        *,
        database: Database,
        turns: LaneTurns,
        lanes: LanesService,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._turns = turns
        self._lanes = lanes
        self._clock = clock

    async def open_again(self, batch: PreparedBatch) -> None:
        """Lets go of everything that was fixed for a batch that failed: it is due anew."""
        now = self._clock()
        let_go = [
            LetGo(
                order_reference=each.order_reference,
                generation=each.generation,
                is_decided=False,
                due_time=now,
            )
            for each in batch.orders
        ]
        await self._turns.finish(batch, let_go, is_complete=False)

    async def set_aside(
        self, batch: PreparedBatch, failed: Sequence[LaneEvent], *, obstacle: Obstacle
    ) -> list[LetGo]:
        """Charges a try to interactions that failed alone while others succeeded.

        The fifth time one is dead, and visible. Returns the orders that are let go of by it.
        """
        now = self._clock()
        let_go: list[LetGo] = []
        async with self._database.transaction() as tx:
            if await self._lanes.take(tx, batch.lane.merchant_id) is None:
                return []
            for each in failed:
                retry_time = await self._lanes.fail(
                    tx, each.interaction, obstacle=obstacle, now=now
                )
                if (life := life_of(each)) is not None:
                    let_go.append(let_go_of(life, is_decided=False, due_time=retry_time))
        return let_go

    async def postpone(
        self, batch: PreparedBatch, event: LaneEvent, *, obstacle: Obstacle
    ) -> list[LetGo]:
        """Lets one interaction wait whose batch of one took too long. Costs it no try."""
        async with self._database.transaction() as tx:
            if await self._lanes.take(tx, batch.lane.merchant_id) is None:
                return []
            (until,) = await self._lanes.postpone(
                tx, [(event.interaction, None)], obstacle=obstacle, now=self._clock()
            )
        life = life_of(event)
        return [] if life is None else [let_go_of(life, is_decided=False, due_time=until)]

    async def set_back(
        self, merchant_id: MerchantId, *, next_sequence: int, obstacle: Obstacle
    ) -> None:
        """Lets a lane rest whose turn failed as a whole, unless it has gone on meanwhile."""
        async with self._database.transaction() as tx:
            lane = await self._lanes.take(tx, merchant_id)
            if lane is not None and lane.next_sequence == next_sequence:
                await self._lanes.set_back(tx, lane, obstacle=obstacle, now=self._clock())
