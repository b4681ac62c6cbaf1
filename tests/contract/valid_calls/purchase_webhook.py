"""What shops report."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import uuid4

from google.api import httpbody_pb2
from google.protobuf.message import Message

from guerdon.orchestration.v1 import purchase_webhook_pb2
from tests.contract.valid_calls.making import Make
from tests.support.rpc_shop import BusyShop, an_order


async def _receive_order(busy: BusyShop) -> Message:
    return purchase_webhook_pb2.ReceiveCustomOrderRequest(
        merchant_id=busy.shop.merchant_id,
        payload=httpbody_pb2.HttpBody(content_type="application/json", data=an_order(str(uuid4()))),
    )


REQUESTS: Mapping[str, Make] = {
    "guerdon.orchestration.v1.PurchaseWebhookService.ReceiveCustomOrder": _receive_order,
}
