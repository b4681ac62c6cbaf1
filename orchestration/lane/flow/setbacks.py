"""What becomes of what could not be decided in a turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from domains.purchases.model.lane_queue import LetGo
from domains.rewards.model import Obstacle
from domains.rewards.service import DueInteractionsService, LanesService
from infrastructure.database.transaction import Database, Transaction
from orchestration.lane.flow.event_facts import LaneEvent
from orchestration.lane.flow.lane_orders import LaneOrders
from orchestration.lane.flow.prepared import (
    PreparedBatch,
    let_go_of,
    life_of,
    life_of_order,
    stands_as,
)
from orchestration.lane.flow.turns import LaneTurns
from vocabulary.ids import MerchantId


class LaneSetbacks:
    """Lets interactions, or the lane as a whole, wait after a failure."""

    def __init__(
        self,
        *,
        database: Database,
        turns: LaneTurns,
        orders: LaneOrders,
        lanes: LanesService,
        due_interactions: DueInteractionsService,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._turns = turns
        self._orders = orders
        self._lanes = lanes
        self._due_interactions = due_interactions
        self._clock = clock

    async def open_again(self, batch: PreparedBatch) -> None:
        """Opens everything that was fixed for a batch that failed, and leaves it in its round.

        Its place in the lane is what it was: a failure changes nobody's turn at a budget. The
        round is walked again with what has become due meanwhile, so that this is tried as well. An
        order that is being written stays fixed, and is opened when it is fixed next.
        """
        async with self._database.transaction() as tx:
            lane = await self._lanes.take(tx, batch.lane.merchant_id)
            if lane is None:
                return
            await self._orders.open(tx, lane.merchant_id, [*batch.orders, *batch.left])
            if stands_as(lane, batch.lane):
                await self._lanes.save(tx, lane.go_round_again(self._clock()))

    async def set_aside(
        self, batch: PreparedBatch, failed: Sequence[LaneEvent], *, obstacle: Obstacle
    ) -> bool:
        """Charges a try to interactions that failed alone while another one earned.

        The fifth time one is dead, and visible. Lets go of their orders. Returns whether it did
        so; else another worker has the lane.
        """
        async with self._database.transaction() as tx:
            if await self._lanes.take(tx, batch.lane.merchant_id) is None:
                return False
            let_go: list[LetGo] = []
            now = self._clock()
            for each in await self._as_they_were(tx, batch, failed):
                retry_time = await self._due_interactions.fail(
                    tx, each.interaction, obstacle=obstacle, now=now
                )
                if (life := life_of(each)) is not None:
                    let_go.append(let_go_of(life, is_decided=False, due_time=retry_time))
            await self._orders.let_go(tx, batch, let_go)
        return True

    async def postpone(
        self,
        batch: PreparedBatch,
        events: Sequence[LaneEvent],
        *,
        obstacle: Obstacle,
        rest: timedelta = timedelta(),
    ) -> bool:
        """Lets interactions step aside, each time longer, so that the lane goes on without them.

        `rest` is how long the lane itself rests, beyond which they step aside. Costs them no try.
        Lets go of their orders. Returns whether it did so; else another worker has the lane.
        """
        async with self._database.transaction() as tx:
            if await self._lanes.take(tx, batch.lane.merchant_id) is None:
                return False
            found = await self._as_they_were(tx, batch, events)
            until = await self._due_interactions.postpone(
                tx,
                [(each.interaction, None) for each in found],
                obstacle=obstacle,
                now=self._clock() + rest,
            )
            let_go = [
                let_go_of(life, is_decided=False, due_time=due_time)
                for each, due_time in zip(found, until, strict=True)
                if (life := life_of(each)) is not None
            ]
            await self._orders.let_go(tx, batch, let_go)
        return True

    async def pass_over(self, batch: PreparedBatch, pieces: Sequence[PreparedBatch]) -> bool:
        """Lets step aside what cannot be read, unread. Costs it no try.

        Returns whether it did so; else another worker has the lane.
        """
        merchant_id = batch.lane.merchant_id
        part = batch.of_pieces(pieces)
        async with self._database.transaction() as tx:
            if await self._lanes.take(tx, merchant_id) is None:
                return False
            lives = [life_of_order(each) for each in part.orders]
            until = await self._due_interactions.pass_over(
                tx,
                merchant_id,
                lives,
                [each.interaction_id for each in part.referrals],
                now=self._clock(),
            )
            await self._orders.let_go_unread(tx, batch, lives, until=until)
        return True

    async def _as_they_were(
        self, tx: Transaction, batch: PreparedBatch, events: Sequence[LaneEvent]
    ) -> list[LaneEvent]:
        """Those of these events that no other worker has dealt with since they were loaded."""
        before = {each.interaction.interaction_id: each.interaction for each in events}
        found = (await self._turns.load_in(tx, batch.of(events))).events
        return [
            each
            for each in found
            if (was := before.get(each.interaction.interaction_id)) is not None
            and (was.try_count, was.wait_count)
            == (each.interaction.try_count, each.interaction.wait_count)
        ]

    async def set_back(
        self, merchant_id: MerchantId, *, next_sequence: int, obstacle: Obstacle, size: int
    ) -> None:
        """Lets a lane rest whose turn failed as a whole, unless it has gone on meanwhile.

        `size` is how much that turn tried; the next one tries half of it.
        """
        async with self._database.transaction() as tx:
            lane = await self._lanes.take(tx, merchant_id)
            if lane is not None and lane.next_sequence == next_sequence:
                await self._lanes.set_back(
                    tx, lane, obstacle=obstacle, size=size, now=self._clock()
                )
