"""Loads and decides a batch in the transaction that is handed in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from domains.business.service import BusinessService
from domains.campaign.model import Campaign
from domains.campaign.service import CampaignService
from domains.purchases.model import Purchase
from domains.purchases.service import PurchasesService
from domains.referral.service import ReferralService
from domains.rewards.model import Interaction, InteractionState, LaneWork, Obstacle, OrderLife
from domains.rewards.service import (
    DecisionsService,
    DueInteractionsService,
    InteractionsService,
    LanesService,
    ReversalsService,
)
from infrastructure.database.failures import is_away, is_timeout
from infrastructure.database.transaction import Transaction
from orchestration.lane.flow.batch import decide_batch, windows_of
from orchestration.lane.flow.event_facts import EventFactsLoader, LaneEvent
from orchestration.lane.flow.prepared import (
    BatchOutcome,
    CampaignsUnreadableError,
    PreparedBatch,
    let_go_of,
    note,
    purchase_event,
)
from vocabulary.ids import MerchantId

NEXT_LIFE_PAUSE = timedelta(seconds=5)
"""How long an order waits that was paid again before its return was dealt with."""


class BatchDeciding:
    """The two steps by which a batch is decided, for whoever is the lane's writer.

    Locks, downwards: campaigns, shared; budget windows; rewards; accounts.
    """

    def __init__(
        self,
        *,
        business: BusinessService,
        campaigns: CampaignService,
        purchases: PurchasesService,
        referral: ReferralService,
        lanes: LanesService,
        interactions: InteractionsService,
        due_interactions: DueInteractionsService,
        reversals: ReversalsService,
        decisions: DecisionsService,
        facts: EventFactsLoader,
        clock: Callable[[], datetime],
        new_id: Callable[[], UUID],
    ) -> None:
        self._business = business
        self._campaigns = campaigns
        self._purchases = purchases
        self._referral = referral
        self._lanes = lanes
        self._interactions = interactions
        self._due_interactions = due_interactions
        self._reversals = reversals
        self._decisions = decisions
        self._facts = facts
        self._clock = clock
        self._new_id = new_id

    async def load_in(self, tx: Transaction, batch: PreparedBatch) -> BatchOutcome:
        """What of a batch is still to be decided, and what a worker that died had done.

        An order that was paid again waits until what its earlier life earned is taken back. One
        that failed and could not be let go of, because it was being written, waits as it was to.
        """
        now = self._clock()
        merchant_id, number = batch.lane.merchant_id, batch.lane.round_number
        purchases = await self._purchases.list_fixed(
            tx,
            merchant_id,
            [each.order_reference for each in batch.orders],
            round_number=number,
        )
        interactions = await self._interactions.list_of_orders(
            tx, merchant_id, [each.order_reference for each in purchases]
        )
        lives = [_life_of(each) for each in purchases]
        waiting = await self._reversals.list_with_earlier_open(
            tx, merchant_id, [each for each in lives if each.generation > 1]
        )
        outcome = BatchOutcome()
        for purchase, life in zip(purchases, lives, strict=True):
            interaction = interactions[life]
            if life in waiting and interaction.state is InteractionState.PENDING:
                until = now + NEXT_LIFE_PAUSE
                outcome.let_go.append(let_go_of(life, is_decided=False, due_time=until))
            elif _has_stepped_aside(interaction, now):
                until = interaction.due_time
                outcome.let_go.append(let_go_of(life, is_decided=False, due_time=until))
            elif interaction.state is InteractionState.PENDING:
                outcome.events.append(purchase_event(interaction, purchase))
            else:
                decided = interaction.state is InteractionState.DECIDED
                outcome.let_go.append(let_go_of(life, is_decided=decided))
        outcome.events += await self._load_referrals(tx, batch)
        outcome.events.sort(key=lambda each: each.lane_key)
        return outcome

    async def _load_referrals(self, tx: Transaction, batch: PreparedBatch) -> list[LaneEvent]:
        if not batch.referrals:
            return []
        lane = batch.lane
        referrals = await self._due_interactions.list_some_ready(
            tx,
            [each.interaction_id for each in batch.referrals],
            round_number=lane.round_number,
        )
        links = await self._referral.list_some(
            tx,
            lane.merchant_id,
            [each.referral_link_id for each in referrals if each.referral_link_id],
        )
        referrers = {each.referral_link_id: each.referrer_group_id for each in links}
        events = []
        for each in referrals:
            assert each.identity_group_id is not None, each
            assert each.event_time is not None, each
            assert each.referral_link_id is not None, each
            events.append(
                LaneEvent(
                    interaction=each,
                    person=each.identity_group_id,
                    event_time=each.event_time,
                    purchase=None,
                    referrer=referrers[each.referral_link_id],
                )
            )
        return events

    async def decide_in(self, tx: Transaction, lane: LaneWork, outcome: BatchOutcome) -> None:
        """Decides what was loaded, writes it, and notes in `outcome` what it came to.

        Raises:
            CampaignsUnreadableError: nothing of the lane can be decided.
        """
        now = self._clock()
        merchant_id = lane.merchant_id
        merchant = await self._business.get(tx, merchant_id)
        first_time = min((each.event_time for each in outcome.events), default=now)
        campaigns = await self._read_campaigns(tx, merchant_id, first_time)
        depth_max = max((campaign.chain_depth for campaign in campaigns), default=1)
        events = await self._facts.load(tx, merchant, outcome.events, depth_max=depth_max)
        ends = windows_of(campaigns, events)
        state = await self._campaigns.lock_windows(tx, ends)
        # Merchants choose how long it computes. Their lanes alone may wait for it: on this thread,
        # the transactions of all others would be cut off as idle.
        result = await asyncio.to_thread(
            decide_batch,
            campaigns,
            events,
            state,
            first_sequence=lane.next_sequence,
            now=now,
            new_id=self._new_id,
        )
        await self._decisions.add_units(
            tx, merchant_id, sorted(result.units, key=lambda unit: unit.key)
        )
        await self._campaigns.charge(
            tx,
            charges=result.charges,
            refusals=result.refusals,
            consumptions=result.consumptions,
            ends=ends,
        )
        await self._decisions.record_decided(tx, result.decided, now=now)
        until = await self._due_interactions.postpone(
            tx,
            [(each.interaction, str(pair)) for each, pair in result.waiting],
            obstacle=Obstacle.RATE_MISSING,
            now=now,
        )
        if result.facts:
            # Not for what only waits: that is no success after which a lane is as it was before.
            await self._lanes.advance(tx, merchant_id, lane.next_sequence + len(result.decisions))
        note(outcome, result, until)

    async def _read_campaigns(
        self, tx: Transaction, merchant_id: MerchantId, first_time: datetime
    ) -> Sequence[Campaign]:
        try:
            return await self._campaigns.list_paying(tx, merchant_id, first_time=first_time)
        except Exception as failure:
            if is_timeout(failure) or is_away(failure):
                raise
            raise CampaignsUnreadableError from failure


def _has_stepped_aside(interaction: Interaction, now: datetime) -> bool:
    """Whether it failed and its time has not come. One that waits for a rate may come any time."""
    is_waiting = interaction.state is InteractionState.PENDING and interaction.due_time > now
    return is_waiting and interaction.obstacle not in {Obstacle.NONE, Obstacle.RATE_MISSING}


def _life_of(purchase: Purchase) -> OrderLife:
    return OrderLife(order_reference=purchase.order_reference, generation=purchase.generation)
