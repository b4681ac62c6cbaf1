"""PurchaseWebhookService, translated."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from google.api import httpbody_pb2

from guerdon.orchestration.v1 import purchase_webhook_pb2, purchase_webhook_pb2_grpc
from infrastructure.rpc.headers import every_header_of
from orchestration.purchase_webhook.flow import PurchaseWebhookOrchestrator, ReceivedDelivery
from orchestration.purchase_webhook.platforms import CustomPlatform, Message
from vocabulary.ids import MerchantId

_HEX = "0x"


class PurchaseWebhookServicer(purchase_webhook_pb2_grpc.PurchaseWebhookServiceServicer):
    """The gRPC face of `PurchaseWebhookOrchestrator`."""

    def __init__(self, *, flow: PurchaseWebhookOrchestrator) -> None:
        self._flow = flow

    async def ReceiveCustomOrder(
        self, request: purchase_webhook_pb2.ReceiveCustomOrderRequest, context: Any
    ) -> purchase_webhook_pb2.ReceiveCustomOrderResponse:
        shop = request.product_id or request.merchant_id
        is_product = shop.startswith(_HEX)
        answer = await self._flow.receive(
            ReceivedDelivery(
                platform=CustomPlatform.name,
                merchant_id=None if is_product else MerchantId(UUID(shop)),
                product_id=bytes.fromhex(shop.removeprefix(_HEX)) if is_product else None,
                message=Message(body=request.payload.data, headers=every_header_of(context)),
            )
        )
        return purchase_webhook_pb2.ReceiveCustomOrderResponse(
            text=httpbody_pb2.HttpBody(
                content_type="text/plain; charset=utf-8", data=answer.encode()
            )
        )
