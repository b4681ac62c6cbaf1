"""Reward work: one writer a merchant, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domains.business.service import BusinessService
from domains.campaign.service import CampaignService
from domains.rewards.errors import MerchantUnknownError
from domains.rewards.model import Interaction, InteractionState, Lane, Reward, WaitingLane
from domains.rewards.service import Explanation, RewardsService
from infrastructure.database.transaction import Database, Repeat, Transaction
from orchestration.cancellation.flow import CancellationOrchestrator
from orchestration.reward.flow.batch import RATE_MISSING, decide_batch, windows_of
from orchestration.reward.flow.event_facts import EventFactsLoader
from vocabulary.ids import InteractionId, MerchantId


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneOutcome:
    """What one turn at a lane came to. All zero: another worker is at it, or nothing is due."""

    decided_count: int = 0
    waiting_count: int = 0
    reversed_count: int = 0
    reward_count: int = 0

    @property
    def did_something(self) -> bool:
        return bool(self.decided_count or self.waiting_count or self.reversed_count)


class BatchFailedError(Exception):
    """A turn at a lane failed and was undone. `interaction_ids` are the events in it.

    Empty: it failed before it came to events, at the reversals.
    """

    def __init__(self, interaction_ids: Sequence[InteractionId]) -> None:
        super().__init__(f"{len(interaction_ids)} events")
        self.interaction_ids = interaction_ids


class RewardOrchestrator:
    """Turns due events into rewards.

    Locks, downwards: the merchant's lane; events; campaigns, shared; budget windows; rewards;
    accounts. Nobody else writes a merchant's money while the lane is taken, so the same
    events give the same rewards however many workers there are.
    """

    def __init__(
        self,
        *,
        database: Database,
        business: BusinessService,
        campaigns: CampaignService,
        rewards: RewardsService,
        facts: EventFactsLoader,
        cancellation: CancellationOrchestrator,
        clock: Callable[[], datetime],
        new_id: Callable[[], UUID],
        batch_size: int,
    ) -> None:
        self._database = database
        self._business = business
        self._campaigns = campaigns
        self._rewards = rewards
        self._facts = facts
        self._cancellation = cancellation
        self._clock = clock
        self._new_id = new_id
        self._batch_size = batch_size

    async def list_waiting_lanes(self) -> Sequence[WaitingLane]:
        """Every lane with something to do now or later, the earliest first."""
        async with self._database.single() as tx:
            return await self._rewards.list_waiting_lanes(tx)

    async def work(self, lane: WaitingLane) -> LaneOutcome:
        """Takes one turn at a lane: its reversals, then one batch of due events.

        Raises:
            BatchFailedError: nothing of the turn happened.
        """
        return await self._turn(lane, None)

    async def work_on(
        self, lane: WaitingLane, interaction_ids: Sequence[InteractionId]
    ) -> LaneOutcome:
        """Takes a turn at a lane for these events only, to find the one that fails.

        Raises:
            BatchFailedError: nothing of the turn happened.
        """
        return await self._turn(lane, interaction_ids)

    async def set_aside(
        self, lane: WaitingLane, interaction_id: InteractionId, *, obstacle: str, costs_try: bool
    ) -> None:
        """Sets an event aside until it is tried again later.

        When it costs a try, the fifth time it is dead, and visible.
        """
        now = self._clock()
        async with self._database.transaction() as tx:
            if await self._rewards.take_lane(tx, lane) is None:
                return
            for interaction in await self._rewards.claim_some(tx, [interaction_id]):
                if costs_try:
                    await self._rewards.fail(tx, interaction, obstacle=obstacle, now=now)
                else:
                    await self._rewards.postpone(tx, [interaction], obstacle=obstacle, now=now)

    async def _turn(self, lane: WaitingLane, only: Sequence[InteractionId] | None) -> LaneOutcome:
        claimed: list[Interaction] = []
        now = self._clock()

        async def attempt() -> LaneOutcome:
            claimed.clear()
            async with self._database.transaction() as tx:
                sequence = await self._rewards.take_lane(tx, lane)
                if sequence is None:
                    return LaneOutcome()
                reversed_count = await self._cancellation.drain_reversals_in(
                    tx,
                    lane.merchant_id,
                    first_sequence=sequence,
                    now=now,
                    limit=self._batch_size,
                )
                sequence += reversed_count
                # An order that was taken back must not be decided first and use up a budget: as
                # long as there may be another reversal, nothing is.
                if reversed_count < self._batch_size:
                    claimed.extend(await self._claim(tx, lane.merchant_id, only, now=now))
                outcome = await self._decide(tx, lane.merchant_id, claimed, sequence, now=now)
                return LaneOutcome(
                    decided_count=outcome.decided_count,
                    waiting_count=outcome.waiting_count,
                    reversed_count=reversed_count,
                    reward_count=outcome.reward_count,
                )

        try:
            return await self._database.run(attempt)
        except Exception as failure:
            raise BatchFailedError([each.interaction_id for each in claimed]) from failure

    async def _claim(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        only: Sequence[InteractionId] | None,
        *,
        now: datetime,
    ) -> Sequence[Interaction]:
        if only is not None:
            return await self._rewards.claim_some(tx, only)
        return await self._rewards.claim_due(tx, merchant_id, now=now, limit=self._batch_size)

    async def _decide(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        interactions: Sequence[Interaction],
        sequence: int,
        *,
        now: datetime,
    ) -> LaneOutcome:
        if not interactions:
            await self._rewards.advance_lane(tx, merchant_id, sequence)
            return LaneOutcome()
        merchant = await self._business.get(tx, merchant_id)
        campaigns = await self._campaigns.list_paying(tx, merchant_id)
        depth_max = max((campaign.rule.chain_depth for campaign in campaigns), default=1)
        events = await self._facts.load(tx, merchant, interactions, depth_max=depth_max)
        state = await self._campaigns.lock_windows(tx, windows_of(campaigns, events))
        result = decide_batch(
            campaigns,
            events,
            state,
            first_sequence=sequence,
            now=now,
            new_id=self._new_id,
        )
        await self._rewards.add_units(
            tx, merchant_id, sorted(result.units, key=lambda unit: unit.key)
        )
        await self._campaigns.charge(
            tx,
            charges=result.charges,
            refusals=result.refusals,
            consumptions=result.consumptions,
        )
        await self._rewards.record_decided(tx, result.decided, now=now)
        await self._rewards.postpone(tx, result.waiting, obstacle=RATE_MISSING, now=now)
        await self._rewards.advance_lane(tx, merchant_id, sequence + len(result.decisions))
        return LaneOutcome(
            decided_count=len(result.facts),
            waiting_count=len(result.waiting),
            reward_count=len(result.rewards),
        )

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
    ) -> Sequence[Interaction]:
        """A merchant's events, newest first.

        Raises:
            MerchantUnknownError: there is no such merchant.
        """
        async with self._database.single() as tx:
            found = await self._rewards.list_interactions(
                tx, merchant_id, state=state, after=after, limit=limit
            )
            if not found:
                await self._require_merchant(tx, merchant_id)
            return found

    async def explain(self, merchant_id: MerchantId, interaction_id: InteractionId) -> Explanation:
        """What campaigns made of an event.

        Raises:
            InteractionNotFoundError: the merchant has none with this id.
        """
        async with self._database.single() as tx:
            return await self._rewards.explain(tx, merchant_id, interaction_id)

    async def get_lane(self, merchant_id: MerchantId) -> Lane:
        """How far deciding has come at a merchant.

        Raises:
            MerchantUnknownError: there is no such merchant.
        """
        async with self._database.single() as tx:
            await self._require_merchant(tx, merchant_id)
            return await self._rewards.get_lane(tx, merchant_id, now=self._clock())

    async def set_lane_held(
        self, merchant_id: MerchantId, *, held: bool, repeat: Repeat | None
    ) -> Lane:
        """Stops deciding at a merchant, or lets it go on.

        Raises:
            MerchantUnknownError: there is no such merchant.
        """
        async with self._database.transaction(repeat=repeat) as tx:
            await self._require_merchant(tx, merchant_id)
            lane = await self._rewards.set_lane_held(tx, merchant_id, held=held, now=self._clock())
            if not held:
                # They hear of it when this is committed, not before.
                await self._rewards.wake_workers(tx)
            await tx.answer(lane)
        return lane

    async def _require_merchant(self, tx: Transaction, merchant_id: MerchantId) -> None:
        if not await self._business.exists(tx, merchant_id):
            raise MerchantUnknownError(merchant_id)
