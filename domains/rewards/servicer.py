"""RewardsService, translated: what the domain answers by itself, and the messages of the rest."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from google.protobuf import json_format, struct_pb2

from domains.rewards.model import (
    DecisionRecord,
    InteractionView,
    Reward,
)
from domains.rewards.repository.ledger import Balance
from domains.rewards.service import RewardsService
from guerdon.rewards.v1 import rewards_pb2, rewards_pb2_grpc
from infrastructure.database.transaction import Database
from infrastructure.rpc.paging import page_of, page_start
from infrastructure.rpc.translating import number_of, to_timestamp, to_token_amount
from vocabulary.amounts import TokenAmount
from vocabulary.ids import IdentityGroupId, RewardId
from vocabulary.recording import recorded_at


class RewardsServicer(rewards_pb2_grpc.RewardsServiceServicer):
    def __init__(self, *, database: Database, rewards: RewardsService) -> None:
        self._database = database
        self._rewards = rewards

    async def GetReward(
        self, request: rewards_pb2.GetRewardRequest, context: Any
    ) -> rewards_pb2.GetRewardResponse:
        async with self._database.single() as tx:
            reward = await self._rewards.get_reward(tx, RewardId(UUID(request.reward_id)))
        return rewards_pb2.GetRewardResponse(reward=reward_to_proto(reward))

    async def ListBalances(
        self, request: rewards_pb2.ListBalancesRequest, context: Any
    ) -> rewards_pb2.ListBalancesResponse:
        start = page_start(request, UUID, str)
        async with self._database.single() as tx:
            balances = await self._rewards.list_balances(
                tx,
                IdentityGroupId(UUID(request.identity_group_id)),
                after=start.after,
                limit=start.limit,
            )
        return page_of(
            balances,
            start,
            key=lambda each: (each.merchant_id, each.amount.unit.key),
            to_message=_balance_to_proto,
            response=rewards_pb2.ListBalancesResponse,
        )


def _balance_to_proto(balance: Balance) -> rewards_pb2.Balance:
    return rewards_pb2.Balance(
        merchant_id=str(balance.merchant_id),
        standing=rewards_pb2.Balance.STANDING_PENDING,
        amount=to_token_amount(balance.amount),
    )


def reward_to_proto(reward: Reward) -> rewards_pb2.Reward:
    """The contract's message for a reward."""
    return rewards_pb2.Reward(
        reward_id=str(reward.reward_id),
        merchant_id=str(reward.merchant_id),
        campaign_id=str(reward.campaign_id),
        interaction_id=str(reward.interaction_id),
        purchase_id=str(reward.purchase_id or ""),
        identity_group_id=str(reward.identity_group_id),
        role=number_of(reward.role, rewards_pb2.Reward.Role),
        depth=reward.depth,
        granted=to_token_amount(TokenAmount(unit=reward.unit, base_units=reward.granted)),
        amount=to_token_amount(TokenAmount(unit=reward.unit, base_units=reward.target)),
        state=number_of(reward.state, rewards_pb2.Reward.State),
        cancellation_reason=number_of(
            reward.cancellation_reason, rewards_pb2.Reward.CancellationReason
        ),
        description=reward.description,
        event_time=to_timestamp(reward.event_time),
        # What lists are filtered by. An id of another kind tells nothing.
        create_time=to_timestamp(recorded_at(reward.reward_id) or reward.create_time),
    )


def interaction_to_proto(view: InteractionView) -> rewards_pb2.Interaction:
    """The contract's message for an interaction."""
    interaction = view.interaction
    return rewards_pb2.Interaction(
        interaction_id=str(interaction.interaction_id),
        merchant_id=str(interaction.merchant_id),
        kind=number_of(interaction.kind, rewards_pb2.Interaction.Kind),
        event_reference=interaction.event_reference,
        identity_group_id=str(view.identity_group_id or ""),
        purchase_id=str(view.purchase_id or ""),
        state=number_of(interaction.state, rewards_pb2.Interaction.State),
        try_count=interaction.try_count,
        obstacle=number_of(interaction.obstacle, rewards_pb2.Obstacle),
        event_time=to_timestamp(view.event_time),
        due_time=to_timestamp(interaction.due_time),
        decide_time=to_timestamp(interaction.decide_time),
        referrer_identity_group_id=str(interaction.referrer_group_id or ""),
        needed_rate=None
        if interaction.needed_rate is None
        else needed_rate_to_proto(
            interaction.needed_rate, start_time=view.rate_start_time, end_time=view.event_time
        ),
        record_time=to_timestamp(recorded_at(interaction.interaction_id)),
    )


def needed_rate_to_proto(
    pair: str,
    *,
    start_time: datetime | None,
    end_time: datetime,
    interaction_count: int = 1,
) -> rewards_pb2.NeededRate:
    """The contract's message for a rate that somebody has to supply."""
    base, _, quote = pair.partition("/")
    return rewards_pb2.NeededRate(
        base_currency=base,
        quote_currency=quote,
        start_time=to_timestamp(start_time),
        end_time=to_timestamp(end_time),
        interaction_count=interaction_count,
    )


def decision_to_proto(decision: DecisionRecord) -> rewards_pb2.Decision:
    """The contract's message for a decision."""
    details = json_format.ParseDict(dict(decision.details), struct_pb2.Struct())
    return rewards_pb2.Decision(
        campaign_id=str(decision.campaign_id),
        rule_version=decision.rule_version,
        sequence=decision.sequence,
        outcome=number_of(decision.outcome, rewards_pb2.Decision.Outcome),
        details=details,
        decide_time=to_timestamp(decision.decide_time),
    )
