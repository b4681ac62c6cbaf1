"""Health."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf.message import Message

from guerdon.edge.v1 import edge_pb2
from tests.contract.valid_calls.making import Make
from tests.support.rpc_shop import BusyShop


async def _nothing_health(_: BusyShop) -> Message:
    return edge_pb2.GetHealthRequest()


async def _nothing_readiness(_: BusyShop) -> Message:
    return edge_pb2.GetReadinessRequest()


REQUESTS: Mapping[str, Make] = {
    "guerdon.edge.v1.EdgeService.GetHealth": _nothing_health,
    "guerdon.edge.v1.EdgeService.GetReadiness": _nothing_readiness,
}
