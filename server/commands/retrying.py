"""Has a mesh try again what is dead."""

from __future__ import annotations

from guerdon.orchestration.v1 import lane_pb2, lane_pb2_grpc
from guerdon.purchases.v1 import purchases_pb2, purchases_pb2_grpc
from server.commands.mesh import Mesh, call


async def retry_interactions(mesh: Mesh, merchant_id: str, interaction_id: str | None) -> int:
    """Has one dead interaction decided again, or all of a merchant; returns how many."""
    if interaction_id is not None:
        await call(
            mesh,
            lambda channel: lane_pb2_grpc.LaneServiceStub(channel).RetryInteraction,
            lane_pb2.RetryInteractionRequest(
                merchant_id=merchant_id, interaction_id=interaction_id
            ),
        )
        return 1
    total = 0
    while True:
        answer: lane_pb2.RetryInteractionsResponse = await call(
            mesh,
            lambda channel: lane_pb2_grpc.LaneServiceStub(channel).RetryInteractions,
            lane_pb2.RetryInteractionsRequest(merchant_id=merchant_id),
        )
        if not answer.interaction_count:
            return total
        total += answer.interaction_count


async def retry_deliveries(mesh: Mesh, merchant_id: str, delivery_id: str | None) -> int:
    """Has one dead delivery applied again, or all of a merchant; returns how many."""
    if delivery_id is not None:
        await call(
            mesh,
            lambda channel: purchases_pb2_grpc.PurchasesServiceStub(channel).RetryDelivery,
            purchases_pb2.RetryDeliveryRequest(merchant_id=merchant_id, delivery_id=delivery_id),
        )
        return 1
    total = 0
    while True:
        answer: purchases_pb2.RetryDeliveriesResponse = await call(
            mesh,
            lambda channel: purchases_pb2_grpc.PurchasesServiceStub(channel).RetryDeliveries,
            purchases_pb2.RetryDeliveriesRequest(merchant_id=merchant_id),
        )
        if not answer.delivery_count:
            return total
        total += answer.delivery_count
