"""Lanes."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import uuid4

from google.protobuf.message import Message
from sqlalchemy import text

from guerdon.orchestration.v1 import lane_pb2
from tests.contract.valid_calls.making import MERCHANT, Make, about
from tests.support.rpc_shop import BusyShop, open_shop


async def _a_dead_interaction(busy: BusyShop) -> tuple[str, str]:
    """A merchant, and an interaction of it that is dead."""
    shop = await open_shop(busy.shop.mesh)
    await shop.order("A-1", client_id=str(uuid4()))
    async with busy.shop.mesh.application.database.transaction() as tx:
        dead = await tx.execute(
            text(
                "UPDATE interaction SET state = 'dead' WHERE merchant_id = :merchant_id"
                " RETURNING interaction_id"
            ),
            {"merchant_id": shop.merchant_id},
        )
        return shop.merchant_id, str(dead.scalar_one())


async def _retry_interaction(busy: BusyShop) -> Message:
    merchant_id, interaction_id = await _a_dead_interaction(busy)
    return lane_pb2.RetryInteractionRequest(merchant_id=merchant_id, interaction_id=interaction_id)


async def _retry_interactions(busy: BusyShop) -> Message:
    merchant_id, _ = await _a_dead_interaction(busy)
    return lane_pb2.RetryInteractionsRequest(merchant_id=merchant_id)


REQUESTS: Mapping[str, Make] = {
    "guerdon.orchestration.v1.LaneService.GetLane": about(lane_pb2.GetLaneRequest, **MERCHANT),
    "guerdon.orchestration.v1.LaneService.HoldLane": about(lane_pb2.HoldLaneRequest, **MERCHANT),
    "guerdon.orchestration.v1.LaneService.ReleaseLane": about(
        lane_pb2.ReleaseLaneRequest, **MERCHANT
    ),
    "guerdon.orchestration.v1.LaneService.RetryInteraction": _retry_interaction,
    "guerdon.orchestration.v1.LaneService.RetryInteractions": _retry_interactions,
}
