"""PurchasesService, translated."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from domains.purchases.model import (
    Delivery,
    DeliveryState,
    Note,
    OrderItem,
    OrderState,
    Purchase,
)
from domains.purchases.service import DeliveriesService, PurchasesService
from guerdon.purchases.v1 import purchases_pb2, purchases_pb2_grpc
from guerdon.type.v1 import money_pb2
from infrastructure.database.repeated_call import answer_once
from infrastructure.database.transaction import Database, Transaction
from infrastructure.rpc.paging import page_of, page_start
from infrastructure.rpc.recorded import ids_asked
from infrastructure.rpc.repeating import current_repeat
from infrastructure.rpc.translating import number_of, to_timestamp, word_if_any
from vocabulary.ids import DeliveryId, MerchantId, PurchaseId
from vocabulary.recording import recorded_at


class PurchasesServicer(purchases_pb2_grpc.PurchasesServiceServicer):
    def __init__(
        self,
        *,
        database: Database,
        purchases: PurchasesService,
        deliveries: DeliveriesService,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._purchases = purchases
        self._deliveries = deliveries
        self._clock = clock

    async def GetPurchase(
        self, request: purchases_pb2.GetPurchaseRequest, context: Any
    ) -> purchases_pb2.GetPurchaseResponse:
        async with self._database.single() as tx:
            purchase = await self._purchases.get(
                tx, MerchantId(UUID(request.merchant_id)), PurchaseId(UUID(request.purchase_id))
            )
        return purchases_pb2.GetPurchaseResponse(purchase=_to_proto(purchase))

    async def ListPurchases(
        self, request: purchases_pb2.ListPurchasesRequest, context: Any
    ) -> purchases_pb2.ListPurchasesResponse:
        start = page_start(request, UUID)
        async with self._database.single() as tx:
            purchases = await self._purchases.list_of_merchant(
                tx,
                MerchantId(UUID(request.merchant_id)),
                order_reference=request.order_reference,
                state=word_if_any(request.state, OrderState, purchases_pb2.Purchase.State),
                within=ids_asked(request, start),
                limit=start.limit,
            )
        return page_of(
            purchases,
            start,
            key=lambda each: each.purchase_id,
            to_message=_to_proto,
            response=purchases_pb2.ListPurchasesResponse,
        )

    async def ListDeliveries(
        self, request: purchases_pb2.ListDeliveriesRequest, context: Any
    ) -> purchases_pb2.ListDeliveriesResponse:
        start = page_start(request, UUID)
        async with self._database.single() as tx:
            deliveries = await self._deliveries.list_deliveries(
                tx,
                MerchantId(UUID(request.merchant_id)),
                state=word_if_any(request.state, DeliveryState, purchases_pb2.Delivery.State),
                within=ids_asked(request, start),
                limit=start.limit,
            )
        return page_of(
            deliveries,
            start,
            key=lambda each: each.delivery_id,
            to_message=_delivery_to_proto,
            response=purchases_pb2.ListDeliveriesResponse,
        )

    async def RetryDelivery(
        self, request: purchases_pb2.RetryDeliveryRequest, context: Any
    ) -> purchases_pb2.RetryDeliveryResponse:
        async def retry(tx: Transaction) -> purchases_pb2.RetryDeliveryResponse:
            await self._deliveries.retry_dead(
                tx,
                MerchantId(UUID(request.merchant_id)),
                DeliveryId(UUID(request.delivery_id)),
                now=self._clock(),
            )
            return purchases_pb2.RetryDeliveryResponse()

        return await answer_once(self._database, current_repeat(), retry)

    async def RetryDeliveries(
        self, request: purchases_pb2.RetryDeliveriesRequest, context: Any
    ) -> purchases_pb2.RetryDeliveriesResponse:
        async def retry(tx: Transaction) -> purchases_pb2.RetryDeliveriesResponse:
            count = await self._deliveries.retry_all_dead(
                tx, MerchantId(UUID(request.merchant_id)), now=self._clock()
            )
            return purchases_pb2.RetryDeliveriesResponse(delivery_count=count)

        return await answer_once(self._database, current_repeat(), retry)


def _to_proto(purchase: Purchase) -> purchases_pb2.Purchase:
    total = None
    if purchase.total is not None and purchase.currency is not None:
        # As the shop wrote it: 59.80 stays 59.80.
        total = money_pb2.FiatAmount(amount=format(purchase.total, "f"), currency=purchase.currency)
    return purchases_pb2.Purchase(
        purchase_id=str(purchase.purchase_id),
        merchant_id=str(purchase.merchant_id),
        order_reference=purchase.order_reference,
        customer_reference=purchase.customer_reference or "",
        state=number_of(purchase.state, purchases_pb2.Purchase.State),
        total=total,
        items=[_item_to_proto(item) for item in purchase.items],
        identity_group_id=str(purchase.identity_group_id or ""),
        link=number_of(purchase.link, purchases_pb2.Purchase.Link),
        generation_count=purchase.generation,
        order_time=to_timestamp(purchase.order_time),
        event_time=to_timestamp(purchase.event_time),
        record_time=to_timestamp(recorded_at(purchase.purchase_id)),
    )


def _item_to_proto(item: OrderItem) -> purchases_pb2.PurchaseItem:
    return purchases_pb2.PurchaseItem(
        product_reference=item.product_reference,
        quantity=item.quantity or 0,
        price="" if item.price is None else format(item.price, "f"),
        name=item.name,
        title=item.title,
        image_url=item.image_url,
    )


def _note_to_proto(note: Note) -> purchases_pb2.DeliveryNote:
    return purchases_pb2.DeliveryNote(
        word=number_of(note.word, purchases_pb2.DeliveryNote.Word), field=note.field
    )


def _delivery_to_proto(delivery: Delivery) -> purchases_pb2.Delivery:
    failure = delivery.failure
    return purchases_pb2.Delivery(
        delivery_id=str(delivery.delivery_id),
        merchant_id=str(delivery.merchant_id),
        event_reference=delivery.event_reference,
        signed_digest=delivery.signed_digest.hex(),
        state=number_of(delivery.state, purchases_pb2.Delivery.State),
        failure=number_of(
            None if failure is None else failure.kind, purchases_pb2.Delivery.Failure
        ),
        failure_sentence="" if failure is None else failure.sentence,
        passed_over=number_of(delivery.passed_over, purchases_pb2.Delivery.PassedOver),
        notes=[_note_to_proto(note) for note in delivery.notes],
        try_count=delivery.try_count,
        receive_time=to_timestamp(delivery.receive_time),
        record_time=to_timestamp(recorded_at(delivery.delivery_id)),
    )
