"""The whole of RewardsService: what the domain answers by itself, and what needs others."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from domains.rewards.model import InteractionState, RewardState
from domains.rewards.service import RewardsService
from domains.rewards.servicer import (
    RewardsServicer,
    decision_to_proto,
    interaction_to_proto,
    reward_to_proto,
)
from guerdon.rewards.v1 import rewards_pb2
from infrastructure.database.transaction import Database
from infrastructure.rpc.paging import page_of, page_start
from infrastructure.rpc.recorded import ids_asked
from infrastructure.rpc.translating import to_duration, to_timestamp, word_if_any
from orchestration.reward_reading.flow import ExplainedCredit, RewardReadingOrchestrator
from vocabulary.ids import InteractionId, MerchantId


class RewardReadingServicer(RewardsServicer):
    """Adds to the domain's own methods those that read several domains."""

    def __init__(
        self, *, database: Database, rewards: RewardsService, flow: RewardReadingOrchestrator
    ) -> None:
        super().__init__(database=database, rewards=rewards)
        self._reading = flow

    async def ListRewards(
        self, request: rewards_pb2.ListRewardsRequest, context: Any
    ) -> rewards_pb2.ListRewardsResponse:
        start = page_start(request, UUID)
        rewards = await self._reading.list_rewards(
            MerchantId(UUID(request.merchant_id)),
            identity_group_id=UUID(request.identity_group_id)
            if request.identity_group_id
            else None,
            purchase_id=UUID(request.purchase_id) if request.purchase_id else None,
            state=word_if_any(request.state, RewardState, rewards_pb2.Reward.State),
            within=ids_asked(request, start),
            limit=start.limit,
        )
        return page_of(
            rewards,
            start,
            key=lambda each: each.reward_id,
            to_message=reward_to_proto,
            response=rewards_pb2.ListRewardsResponse,
        )

    async def ListInteractions(
        self, request: rewards_pb2.ListInteractionsRequest, context: Any
    ) -> rewards_pb2.ListInteractionsResponse:
        start = page_start(request, UUID)
        interactions = await self._reading.list_interactions(
            MerchantId(UUID(request.merchant_id)),
            state=word_if_any(request.state, InteractionState, rewards_pb2.Interaction.State),
            within=ids_asked(request, start),
            limit=start.limit,
        )
        return page_of(
            interactions,
            start,
            key=lambda each: each.interaction.interaction_id,
            to_message=interaction_to_proto,
            response=rewards_pb2.ListInteractionsResponse,
        )

    async def ExplainInteraction(
        self, request: rewards_pb2.ExplainInteractionRequest, context: Any
    ) -> rewards_pb2.ExplainInteractionResponse:
        explanation = await self._reading.explain(
            MerchantId(UUID(request.merchant_id)), InteractionId(UUID(request.interaction_id))
        )
        return rewards_pb2.ExplainInteractionResponse(
            interaction=interaction_to_proto(explanation.view),
            decisions=[decision_to_proto(each) for each in explanation.decisions],
            rewards=[reward_to_proto(each) for each in explanation.rewards],
            credit=_credit_to_proto(explanation.credit),
        )


def _credit_to_proto(explained: ExplainedCredit | None) -> rewards_pb2.Credit | None:
    if explained is None:
        return None
    return rewards_pb2.Credit(
        credit_time=to_timestamp(explained.credit_time),
        touch_time=to_timestamp(explained.credit.touch_time),
        needed_tolerance=explained.credit.needed_tolerance,
        late_duration=None if explained.late is None else to_duration(explained.late),
        early_duration=None if explained.early is None else to_duration(explained.early),
        sentence=explained.sentence,
    )
