"""Where a merchant's lane stands; holding, releasing, and trying again what is dead."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from domains.business.service import BusinessService
from domains.campaign.service import RatesService
from domains.purchases.service import PurchasesService
from domains.rewards.model import Interaction, Lane
from domains.rewards.service import InteractionsService, LanesService
from infrastructure.database.repeated_call import Repeat, answer_once
from infrastructure.database.transaction import Database, Transaction
from orchestration.queries.lanes import get_lane
from vocabulary.ids import InteractionId, MerchantId

REVIVED_MAX = 1_000
"""How many dead interactions one call has decided again."""


class LaneOrchestrator:
    """Says how far deciding has come, and holds, releases and retries.

    Locks of a retry, downwards: the lane, which is waited for; orders, in the order of their keys.
    """

    def __init__(
        self,
        *,
        database: Database,
        business: BusinessService,
        purchases: PurchasesService,
        lanes: LanesService,
        interactions: InteractionsService,
        rates: RatesService,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._business = business
        self._purchases = purchases
        self._lanes = lanes
        self._interactions = interactions
        self._rates = rates
        self._clock = clock

    async def get_lane(self, merchant_id: MerchantId) -> Lane:
        """How far deciding has come at a merchant, and what it waits for.

        Raises:
            MerchantNotFoundError: there is no such merchant.
        """
        async with self._database.reading() as tx:
            await self._business.require(tx, merchant_id)
            return await self._read_lane(tx, merchant_id)

    async def set_lane_held(
        self, merchant_id: MerchantId, *, held: bool, repeat: Repeat[Lane] | None
    ) -> Lane:
        """Stops deciding at a merchant, or lets it go on.

        Raises:
            MerchantNotFoundError: there is no such merchant.
        """

        async def set_held(tx: Transaction) -> Lane:
            await self._business.require(tx, merchant_id)
            await self._lanes.set_held(tx, merchant_id, held=held)
            lane = await self._read_lane(tx, merchant_id)
            if not held:
                # They hear of it when this is committed, not before.
                await self._lanes.wake_workers(tx)
            return lane

        return await answer_once(self._database, repeat, set_held)

    async def retry_dead(
        self,
        merchant_id: MerchantId,
        interaction_id: InteractionId | None,
        *,
        repeat: Repeat[int] | None,
    ) -> int:
        """Has dead interactions decided again: one, or up to 1,000; returns how many.

        They have as many tries as new ones, and keep the reason of their last failure.

        Raises:
            MerchantNotFoundError: there is no such merchant.
            InteractionNotFoundError: the merchant has none with this id.
            InteractionNotDeadError: it is not dead.
        """

        async def retry(tx: Transaction) -> int:
            await self._business.require(tx, merchant_id)
            # First, so that what is read next is as the last worker has left it.
            await self._lanes.wait_for(tx, merchant_id)
            now = self._clock()
            dead = await self._interactions.list_dead(
                tx, merchant_id, interaction_id, limit=REVIVED_MAX
            )
            if not dead:
                return 0
            await self._purchases.requeue(tx, merchant_id, _lives_of(dead), now=now)
            count = await self._interactions.revive(tx, dead, now=now)
            await self._lanes.wake_workers(tx)
            return count

        return await answer_once(self._database, repeat, retry)

    async def _read_lane(self, tx: Transaction, merchant_id: MerchantId) -> Lane:
        return await get_lane(tx, merchant_id, now=self._clock(), rate_age_max=self._rates.age_max)


def _lives_of(interactions: Sequence[Interaction]) -> list[tuple[str, int]]:
    return [
        (each.order_reference, each.generation)
        for each in interactions
        if each.order_reference is not None and each.generation is not None
    ]
