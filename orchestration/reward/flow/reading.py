"""What people may ask of reward work, and what an operator may do about a lane."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from domains.attribution.model import Credit, CreditQuery
from domains.attribution.service import AttributionService
from domains.business.service import BusinessService
from domains.campaign.service import RatesService
from domains.purchases.service import PurchasesService
from domains.rewards.errors import MerchantUnknownError
from domains.rewards.model import (
    DecisionRecord,
    Interaction,
    InteractionKind,
    InteractionState,
    InteractionView,
    Lane,
    Reward,
)
from domains.rewards.service import LanesService, RewardsService
from infrastructure.database.transaction import Database, Repeat, Transaction
from orchestration.queries.lanes import get_lane
from vocabulary.ids import InteractionId, MerchantId

REVIVED_MAX = 1_000
"""How many dead interactions one call has decided again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedCredit:
    """Why somebody is credited with having brought a buyer, or nobody is.

    `late` and `early` are how far outside of the time that counts a link was followed.
    """

    event_time: datetime
    credit_time: datetime
    tolerance: timedelta
    credit: Credit
    late: timedelta | None
    early: timedelta | None

    @property
    def sentence(self) -> str:
        """For people; empty: there is nothing to say."""
        touch = self.credit.touch_time
        if touch is not None:
            if not self.credit.needed_tolerance:
                return ""
            return (
                f"The link was followed {touch - self.event_time} after the order's time, within "
                f"the clock tolerance of {self.tolerance}."
            )
        said = []
        if self.late is not None:
            said.append(f"A link was followed {self.late} too late: after {self.credit_time}.")
        if self.early is not None:
            said.append(f"A link was followed last {self.early} before the look-back began.")
        return " ".join(said)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedInteraction:
    """An interaction, what campaigns made of it, and what was granted."""

    view: InteractionView
    decisions: Sequence[DecisionRecord]
    rewards: Sequence[Reward]
    credit: ExplainedCredit | None


class LaneReadingOrchestrator:
    """Answers what became of interactions, and holds, releases and retries.

    Locks of a retry, downwards: the lane, which is waited for; orders, in the order of their keys.
    """

    def __init__(
        self,
        *,
        database: Database,
        business: BusinessService,
        attribution: AttributionService,
        purchases: PurchasesService,
        lanes: LanesService,
        rewards: RewardsService,
        rates: RatesService,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._business = business
        self._attribution = attribution
        self._purchases = purchases
        self._lanes = lanes
        self._rewards = rewards
        self._rates = rates
        self._clock = clock

    async def list_rewards(
        self,
        merchant_id: MerchantId,
        *,
        identity_group_id: UUID | None,
        purchase_id: UUID | None,
        after: UUID | None,
        limit: int,
    ) -> Sequence[Reward]:
        """A merchant's rewards, newest first; one person's or one purchase's if named.

        Raises:
            MerchantUnknownError: there is no such merchant.
        """
        async with self._database.single() as tx:
            found = await self._rewards.list_rewards(
                tx,
                merchant_id,
                identity_group_id=identity_group_id,
                purchase_id=purchase_id,
                after=after,
                limit=limit,
            )
            if not found:
                await self._require_merchant(tx, merchant_id)
            return found

    async def list_interactions(
        self,
        merchant_id: MerchantId,
        *,
        state: InteractionState | None,
        after: UUID | None,
        limit: int,
    ) -> Sequence[InteractionView]:
        """A merchant's interactions, newest first, with the buyers and times of their orders.

        Raises:
            MerchantUnknownError: there is no such merchant.
        """
        async with self._database.single() as tx:
            found = await self._rewards.list_interactions(
                tx, merchant_id, state=state, after=after, limit=limit
            )
            if not found:
                await self._require_merchant(tx, merchant_id)
            return await self._views_of(tx, merchant_id, found)

    async def explain(
        self, merchant_id: MerchantId, interaction_id: InteractionId
    ) -> ExplainedInteraction:
        """What campaigns made of an interaction, or what it waits for.

        Raises:
            InteractionNotFoundError: the merchant has none with this id.
        """
        async with self._database.single() as tx:
            found = await self._rewards.explain(tx, merchant_id, interaction_id)
            (view,) = await self._views_of(tx, merchant_id, [found.interaction])
            credit = await self._explain_credit(tx, view)
        return ExplainedInteraction(
            view=view, decisions=found.decisions, rewards=found.rewards, credit=credit
        )

    async def _explain_credit(
        self, tx: Transaction, view: InteractionView
    ) -> ExplainedCredit | None:
        interaction = view.interaction
        time, person = interaction.credit_time, view.identity_group_id
        if interaction.kind is not InteractionKind.PURCHASE or time is None or person is None:
            return None
        merchant = await self._business.get(tx, interaction.merchant_id)
        credit = await self._attribution.explain_credit(
            tx,
            CreditQuery(
                merchant_id=interaction.merchant_id,
                identity_group_id=person,
                referrer_group_id=interaction.referrer_group_id,
                event_time=view.event_time,
                credit_time=time,
                look_back=merchant.look_back,
            ),
        )
        late, early = credit.late_touch_time, credit.early_touch_time
        return ExplainedCredit(
            event_time=view.event_time,
            credit_time=time,
            tolerance=merchant.clock_tolerance,
            credit=credit,
            late=None if late is None else late - time,
            early=None if early is None else view.event_time - merchant.look_back - early,
        )

    async def get_lane(self, merchant_id: MerchantId) -> Lane:
        """How far deciding has come at a merchant, and what it waits for.

        Raises:
            MerchantUnknownError: there is no such merchant.
        """
        async with self._database.single() as tx:
            await self._require_merchant(tx, merchant_id)
            return await self._read_lane(tx, merchant_id)

    async def set_lane_held(
        self, merchant_id: MerchantId, *, held: bool, repeat: Repeat | None
    ) -> Lane:
        """Stops deciding at a merchant, or lets it go on.

        Raises:
            MerchantUnknownError: there is no such merchant.
        """
        async with self._database.transaction(repeat=repeat) as tx:
            await self._require_merchant(tx, merchant_id)
            await self._lanes.set_held(tx, merchant_id, held=held)
            lane = await self._read_lane(tx, merchant_id)
            if not held:
                # They hear of it when this is committed, not before.
                await self._lanes.wake_workers(tx)
            await tx.answer(lane)
        return lane

    async def retry_dead(
        self,
        merchant_id: MerchantId,
        interaction_id: InteractionId | None,
        *,
        repeat: Repeat | None,
    ) -> int:
        """Has dead interactions decided again: one, or up to 1,000; returns how many.

        They have as many tries as new ones, and keep the reason of their last failure.

        Raises:
            MerchantUnknownError: there is no such merchant.
            InteractionNotFoundError: the merchant has none with this id.
            InteractionNotDeadError: it is not dead.
        """
        now = self._clock()
        async with self._database.transaction(repeat=repeat) as tx:
            await self._require_merchant(tx, merchant_id)
            # First, so that what is read next is as the last worker has left it.
            await self._lanes.wait_for(tx, merchant_id)
            dead = await self._lanes.list_dead(tx, merchant_id, interaction_id, limit=REVIVED_MAX)
            if dead:
                await self._purchases.requeue(tx, merchant_id, _lives_of(dead), now=now)
                count = await self._lanes.revive(tx, dead, now=now)
                await self._lanes.wake_workers(tx)
            else:
                count = 0
            await tx.answer(count)
        return count

    async def _views_of(
        self, tx: Transaction, merchant_id: MerchantId, interactions: Sequence[Interaction]
    ) -> Sequence[InteractionView]:
        references = {each.order_reference for each in interactions if each.order_reference}
        found = await self._purchases.list_by_reference(tx, merchant_id, sorted(references))
        orders = {each.order_reference: each for each in found}
        views = []
        for each in interactions:
            order = orders.get(each.order_reference or "")
            time = each.event_time if order is None else order.order_time
            assert time is not None, each
            views.append(
                InteractionView(
                    interaction=each,
                    identity_group_id=each.identity_group_id
                    if order is None
                    else order.identity_group_id,
                    purchase_id=None if order is None else order.purchase_id,
                    event_time=time,
                    rate_start_time=time - self._rates.age_max if each.needed_rate else None,
                )
            )
        return views

    async def _read_lane(self, tx: Transaction, merchant_id: MerchantId) -> Lane:
        return await get_lane(tx, merchant_id, now=self._clock(), rate_age_max=self._rates.age_max)

    async def _require_merchant(self, tx: Transaction, merchant_id: MerchantId) -> None:
        if not await self._business.exists(tx, merchant_id):
            raise MerchantUnknownError(merchant_id)


def _lives_of(interactions: Sequence[Interaction]) -> list[tuple[str, int]]:
    return [
        (each.order_reference, each.generation)
        for each in interactions
        if each.order_reference is not None and each.generation is not None
    ]
