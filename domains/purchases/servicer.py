"""PurchasesService, translated."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from domains.purchases.model import (
    Delivery,
    DeliveryState,
    FailureKind,
    Link,
    Note,
    NoteWord,
    OrderItem,
    OrderState,
    PassedOver,
    Purchase,
)
from domains.purchases.service import DeliveriesService, PurchasesService
from guerdon.purchases.v1 import purchases_pb2, purchases_pb2_grpc
from guerdon.type.v1 import money_pb2
from infrastructure.database.transaction import Database
from infrastructure.rpc.paging import page_of, page_start
from infrastructure.rpc.recorded import ids_asked
from infrastructure.rpc.repeating import current_repeat
from infrastructure.rpc.translating import to_timestamp
from vocabulary.ids import DeliveryId, MerchantId, PurchaseId
from vocabulary.recording import recorded_at

_STATES = {
    OrderState.PENDING: purchases_pb2.Purchase.STATE_PENDING,
    OrderState.CONFIRMED: purchases_pb2.Purchase.STATE_CONFIRMED,
    OrderState.CANCELLED: purchases_pb2.Purchase.STATE_CANCELLED,
    OrderState.REFUNDED: purchases_pb2.Purchase.STATE_REFUNDED,
}
_LINKS = {
    None: purchases_pb2.Purchase.LINK_UNSPECIFIED,
    Link.CLAIM: purchases_pb2.Purchase.LINK_CLAIM,
    Link.CLIENT: purchases_pb2.Purchase.LINK_CLIENT,
    Link.CUSTOMER: purchases_pb2.Purchase.LINK_CUSTOMER,
}
_DELIVERY_STATES = {
    DeliveryState.APPLIED: purchases_pb2.Delivery.STATE_APPLIED,
    DeliveryState.IGNORED: purchases_pb2.Delivery.STATE_IGNORED,
    DeliveryState.FAILED: purchases_pb2.Delivery.STATE_FAILED,
    DeliveryState.DEAD: purchases_pb2.Delivery.STATE_DEAD,
}
_FAILURES = {
    None: purchases_pb2.Delivery.FAILURE_UNSPECIFIED,
    FailureKind.BODY_UNUSABLE: purchases_pb2.Delivery.FAILURE_BODY_UNUSABLE,
    FailureKind.SERVER_FAILED: purchases_pb2.Delivery.FAILURE_SERVER_FAILED,
    FailureKind.TIMED_OUT: purchases_pb2.Delivery.FAILURE_TIMED_OUT,
}
_PASSED_OVER = {
    PassedOver.NOT: purchases_pb2.Delivery.PASSED_OVER_UNSPECIFIED,
    PassedOver.TRIAL: purchases_pb2.Delivery.PASSED_OVER_TRIAL,
    PassedOver.NOTHING_NEW: purchases_pb2.Delivery.PASSED_OVER_NOTHING_NEW,
}
_NOTE_WORDS = {
    NoteWord.LEFT_OUT: purchases_pb2.DeliveryNote.WORD_LEFT_OUT,
    NoteWord.CUT: purchases_pb2.DeliveryNote.WORD_CUT,
    NoteWord.ROUNDED: purchases_pb2.DeliveryNote.WORD_ROUNDED,
    NoteWord.TAKEN_AS_RECEIPT: purchases_pb2.DeliveryNote.WORD_TAKEN_AS_RECEIPT,
    NoteWord.NAMES_NOBODY: purchases_pb2.DeliveryNote.WORD_NAMES_NOBODY,
    NoteWord.SUBTOTAL_UNKNOWN: purchases_pb2.DeliveryNote.WORD_SUBTOTAL_UNKNOWN,
    NoteWord.TAKEN_AS_ONE: purchases_pb2.DeliveryNote.WORD_TAKEN_AS_ONE,
    NoteWord.MORE: purchases_pb2.DeliveryNote.WORD_MORE,
}
_STATES_ASKED = {
    purchases_pb2.Purchase.STATE_UNSPECIFIED: None,
    **{number: state for state, number in _STATES.items()},
}
_DELIVERY_STATES_ASKED = {
    purchases_pb2.Delivery.STATE_UNSPECIFIED: None,
    **{number: state for state, number in _DELIVERY_STATES.items()},
}


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
        start = page_start(request.page_size, request.page_token, key=(UUID,))
        async with self._database.single() as tx:
            purchases = await self._purchases.list_of_merchant(
                tx,
                MerchantId(UUID(request.merchant_id)),
                order_reference=request.order_reference,
                state=_STATES_ASKED[request.state],
                within=ids_asked(request, start),
                limit=start.limit + 1,
            )
        page = page_of(purchases, start, key=lambda each: (each.purchase_id,), to_message=_to_proto)
        return purchases_pb2.ListPurchasesResponse(
            purchases=page.items,
            next_page_token=page.next_page_token,
        )

    async def ListDeliveries(
        self, request: purchases_pb2.ListDeliveriesRequest, context: Any
    ) -> purchases_pb2.ListDeliveriesResponse:
        start = page_start(request.page_size, request.page_token, key=(UUID,))
        async with self._database.single() as tx:
            deliveries = await self._deliveries.list_deliveries(
                tx,
                MerchantId(UUID(request.merchant_id)),
                state=_DELIVERY_STATES_ASKED[request.state],
                within=ids_asked(request, start),
                limit=start.limit + 1,
            )
        page = page_of(
            deliveries, start, key=lambda each: (each.delivery_id,), to_message=_delivery_to_proto
        )
        return purchases_pb2.ListDeliveriesResponse(
            deliveries=page.items,
            next_page_token=page.next_page_token,
        )

    async def RetryDelivery(
        self, request: purchases_pb2.RetryDeliveryRequest, context: Any
    ) -> purchases_pb2.RetryDeliveryResponse:
        def respond(_: None) -> purchases_pb2.RetryDeliveryResponse:
            return purchases_pb2.RetryDeliveryResponse()

        async with self._database.transaction(repeat=current_repeat(respond)) as tx:
            await self._deliveries.retry_dead(
                tx,
                MerchantId(UUID(request.merchant_id)),
                DeliveryId(UUID(request.delivery_id)),
                now=self._clock(),
            )
            await tx.answer(None)
        return respond(None)

    async def RetryDeliveries(
        self, request: purchases_pb2.RetryDeliveriesRequest, context: Any
    ) -> purchases_pb2.RetryDeliveriesResponse:
        def respond(count: int) -> purchases_pb2.RetryDeliveriesResponse:
            return purchases_pb2.RetryDeliveriesResponse(delivery_count=count)

        async with self._database.transaction(repeat=current_repeat(respond)) as tx:
            count = await self._deliveries.retry_all_dead(
                tx, MerchantId(UUID(request.merchant_id)), now=self._clock()
            )
            await tx.answer(count)
        return respond(count)


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
        state=_STATES[purchase.state],
        total=total,
        items=[_item_to_proto(item) for item in purchase.items],
        identity_group_id=str(purchase.identity_group_id or ""),
        link=_LINKS[purchase.link],
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
    return purchases_pb2.DeliveryNote(word=_NOTE_WORDS[note.word], field=note.field)


def _delivery_to_proto(delivery: Delivery) -> purchases_pb2.Delivery:
    return purchases_pb2.Delivery(
        delivery_id=str(delivery.delivery_id),
        merchant_id=str(delivery.merchant_id),
        event_reference=delivery.event_reference,
        signed_digest=delivery.signed_digest.hex(),
        state=_DELIVERY_STATES[delivery.state],
        failure=_FAILURES[None if delivery.failure is None else delivery.failure.kind],
        failure_sentence="" if delivery.failure is None else delivery.failure.sentence,
        passed_over=_PASSED_OVER[delivery.passed_over],
        notes=[_note_to_proto(note) for note in delivery.notes],
        try_count=delivery.try_count,
        receive_time=to_timestamp(delivery.receive_time),
        record_time=to_timestamp(recorded_at(delivery.delivery_id)),
    )
