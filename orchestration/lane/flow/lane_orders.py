"""Orders that are let go of, or opened again, by the writer of their lane."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from domains.purchases.model.lane_queue import FixedLife, FixedOrder, LetGo
from domains.purchases.service import PurchasesService
from domains.rewards.model import InteractionState, OrderLife
from domains.rewards.service import InteractionsService
from infrastructure.database.transaction import Transaction
from orchestration.lane.flow.prepared import PreparedBatch, let_go_of, life_of_order
from vocabulary.ids import MerchantId


class LaneOrders:
    """What is decided stays fixed; what is not takes in what was heard meanwhile.

    Its methods take part in the transaction of a lane's writer. Orders are never waited for.
    """

    def __init__(
        self,
        *,
        purchases: PurchasesService,
        interactions: InteractionsService,
        clock: Callable[[], datetime],
    ) -> None:
        self._purchases = purchases
        self._interactions = interactions
        self._clock = clock

    async def let_go(self, tx: Transaction, batch: PreparedBatch, let_go: Sequence[LetGo]) -> None:
        """Takes orders out of the round of a batch."""
        merchant_id = batch.lane.merchant_id
        known = await self._as_they_are(tx, merchant_id, let_go)
        await self._purchases.let_go(tx, merchant_id, known, round_number=batch.lane.round_number)

    async def let_go_unread(
        self, tx: Transaction, batch: PreparedBatch, lives: Sequence[OrderLife], *, until: datetime
    ) -> None:
        """The same for orders of which nothing can be read but who they are, until a time."""
        merchant_id = batch.lane.merchant_id
        decided = await self._interactions.list_decided(tx, merchant_id, lives)
        let_go = [
            let_go_of(life, is_decided=True)
            if life in decided
            else let_go_of(life, is_decided=False, due_time=until)
            for life in lives
        ]
        await self._purchases.let_go(tx, merchant_id, let_go, round_number=batch.lane.round_number)

    async def open(
        self, tx: Transaction, merchant_id: MerchantId, orders: Sequence[FixedOrder]
    ) -> bool:
        """Opens orders again that are fixed and not decided; they stay in their round.

        Returns whether there are any.
        """
        lives = [life_of_order(each) for each in orders]
        decided = await self._interactions.list_decided(tx, merchant_id, lives)
        open_ones = [life for life in lives if life not in decided]
        await self.settle(
            tx,
            merchant_id,
            [
                FixedLife(
                    order_reference=life.order_reference,
                    generation=life.generation,
                    is_decided=False,
                )
                for life in open_ones
            ],
        )
        return bool(open_ones)

    async def _as_they_are(
        self, tx: Transaction, merchant_id: MerchantId, let_go: Sequence[LetGo]
    ) -> Sequence[LetGo]:
        """The same, as far as nothing else became of them meanwhile.

        What another worker decided stays decided, and what had died and was to be tried again is
        due now.
        """
        opened = [each.order_reference for each in let_go if not each.is_decided]
        found = await self._interactions.list_of_orders(tx, merchant_id, opened)
        now = self._clock()
        changed = []
        for each in let_go:
            life = OrderLife(order_reference=each.order_reference, generation=each.generation)
            state = found[life].state if life in found else None
            if state is InteractionState.DECIDED:
                changed.append(let_go_of(life, is_decided=True))
            elif state is InteractionState.PENDING and each.due_time is None:
                changed.append(let_go_of(life, is_decided=False, due_time=now))
            else:
                changed.append(each)
        return changed

    async def settle(
        self, tx: Transaction, merchant_id: MerchantId, lives: Sequence[FixedLife]
    ) -> Sequence[str]:
        """Notes of lives that were fixed whether they were decided; returns of which orders.

        The others are being written.
        """
        return await self._purchases.settle(tx, merchant_id, lives)
