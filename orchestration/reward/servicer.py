"""RewardService, translated."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from domains.rewards.errors import PageTokenInvalidError
from domains.rewards.model import Lane
from domains.rewards.servicer import (
    INTERACTION_STATES,
    decision_to_proto,
    interaction_to_proto,
    needed_rate_to_proto,
    reward_to_proto,
)
from guerdon.orchestration.v1 import reward_pb2, reward_pb2_grpc
from guerdon.rewards.v1 import rewards_pb2
from infrastructure.rpc.paging import page_of, page_start
from infrastructure.rpc.repeating import current_repeat
from infrastructure.rpc.translating import to_duration, to_timestamp
from orchestration.reward.flow import ExplainedCredit, LaneReadingOrchestrator
from vocabulary.ids import InteractionId, MerchantId

_STATES_ASKED = {
    rewards_pb2.Interaction.STATE_UNSPECIFIED: None,
    **{number: state for state, number in INTERACTION_STATES.items()},
}


class RewardServicer(reward_pb2_grpc.RewardServiceServicer):
    """The gRPC face of `LaneReadingOrchestrator`."""

    def __init__(self, *, flow: LaneReadingOrchestrator) -> None:
        self._flow = flow

    async def ListRewards(
        self, request: reward_pb2.ListRewardsRequest, context: Any
    ) -> reward_pb2.ListRewardsResponse:
        start = page_start(
            request.page_size, request.page_token, key=(UUID,), invalid=PageTokenInvalidError
        )
        rewards = await self._flow.list_rewards(
            MerchantId(UUID(request.merchant_id)),
            identity_group_id=UUID(request.identity_group_id)
            if request.identity_group_id
            else None,
            purchase_id=UUID(request.purchase_id) if request.purchase_id else None,
            after=UUID(start.after[0]) if start.after else None,
            limit=start.limit + 1,
        )
        page = page_of(
            rewards, start, key=lambda each: (each.reward_id,), to_message=reward_to_proto
        )
        return reward_pb2.ListRewardsResponse(
            rewards=page.items,
            next_page_token=page.next_page_token,
        )

    async def ListInteractions(
        self, request: reward_pb2.ListInteractionsRequest, context: Any
    ) -> reward_pb2.ListInteractionsResponse:
        start = page_start(
            request.page_size, request.page_token, key=(UUID,), invalid=PageTokenInvalidError
        )
        interactions = await self._flow.list_interactions(
            MerchantId(UUID(request.merchant_id)),
            state=_STATES_ASKED[request.state],
            after=UUID(start.after[0]) if start.after else None,
            limit=start.limit + 1,
        )
        page = page_of(
            interactions,
            start,
            key=lambda each: (each.interaction.interaction_id,),
            to_message=interaction_to_proto,
        )
        return reward_pb2.ListInteractionsResponse(
            interactions=page.items,
            next_page_token=page.next_page_token,
        )

    async def ExplainInteraction(
        self, request: reward_pb2.ExplainInteractionRequest, context: Any
    ) -> reward_pb2.ExplainInteractionResponse:
        explanation = await self._flow.explain(
            MerchantId(UUID(request.merchant_id)), InteractionId(UUID(request.interaction_id))
        )
        return reward_pb2.ExplainInteractionResponse(
            interaction=interaction_to_proto(explanation.view),
            decisions=[decision_to_proto(each) for each in explanation.decisions],
            rewards=[reward_to_proto(each) for each in explanation.rewards],
            credit=_credit_to_proto(explanation.credit),
        )

    async def GetLane(
        self, request: reward_pb2.GetLaneRequest, context: Any
    ) -> reward_pb2.GetLaneResponse:
        lane = await self._flow.get_lane(MerchantId(UUID(request.merchant_id)))
        return reward_pb2.GetLaneResponse(lane=_lane_to_proto(lane))

    async def HoldLane(
        self, request: reward_pb2.HoldLaneRequest, context: Any
    ) -> reward_pb2.HoldLaneResponse:
        lane = await self._flow.set_lane_held(
            MerchantId(UUID(request.merchant_id)), held=True, repeat=current_repeat(_held)
        )
        return _held(lane)

    async def ReleaseLane(
        self, request: reward_pb2.ReleaseLaneRequest, context: Any
    ) -> reward_pb2.ReleaseLaneResponse:
        lane = await self._flow.set_lane_held(
            MerchantId(UUID(request.merchant_id)), held=False, repeat=current_repeat(_released)
        )
        return _released(lane)

    async def RetryInteraction(
        self, request: reward_pb2.RetryInteractionRequest, context: Any
    ) -> reward_pb2.RetryInteractionResponse:
        await self._flow.retry_dead(
            MerchantId(UUID(request.merchant_id)),
            InteractionId(UUID(request.interaction_id)),
            repeat=current_repeat(_retried_one),
        )
        return _retried_one(1)

    async def RetryInteractions(
        self, request: reward_pb2.RetryInteractionsRequest, context: Any
    ) -> reward_pb2.RetryInteractionsResponse:
        count = await self._flow.retry_dead(
            MerchantId(UUID(request.merchant_id)), None, repeat=current_repeat(_retried)
        )
        return _retried(count)


def _credit_to_proto(explained: ExplainedCredit | None) -> reward_pb2.Credit | None:
    if explained is None:
        return None
    return reward_pb2.Credit(
        credit_time=to_timestamp(explained.credit_time),
        touch_time=to_timestamp(explained.credit.touch_time),
        needed_tolerance=explained.credit.needed_tolerance,
        late_duration=None if explained.late is None else to_duration(explained.late),
        early_duration=None if explained.early is None else to_duration(explained.early),
        sentence=explained.sentence,
    )


def _retried_one(_: int) -> reward_pb2.RetryInteractionResponse:
    return reward_pb2.RetryInteractionResponse()


def _retried(count: int) -> reward_pb2.RetryInteractionsResponse:
    return reward_pb2.RetryInteractionsResponse(interaction_count=count)


def _held(lane: Lane) -> reward_pb2.HoldLaneResponse:
    return reward_pb2.HoldLaneResponse(lane=_lane_to_proto(lane))


def _released(lane: Lane) -> reward_pb2.ReleaseLaneResponse:
    return reward_pb2.ReleaseLaneResponse(lane=_lane_to_proto(lane))


def _lane_to_proto(lane: Lane) -> reward_pb2.Lane:
    return reward_pb2.Lane(
        merchant_id=str(lane.merchant_id),
        held=lane.held,
        due_count=lane.due_count,
        waiting_count=lane.waiting_count,
        dead_count=lane.dead_count,
        oldest_due_time=to_timestamp(lane.oldest_due_time),
        obstacle=lane.obstacle,
        retry_time=to_timestamp(lane.retry_time),
        needed_rates=[
            needed_rate_to_proto(
                each.pair,
                start_time=each.first_time,
                end_time=each.last_time,
                interaction_count=each.interaction_count,
            )
            for each in lane.needed_rates
        ],
    )
