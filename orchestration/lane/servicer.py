"""LaneService, translated."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from domains.rewards.model import Lane
from domains.rewards.servicer import needed_rate_to_proto
from guerdon.orchestration.v1 import lane_pb2, lane_pb2_grpc
from guerdon.rewards.v1 import rewards_pb2
from infrastructure.rpc.repeating import current_repeat
from infrastructure.rpc.translating import number_of, to_timestamp
from orchestration.lane.flow.operating import LaneOrchestrator
from vocabulary.ids import InteractionId, MerchantId


class LaneServicer(lane_pb2_grpc.LaneServiceServicer):
    """The gRPC face of `LaneOrchestrator`."""

    def __init__(self, *, flow: LaneOrchestrator) -> None:
        self._flow = flow

    async def GetLane(
        self, request: lane_pb2.GetLaneRequest, context: Any
    ) -> lane_pb2.GetLaneResponse:
        lane = await self._flow.get_lane(MerchantId(UUID(request.merchant_id)))
        return lane_pb2.GetLaneResponse(lane=_lane_to_proto(lane))

    async def HoldLane(
        self, request: lane_pb2.HoldLaneRequest, context: Any
    ) -> lane_pb2.HoldLaneResponse:
        lane = await self._flow.set_lane_held(
            MerchantId(UUID(request.merchant_id)), held=True, repeat=current_repeat(_held)
        )
        return _held(lane)

    async def ReleaseLane(
        self, request: lane_pb2.ReleaseLaneRequest, context: Any
    ) -> lane_pb2.ReleaseLaneResponse:
        lane = await self._flow.set_lane_held(
            MerchantId(UUID(request.merchant_id)), held=False, repeat=current_repeat(_released)
        )
        return _released(lane)

    async def RetryInteraction(
        self, request: lane_pb2.RetryInteractionRequest, context: Any
    ) -> lane_pb2.RetryInteractionResponse:
        await self._flow.retry_dead(
            MerchantId(UUID(request.merchant_id)),
            InteractionId(UUID(request.interaction_id)),
            repeat=current_repeat(_retried_one),
        )
        return _retried_one(1)

    async def RetryInteractions(
        self, request: lane_pb2.RetryInteractionsRequest, context: Any
    ) -> lane_pb2.RetryInteractionsResponse:
        count = await self._flow.retry_dead(
            MerchantId(UUID(request.merchant_id)), None, repeat=current_repeat(_retried)
        )
        return _retried(count)


def _retried_one(_: int) -> lane_pb2.RetryInteractionResponse:
    return lane_pb2.RetryInteractionResponse()


def _retried(count: int) -> lane_pb2.RetryInteractionsResponse:
    return lane_pb2.RetryInteractionsResponse(interaction_count=count)


def _held(lane: Lane) -> lane_pb2.HoldLaneResponse:
    return lane_pb2.HoldLaneResponse(lane=_lane_to_proto(lane))


def _released(lane: Lane) -> lane_pb2.ReleaseLaneResponse:
    return lane_pb2.ReleaseLaneResponse(lane=_lane_to_proto(lane))


def _lane_to_proto(lane: Lane) -> lane_pb2.Lane:
    return lane_pb2.Lane(
        merchant_id=str(lane.merchant_id),
        held=lane.held,
        due_count=lane.due_count,
        waiting_count=lane.waiting_count,
        dead_count=lane.dead_count,
        oldest_due_time=to_timestamp(lane.oldest_due_time),
        obstacle=number_of(lane.obstacle, rewards_pb2.Obstacle),
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
