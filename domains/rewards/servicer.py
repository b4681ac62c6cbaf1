"""RewardsService, translated: what the domain answers by itself, and the messages of the rest."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from google.protobuf import json_format, struct_pb2

from domains.rewards.model import (
    CancellationReason,
    DecisionRecord,
    InteractionKind,
    InteractionState,
    InteractionView,
    Obstacle,
    Outcome,
    Reward,
    RewardState,
    Role,
)
from domains.rewards.repository.ledger import Balance
from domains.rewards.service import RewardsService
from guerdon.rewards.v1 import rewards_pb2, rewards_pb2_grpc
from infrastructure.database.transaction import Database
from infrastructure.rpc.paging import page_of, page_start
from infrastructure.rpc.translating import to_timestamp, to_token_amount
from vocabulary.amounts import TokenAmount
from vocabulary.ids import IdentityGroupId, RewardId
from vocabulary.recording import recorded_at

REWARD_STATES = {
    RewardState.PENDING: rewards_pb2.Reward.STATE_PENDING,
    RewardState.CANCELLED: rewards_pb2.Reward.STATE_CANCELLED,
}
_ROLES = {
    Role.REFERRER: rewards_pb2.Reward.ROLE_REFERRER,
    Role.REFEREE: rewards_pb2.Reward.ROLE_REFEREE,
    Role.USER: rewards_pb2.Reward.ROLE_USER,
}
_KINDS = {
    InteractionKind.REFERRAL: rewards_pb2.Interaction.KIND_REFERRAL,
    InteractionKind.PURCHASE: rewards_pb2.Interaction.KIND_PURCHASE,
}
INTERACTION_STATES = {
    InteractionState.PENDING: rewards_pb2.Interaction.STATE_PENDING,
    InteractionState.DECIDED: rewards_pb2.Interaction.STATE_DECIDED,
    InteractionState.CANCELLED: rewards_pb2.Interaction.STATE_CANCELLED,
    InteractionState.DEAD: rewards_pb2.Interaction.STATE_DEAD,
}
_OUTCOMES = {
    Outcome.GRANTED: rewards_pb2.Decision.OUTCOME_GRANTED,
    Outcome.NOT_MATCHED: rewards_pb2.Decision.OUTCOME_NOT_MATCHED,
    Outcome.NOT_ACTIVE: rewards_pb2.Decision.OUTCOME_NOT_ACTIVE,
    Outcome.NOTHING_TO_PAY: rewards_pb2.Decision.OUTCOME_NOTHING_TO_PAY,
    Outcome.BUDGET_REFUSED: rewards_pb2.Decision.OUTCOME_BUDGET_REFUSED,
}


OBSTACLES = {
    Obstacle.NONE: rewards_pb2.OBSTACLE_UNSPECIFIED,
    Obstacle.RATE_MISSING: rewards_pb2.OBSTACLE_RATE_MISSING,
    Obstacle.CAMPAIGNS_UNREADABLE: rewards_pb2.OBSTACLE_CAMPAIGNS_UNREADABLE,
    Obstacle.DECIDING_FAILED: rewards_pb2.OBSTACLE_DECIDING_FAILED,
    Obstacle.TIMED_OUT: rewards_pb2.OBSTACLE_TIMED_OUT,
    Obstacle.CONNECTION_LOST: rewards_pb2.OBSTACLE_CONNECTION_LOST,
    Obstacle.REVERSAL_FAILED: rewards_pb2.OBSTACLE_REVERSAL_FAILED,
}
_CANCELLATION_REASONS = {
    None: rewards_pb2.Reward.CANCELLATION_REASON_UNSPECIFIED,
    CancellationReason.REFUND: rewards_pb2.Reward.CANCELLATION_REASON_REFUND,
}


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
        parts: tuple[Callable[[str], object], ...] = (UUID, str)
        start = page_start(request.page_size, request.page_token, key=parts)
        async with self._database.single() as tx:
            balances = await self._rewards.list_balances(
                tx,
                IdentityGroupId(UUID(request.identity_group_id)),
                after=(UUID(start.after[0]), start.after[1]) if start.after else None,
                limit=start.limit + 1,
            )
        page = page_of(
            balances,
            start,
            key=lambda each: (each.merchant_id, each.amount.unit.key),
            to_message=_balance_to_proto,
        )
        return rewards_pb2.ListBalancesResponse(
            balances=page.items,
            next_page_token=page.next_page_token,
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
        role=_ROLES[reward.role],
        depth=reward.depth,
        granted=to_token_amount(TokenAmount(unit=reward.unit, base_units=reward.granted)),
        amount=to_token_amount(TokenAmount(unit=reward.unit, base_units=reward.target)),
        state=REWARD_STATES[reward.state],
        cancellation_reason=_CANCELLATION_REASONS[reward.cancellation_reason],
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
        kind=_KINDS[interaction.kind],
        event_reference=interaction.event_reference,
        identity_group_id=str(view.identity_group_id or ""),
        purchase_id=str(view.purchase_id or ""),
        state=INTERACTION_STATES[interaction.state],
        try_count=interaction.try_count,
        obstacle=OBSTACLES[interaction.obstacle],
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
        outcome=_OUTCOMES[decision.outcome],
        details=details,
        decide_time=to_timestamp(decision.decide_time),
    )
