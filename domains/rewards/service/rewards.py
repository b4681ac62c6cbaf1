"""The use cases of interactions, rewards and the ledger."""

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
    Posting,
    Reversal,
    Reward,
    RewardState,
)
from domains.rewards.repository import (
    DecisionRepository,
    DueEventRepository,
    EventRepository,
    LedgerRepository,
    ReversalRepository,
    RewardRepository,
)
from domains.rewards.repository.ledger import Balance
from domains.rewards.repository.rewards import CancelledReward
from infrastructure.database.transaction import Transaction
from vocabulary.amounts import Unit
from vocabulary.ids import IdentityGroupId, InteractionId, MerchantId, RewardId
from vocabulary.recording import IdRange


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
        events: EventRepository,
        due_events: DueEventRepository,
        decisions: DecisionRepository,
        reversals: ReversalRepository,
        rewards: RewardRepository,
        ledger: LedgerRepository,
    ) -> None:
        self._events = events
        self._due_events = due_events
        self._decisions = decisions
        self._reversals = reversals
        self._rewards = rewards
        self._ledger = ledger

    async def record_decided(self, tx: Transaction, batch: DecidedBatch, *, now: datetime) -> None:
        """Writes what a batch resulted in: rewards, the ledger, decisions, marks."""
        await self._rewards.add_many(tx, batch.rewards)
        await self._ledger.post(tx, batch.postings, now=now)
        await self._decisions.add_many(tx, batch.decisions)
        await self._due_events.mark_decided(tx, batch.facts, now=now)

    async def add_units(
        self, tx: Transaction, merchant_id: MerchantId, units: Sequence[Unit]
    ) -> None:
        """Makes units known at a merchant. One that is known keeps its decimals."""
        if units:
            await self._ledger.add_units(tx, merchant_id, units)

    async def take_back(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        reversals: Sequence[Reversal],
        *,
        first_sequence: int,
        now: datetime,
    ) -> Sequence[CancelledReward]:
        """Cancels the interactions and the rewards of orders that were taken back."""
        await self._events.cancel(tx, merchant_id, [each.life for each in reversals])
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
        state: RewardState | None,
        within: IdRange,
        limit: int,
    ) -> Sequence[Reward]:
        """A merchant's rewards with these ids, most recently recorded first.

        Those of a person or of a purchase, if they are named.
        """
        return await self._rewards.list_of_merchant(
            tx,
            merchant_id,
            identity_group_id=identity_group_id,
            purchase_id=purchase_id,
            state=state,
            within=within,
            limit=limit,
        )

    async def list_interactions(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        *,
        state: InteractionState | None,
        within: IdRange,
        limit: int,
    ) -> Sequence[Interaction]:
        """A merchant's events with these ids, most recently recorded first."""
        return await self._events.list_of_merchant(
            tx, merchant_id, state=state, within=within, limit=limit
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
