"""What requests of several services are made with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from google.protobuf import struct_pb2
from google.protobuf.message import Message

from guerdon.orchestration.v1 import purchase_linking_pb2
from tests.support.rpc_shop import BusyShop

Make = Callable[[BusyShop], Awaitable[Message]]
PAST = datetime(2025, 3, 1, 12, tzinfo=UTC)
MERCHANT = {"merchant_id": "merchant_id"}


def about(request: Callable[..., Message], **wanted: str) -> Make:
    """A request about the busy shop: its merchant, and what else is named."""

    async def make(busy: BusyShop) -> Message:
        values: dict[str, Any] = {
            name: busy.shop.merchant_id if source == "merchant_id" else getattr(busy, source)
            for name, source in wanted.items()
        }
        return request(**values)

    return make


async def a_claim(busy: BusyShop) -> purchase_linking_pb2.ClaimPurchaseRequest:
    order = str(uuid4())
    return purchase_linking_pb2.ClaimPurchaseRequest(
        customer_id=struct_pb2.Value(string_value="cust-77"),
        order_id=struct_pb2.Value(string_value=order),
        token=f"token-of-{order}",
        merchant_id=busy.shop.merchant_id,
    )
