"""The use cases of orders and deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from domains.purchases.errors import MerchantUnknownError, PurchaseNotFoundError
from domains.purchases.model import Delivery, DeliveryState, Purchase
from domains.purchases.model.delivery import KEPT, retry_pause
from domains.purchases.ports import Merchants
from domains.purchases.repository import DeliveryRepository, PurchaseRepository
from infrastructure.database.transaction import Transaction
from vocabulary.ids import DeliveryId, MerchantId, PurchaseId

CLAIMS_KEPT = timedelta(days=30)


class PurchasesService:
    def __init__(
        self,
        *,
        purchases: PurchaseRepository,
        deliveries: DeliveryRepository,
        merchants: Merchants,
    ) -> None:
        self._purchases = purchases
        self._deliveries = deliveries
        self._merchants = merchants

    async def get(
        self, tx: Transaction, merchant_id: MerchantId, purchase_id: PurchaseId
    ) -> Purchase:
        """One purchase of the merchant.

        Raises:
            PurchaseNotFoundError: there is none with this id, or it is somebody else's.
        """
        found = await self._purchases.find(tx, merchant_id, purchase_id)
        if found is None:
            raise PurchaseNotFoundError(purchase_id)
        return found

    async def list_some(
        self, tx: Transaction, purchase_ids: Sequence[PurchaseId]
    ) -> Sequence[Purchase]:
        """These purchases, in no order."""
        return await self._purchases.list_some(tx, purchase_ids)

    async def list_of_merchant(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        *,
        order_reference: str,
        after: UUID | None,
        limit: int,
    ) -> Sequence[Purchase]:
        """A merchant's purchases, newest first; only one order's if it is named.

        Raises:
            MerchantUnknownError: there is no such merchant.
        """
        found = await self._purchases.list_of_merchant(
            tx, merchant_id, order_reference=order_reference, after=after, limit=limit
        )
        if not found and not await self._merchants.exists(tx, merchant_id):
            raise MerchantUnknownError(merchant_id)
        return found

    async def list_deliveries(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        *,
        state: DeliveryState | None,
        after: UUID | None,
        limit: int,
    ) -> Sequence[Delivery]:
        """The deliveries of a merchant's shop, newest first.

        Raises:
            MerchantUnknownError: there is no such merchant.
        """
        found = await self._deliveries.list_of_merchant(
            tx, merchant_id, state=state, after=after, limit=limit
        )
        if not found and not await self._merchants.exists(tx, merchant_id):
            raise MerchantUnknownError(merchant_id)
        return found

    async def keep_dead(self, tx: Transaction, delivery: Delivery, *, failure: str) -> None:
        """Keeps a delivery that can never be applied."""
        dead = replace(delivery, state=DeliveryState.DEAD, failure=failure)
        await self._deliveries.keep(tx, dead, retry_time=None)

    async def keep_failed(self, tx: Transaction, delivery: Delivery, *, failure: str) -> DeliveryId:
        """Keeps a delivery whose applying failed, to be tried again; returns its id."""
        pause = retry_pause(1)
        assert pause is not None
        failed = replace(delivery, state=DeliveryState.FAILED, failure=failure)
        return await self._deliveries.keep(tx, failed, retry_time=delivery.receive_time + pause)

    async def claim_failed(self, tx: Transaction, *, now: datetime) -> Delivery | None:
        """Locks the failed delivery whose retry is due the longest."""
        return await self._deliveries.claim_failed(tx, now=now)

    async def set_retried(
        self, tx: Transaction, delivery: Delivery, *, failure: str, now: datetime
    ) -> None:
        """Notes that a retry failed: it is tried again later, or is dead by now."""
        pause = retry_pause(delivery.try_count + 1)
        await self._deliveries.set_tried(
            tx,
            delivery,
            state=DeliveryState.DEAD if pause is None else DeliveryState.FAILED,
            failure=failure,
            retry_time=None if pause is None else now + pause,
        )

    async def set_dead(self, tx: Transaction, delivery: Delivery, *, failure: str) -> None:
        """Notes that a failed delivery can never be applied."""
        await self._deliveries.set_tried(
            tx, delivery, state=DeliveryState.DEAD, failure=failure, retry_time=None
        )

    async def forget_old(self, tx: Transaction, *, now: datetime, batch_size: int) -> int:
        """Forgets deliveries after 90 days, and claims that waited 30 days in vain."""
        deliveries = await self._deliveries.forget_old(tx, before=now - KEPT, batch_size=batch_size)
        claims = await self._purchases.forget_waiting_claims(
            tx, before=now - CLAIMS_KEPT, batch_size=batch_size
        )
        return deliveries + claims
