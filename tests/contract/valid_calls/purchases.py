"""Orders, and what shops delivered."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf.message import Message
from sqlalchemy import text

from guerdon.purchases.v1 import purchases_pb2
from tests.contract.valid_calls.making import MERCHANT, Make, about
from tests.support.rpc_shop import BusyShop, open_shop


async def _get_purchase(busy: BusyShop) -> Message:
    [purchase, *_] = await busy.shop.purchases()
    return purchases_pb2.GetPurchaseRequest(
        merchant_id=busy.shop.merchant_id, purchase_id=purchase.purchase_id
    )


async def _a_dead_delivery(busy: BusyShop) -> tuple[str, str]:
    """A merchant, and a delivery of its shop that is dead."""
    shop = await open_shop(busy.shop.mesh)
    await shop.order("A-1")
    async with busy.shop.mesh.application.database.transaction() as tx:
        dead = await tx.execute(
            text(
                "UPDATE delivery SET state = 'dead' WHERE merchant_id = :merchant_id"
                " RETURNING delivery_id"
            ),
            {"merchant_id": shop.merchant_id},
        )
        return shop.merchant_id, str(dead.scalar_one())


async def _retry_delivery(busy: BusyShop) -> Message:
    merchant_id, delivery_id = await _a_dead_delivery(busy)
    return purchases_pb2.RetryDeliveryRequest(merchant_id=merchant_id, delivery_id=delivery_id)


async def _retry_deliveries(busy: BusyShop) -> Message:
    merchant_id, _ = await _a_dead_delivery(busy)
    return purchases_pb2.RetryDeliveriesRequest(merchant_id=merchant_id)


REQUESTS: Mapping[str, Make] = {
    "guerdon.purchases.v1.PurchasesService.GetPurchase": _get_purchase,
    "guerdon.purchases.v1.PurchasesService.ListPurchases": about(
        purchases_pb2.ListPurchasesRequest, **MERCHANT
    ),
    "guerdon.purchases.v1.PurchasesService.ListDeliveries": about(
        purchases_pb2.ListDeliveriesRequest, **MERCHANT
    ),
    "guerdon.purchases.v1.PurchasesService.RetryDelivery": _retry_delivery,
    "guerdon.purchases.v1.PurchasesService.RetryDeliveries": _retry_deliveries,
}
