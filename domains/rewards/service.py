"""The use cases of events, rewards and the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domains.rewards.errors import InteractionNotFoundError, RewardNotFoundError
from domains.rewards.model import (
    DecisionRecord,
    Interaction,
    InteractionState,
    Lane,
    Posting,
    Reversal,
    Reward,
    WaitingLane,
)
from domains.rewards.model.event import retry_pause, wait_pause
from domains.rewards.repository import (
    DecisionRepository,
    EventRepository,
    LaneRepository,
    LedgerRepository,
    ReversalRepository,
    RewardRepository,
)
from domains.rewards.repository.ledger import Balance
from domains.rewards.repository.rewards import CancelledReward
from infrastructure.database.transaction import Transaction
from vocabulary.amounts import Unit
from vocabulary.ids import IdentityGroupId, InteractionId, MerchantId, RewardId


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """An event, what campaigns made of it, and what was granted."""

    interaction: Interaction
    decisions: Sequence[DecisionRecord]
    rewards: Sequence[Reward]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedBatch:
    """What deciding a batch of events resulted in. Written whole."""

    facts: Sequence[tuple[InteractionId, dict[str, object]]]
    decisions: Sequence[DecisionRecord]
    rewards: Sequence[Reward]
    postings: Sequence[Posting]


class RewardsService:
    def __init__(
        self,
        *,
        lanes: LaneRepository,
        events: EventRepository,
        decisions: DecisionRepository,
        reversals: ReversalRepository,
        rewards: RewardRepository,
        ledger: LedgerRepository,
    ) -> None:
        self._lanes = lanes
        self._events = events
        self._decisions = decisions
        self._reversals = reversals
        self._rewards = rewards
        self._ledger = ledger

    async def list_waiting_lanes(self, tx: Transaction) -> Sequence[WaitingLane]:
        """Every lane with something to do now or later and not held, the earliest first."""
        return await self._lanes.list_waiting(tx)

    async def take_lane(self, tx: Transaction, lane: WaitingLane) -> int | None:
        """Makes this transaction the lane's writer and returns the next sequence number.

        None if another transaction is the writer, or the lane is held. Does not wait.
        """
        if not lane.exists:
            await self._lanes.ensure(tx, lane.merchant_id)
        return await self._lanes.take(tx, lane.merchant_id)

    async def advance_lane(
        self, tx: Transaction, merchant_id: MerchantId, next_sequence: int
    ) -> None:
        await self._lanes.advance(tx, merchant_id, next_sequence)

    async def get_lane(self, tx: Transaction, merchant_id: MerchantId, *, now: datetime) -> Lane:
        """How far deciding has come at a merchant. A merchant without events has an empty lane."""
        return await self._lanes.get(tx, merchant_id, now=now)

    async def set_lane_held(
        self, tx: Transaction, merchant_id: MerchantId, *, held: bool, now: datetime
    ) -> Lane:
        """Stops deciding, or lets it go on. Waits for the lane's writer to finish."""
        await self._lanes.set_held(tx, merchant_id, held=held)
        return await self._lanes.get(tx, merchant_id, now=now)

    async def wake_workers(self, tx: Transaction) -> None:
        """Tells the workers to look now instead of within a second. May be lost."""
        await self._lanes.wake_workers(tx)

    async def claim_due(
        self, tx: Transaction, merchant_id: MerchantId, *, now: datetime, limit: int
    ) -> Sequence[Interaction]:
        """Locks up to `limit` due events of a lane, in the order of the lane."""
        return await self._events.claim_due(tx, merchant_id, now=now, limit=limit)

    async def claim_some(
        self, tx: Transaction, interaction_ids: Sequence[InteractionId]
    ) -> Sequence[Interaction]:
        """Locks these events, as far as they are still pending, in the order of the lane."""
        return await self._events.claim_some(tx, interaction_ids)

    async def record_decided(self, tx: Transaction, batch: DecidedBatch, *, now: datetime) -> None:
        """Writes what a batch resulted in: rewards, the ledger, decisions, marks."""
        await self._rewards.add_many(tx, batch.rewards)
        await self._ledger.post(tx, batch.postings, now=now)
        await self._decisions.add_many(tx, batch.decisions)
        await self._events.mark_decided(tx, batch.facts, now=now)

    async def add_units(
        self, tx: Transaction, merchant_id: MerchantId, units: Sequence[Unit]
    ) -> None:
        """Makes units known at a merchant. One that is known keeps its decimals."""
        if units:
            await self._ledger.add_units(tx, merchant_id, units)

    async def postpone(
        self,
        tx: Transaction,
        interactions: Sequence[Interaction],
        *,
        obstacle: str,
        now: datetime,
    ) -> None:
        """Lets events wait for something from outside. Costs them no try."""
        if interactions:
            waits = [
                (each.interaction_id, now + wait_pause(each.wait_count)) for each in interactions
            ]
            await self._events.postpone(tx, waits, obstacle=obstacle)

    async def fail(
        self, tx: Transaction, interaction: Interaction, *, obstacle: str, now: datetime
    ) -> None:
        """Sets an event aside until it is tried again, or for good."""
        pause = retry_pause(interaction.try_count + 1)
        await self._events.fail(
            tx,
            interaction.interaction_id,
            retry_time=None if pause is None else now + pause,
            obstacle=obstacle,
        )

    async def claim_reversals(
        self, tx: Transaction, merchant_id: MerchantId, *, limit: int
    ) -> Sequence[Reversal]:
        """Locks up to `limit` reversals that nobody has dealt with, oldest first."""
        return await self._reversals.claim_open(tx, merchant_id, limit=limit)

    async def take_back(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        reversals: Sequence[Reversal],
        *,
        first_sequence: int,
        now: datetime,
    ) -> Sequence[CancelledReward]:
        """Cancels the events and the rewards of orders that were taken back."""
        references = [each.event_reference for each in reversals]
        await self._events.cancel(tx, merchant_id, references)
        cancelled = await self._rewards.cancel_for(tx, merchant_id, reversals)
        await self._reversals.mark_drained(tx, reversals, first_sequence=first_sequence, now=now)
        return cancelled

    async def post(self, tx: Transaction, postings: Sequence[Posting], *, now: datetime) -> None:
        """Writes transfers and the balances that follow from them."""
        await self._ledger.post(tx, postings, now=now)

    async def get_reward(self, tx: Transaction, reward_id: RewardId) -> Reward:
        """One reward.

        Raises:
            RewardNotFoundError: there is none with this id.
        """
        found = await self._rewards.find(tx, reward_id)
        if found is None:
            raise RewardNotFoundError(reward_id)
        return found

    async def list_rewards(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        *,
        identity_group_id: UUID | None,
        purchase_id: UUID | None,
        after: UUID | None,
        limit: int,
    ) -> Sequence[Reward]:
        """A merchant's rewards, newest first; one person's or one purchase's if named."""
        return await self._rewards.list_of_merchant(
            tx,
            merchant_id,
            identity_group_id=identity_group_id,
            purchase_id=purchase_id,
            after=after,
            limit=limit,
        )

    async def list_interactions(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        *,
        state: InteractionState | None,
        after: UUID | None,
        limit: int,
    ) -> Sequence[Interaction]:
        """A merchant's events, newest first."""
        return await self._events.list_of_merchant(
            tx, merchant_id, state=state, after=after, limit=limit
        )

    async def explain(
        self, tx: Transaction, merchant_id: MerchantId, interaction_id: InteractionId
    ) -> Explanation:
        """What campaigns made of an event.

        Raises:
            InteractionNotFoundError: the merchant has none with this id.
        """
        interaction = await self._events.find(tx, merchant_id, interaction_id)
        if interaction is None:
            raise InteractionNotFoundError(interaction_id)
        return Explanation(
            interaction=interaction,
            decisions=await self._decisions.list_of_interaction(tx, interaction_id),
            rewards=await self._rewards.list_of_interaction(tx, interaction_id),
        )

    async def list_balances(
        self,
        tx: Transaction,
        identity_group_id: IdentityGroupId,
        *,
        after: tuple[UUID, str] | None,
        limit: int,
    ) -> Sequence[Balance]:
        """What a person has pending, by merchant, then unit."""
        return await self._ledger.list_balances(tx, identity_group_id, after=after, limit=limit)
