"""What became of events: rewards, decisions and who was credited, with their orders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from domains.attribution.model import Credit, CreditQuery
from domains.attribution.service import AttributionService
from domains.business.service import BusinessService
from domains.campaign.service import RatesService
from domains.purchases.service import PurchasesService
from domains.rewards.model import (
    DecisionRecord,
    Interaction,
    InteractionKind,
    InteractionState,
    InteractionView,
    Reward,
    RewardState,
)
from domains.rewards.service import RewardsService
from infrastructure.database.transaction import Database, Transaction
from vocabulary.ids import InteractionId, MerchantId
from vocabulary.recording import IdRange


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


class RewardReadingOrchestrator:
    """Answers what became of events."""

    def __init__(
        self,
        *,
        database: Database,
        business: BusinessService,
        attribution: AttributionService,
        purchases: PurchasesService,
        rewards: RewardsService,
        rates: RatesService,
    ) -> None:
        self._database = database
        self._business = business
        self._attribution = attribution
        self._purchases = purchases
        self._rewards = rewards
        self._rates = rates

    async def list_rewards(
        self,
        merchant_id: MerchantId,
        *,
        identity_group_id: UUID | None,
        purchase_id: UUID | None,
        state: RewardState | None,
        within: IdRange,
        limit: int,
    ) -> Sequence[Reward]:
        """A merchant's rewards with these ids, most recently recorded first.

        Those of a person or of a purchase, if they are named.

        Raises:
            MerchantNotFoundError: there is no such merchant.
        """
        async with self._database.single() as tx:
            found = await self._rewards.list_rewards(
                tx,
                merchant_id,
                identity_group_id=identity_group_id,
                purchase_id=purchase_id,
                state=state,
                within=within,
                limit=limit,
            )
            if not found:
                await self._business.require(tx, merchant_id)
            return found

    async def list_interactions(
        self,
        merchant_id: MerchantId,
        *,
        state: InteractionState | None,
        within: IdRange,
        limit: int,
    ) -> Sequence[InteractionView]:
        """A merchant's interactions with these ids, most recently recorded first.

        With their buyers and times.

        Raises:
            MerchantNotFoundError: there is no such merchant.
        """
        async with self._database.reading() as tx:
            found = await self._rewards.list_interactions(
                tx, merchant_id, state=state, within=within, limit=limit
            )
            if not found:
                await self._business.require(tx, merchant_id)
            return await self._views_of(tx, merchant_id, found)

    async def explain(
        self, merchant_id: MerchantId, interaction_id: InteractionId
    ) -> ExplainedInteraction:
        """What campaigns made of an interaction, or what it waits for.

        Raises:
            InteractionNotFoundError: the merchant has none with this id.
        """
        async with self._database.reading() as tx:
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
