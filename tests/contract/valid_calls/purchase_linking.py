"""Claims."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import uuid4

from google.protobuf.message import Message

from guerdon.orchestration.v1 import purchase_linking_pb2
from infrastructure.rpc.translating import to_timestamp
from tests.contract.valid_calls.making import PAST, Make, a_claim
from tests.support.rpc_shop import BusyShop


async def _import_claim(busy: BusyShop) -> Message:
    return purchase_linking_pb2.ImportClaimRequest(
        client_id=str(uuid4()), event_time=to_timestamp(PAST), claim=await a_claim(busy)
    )


REQUESTS: Mapping[str, Make] = {
    "guerdon.orchestration.v1.PurchaseLinkingService.ClaimPurchase": a_claim,
    "guerdon.orchestration.v1.PurchaseLinkingService.ImportClaim": _import_claim,
}
