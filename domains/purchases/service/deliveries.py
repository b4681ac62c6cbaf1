"""The use cases of deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from domains.purchases.errors import DeliveryNotDeadError, DeliveryNotFoundError
from domains.purchases.model import Delivery, DeliveryFailure, DeliveryState, PassedOver
from domains.purchases.model.delivery import KEPT, TRIES_MAX, retry_pause
from domains.purchases.ports import Merchants
from domains.purchases.repository import DeliveryRepository, DeliveryRetryRepository
from infrastructure.database.transaction import Transaction
from vocabulary.ids import DeliveryId, MerchantId
from vocabulary.recording import IdRange

EVIDENCE_MAX = 100
"""How many of a merchant's newest orders are looked at to tell a common fault."""

REVIVED_MAX = 1_000
"""How many dead deliveries one call has tried again."""


class DeliveriesService:
    def __init__(
        self,
        *,
        deliveries: DeliveryRepository,
        retries: DeliveryRetryRepository,
        merchants: Merchants,
    ) -> None:
        self._deliveries = deliveries
        self._retries = retries
        self._merchants = merchants

    async def list_deliveries(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        *,
        state: DeliveryState | None,
        within: IdRange,
        limit: int,
    ) -> Sequence[Delivery]:
        """The deliveries of a merchant's shop with these ids, most recently recorded first.

        Raises:
            MerchantNotFoundError: there is no such merchant.
        """
        found = await self._deliveries.list_of_merchant(
            tx, merchant_id, state=state, within=within, limit=limit
        )
        if not found:
            await self._merchants.require(tx, merchant_id)
        return found

    async def keep_dead(
        self, tx: Transaction, delivery: Delivery, *, failure: DeliveryFailure, now: datetime
    ) -> None:
        """Keeps a delivery that can never be applied."""
        dead = replace(delivery, state=DeliveryState.DEAD, failure=failure)
        await self._deliveries.keep(tx, dead, now=now, retry_time=None)

    async def keep_passed_over(
        self, tx: Transaction, delivery: Delivery, why: PassedOver, *, now: datetime
    ) -> None:
        """Keeps a delivery that is right and changes nothing."""
        kept = replace(delivery, state=DeliveryState.IGNORED, passed_over=why)
        await self._deliveries.keep(tx, kept, now=now, retry_time=None)

    async def keep_failed(
        self, tx: Transaction, delivery: Delivery, *, failure: DeliveryFailure, now: datetime
    ) -> DeliveryId:
        """Keeps a delivery whose applying failed, to be tried again; returns its id."""
        failed = replace(delivery, state=DeliveryState.FAILED, failure=failure)
        return await self._deliveries.keep(tx, failed, now=now, retry_time=now + retry_pause(1))

    async def list_due_merchants(
        self, tx: Transaction, *, after: MerchantId | None, now: datetime, limit: int
    ) -> Sequence[MerchantId]:
        """The next merchants, by their ids, of whom a failed delivery is due to be tried again."""
        return await self._retries.list_due_merchants(tx, after=after, now=now, limit=limit)

    async def claim_failed(
        self, tx: Transaction, merchant_id: MerchantId, *, now: datetime
    ) -> Delivery | None:
        """Locks the failed delivery of a merchant whose retry is due the longest."""
        return await self._retries.claim_failed(tx, merchant_id, now=now)

    async def set_retried(
        self, tx: Transaction, delivery: Delivery, *, failure: DeliveryFailure, now: datetime
    ) -> None:
        """Notes that a retry failed: it is tried again later, or is dead by now.

        It costs a try only if orders that earn came to the shop since the last one and were
        applied, so that a common fault kills none. In doubt it costs none.
        """
        await self._retries.set_tried(
            tx,
            delivery,
            failure=failure,
            now=now,
            pause=retry_pause(delivery.failure_count + 1),
            tries_max=TRIES_MAX,
            orders_max=EVIDENCE_MAX,
        )

    async def put_off(self, tx: Transaction, delivery: Delivery, *, now: datetime) -> None:
        """Has a failed delivery tried again later. Costs it no try."""
        retry_time = now + retry_pause(delivery.failure_count + 1)
        await self._retries.put_off(tx, delivery, retry_time=retry_time)

    async def set_dead(
        self, tx: Transaction, delivery: Delivery, *, failure: DeliveryFailure, now: datetime
    ) -> None:
        """Notes that a failed delivery can never be applied."""
        await self._retries.set_dead(tx, delivery, failure=failure, now=now)

    async def retry_dead(
        self, tx: Transaction, merchant_id: MerchantId, delivery_id: DeliveryId, *, now: datetime
    ) -> None:
        """Has a dead delivery tried again, as often as a new one. Its failure is kept.

        Raises:
            DeliveryNotFoundError: the merchant has none with this id.
            DeliveryNotDeadError: it is not dead.
        """
        revived = await self._retries.revive(tx, merchant_id, delivery_id, now=now, batch_size=1)
        if not revived:
            state = await self._deliveries.find_state(tx, merchant_id, delivery_id)
            if state is None:
                raise DeliveryNotFoundError(delivery_id)
            raise DeliveryNotDeadError(delivery_id, state)

    async def retry_all_dead(
        self, tx: Transaction, merchant_id: MerchantId, *, now: datetime
    ) -> int:
        """Has up to 1,000 dead deliveries of a merchant tried again; returns how many.

        Raises:
            MerchantNotFoundError: there is no such merchant.
        """
        revived = await self._retries.revive(tx, merchant_id, None, now=now, batch_size=REVIVED_MAX)
        if not revived:
            await self._merchants.require(tx, merchant_id)
        return revived

    async def forget_old(self, tx: Transaction, *, now: datetime, batch_size: int) -> int:
        """Forgets deliveries after 90 days."""
        return await self._deliveries.forget_old(tx, before=now - KEPT, batch_size=batch_size)
