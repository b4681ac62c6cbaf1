"""The use cases of reading: interactions, rewards and balances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from domains.rewards.errors import InteractionNotFoundError, RewardNotFoundError
from domains.rewards.model import DecisionRecord, Interaction, InteractionState, Reward, RewardState
from domains.rewards.repository import (
    DecisionRepository,
    EventRepository,
    LedgerRepository,
    RewardRepository,
)
from domains.rewards.repository.ledger import Balance
from infrastructure.database.transaction import Transaction
from vocabulary.ids import IdentityGroupId, InteractionId, MerchantId, RewardId
from vocabulary.recording import IdRange


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """An event, what campaigns made of it, and what was granted."""

    interaction: Interaction
    decisions: Sequence[DecisionRecord]
    rewards: Sequence[Reward]


class RewardsService:
    def __init__(
        self,
        *,
        events: EventRepository,
        decisions: DecisionRepository,
        rewards: RewardRepository,
        ledger: LedgerRepository,
    ) -> None:
        self._events = events
        self._decisions = decisions
        self._rewards = rewards
        self._ledger = ledger

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
