"""The use cases of orders."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from domains.purchases.errors import PurchaseNotFoundError
from domains.purchases.model import OrderState, Purchase
from domains.purchases.model.lane_queue import FixedLife, FixedOrder, LetGo, ReleasedOrders
from domains.purchases.ports import Merchants
from domains.purchases.repository import (
    CustomerRepository,
    LaneQueueRepository,
    PurchaseRepository,
    ReopeningRepository,
)
from infrastructure.database.transaction import Transaction
from vocabulary.ids import IdentityGroupId, MerchantId, PurchaseId
from vocabulary.recording import IdRange

CLAIMS_KEPT = timedelta(days=30)


class PurchasesService:
    def __init__(
        self,
        *,
        purchases: PurchaseRepository,
        customers: CustomerRepository,
        queue: LaneQueueRepository,
        reopening: ReopeningRepository,
        merchants: Merchants,
    ) -> None:
        self._purchases = purchases
        self._customers = customers
        self._queue = queue
        self._reopening = reopening
        self._merchants = merchants

    async def find_customer(
        self, tx: Transaction, merchant_id: MerchantId, customer_reference: str
    ) -> IdentityGroupId | None:
        """The person whose account a shop's customer is; None if that is not known."""
        return await self._customers.find(tx, merchant_id, customer_reference)

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
        state: OrderState | None,
        within: IdRange,
        limit: int,
    ) -> Sequence[Purchase]:
        """A merchant's purchases with these ids, most recently recorded first.

        Only one order's if it is named.

        Raises:
            MerchantNotFoundError: there is no such merchant.
        """
        found = await self._purchases.list_of_merchant(
            tx,
            merchant_id,
            order_reference=order_reference,
            state=state,
            within=within,
            limit=limit,
        )
        if not found:
            await self._merchants.require(tx, merchant_id)
        return found

    async def list_by_reference(
        self, tx: Transaction, merchant_id: MerchantId, order_references: Sequence[str]
    ) -> Sequence[Purchase]:
        """The reported ones of a merchant's orders, in no order."""
        if not order_references:
            return []
        return await self._purchases.list_by_reference(tx, merchant_id, order_references)

    async def promote_due(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        *,
        after: datetime | None,
        until: datetime,
        round_number: int,
        limit: int,
    ) -> tuple[int, datetime | None]:
        """Takes up to `limit` orders that are due into a round of the merchant's lane.

        Those that are due from `after` on, None: all; up to `until`. Returns how many, and the
        last due time among them. Whatever is being written right now is left for later.
        """
        return await self._queue.promote(
            tx, merchant_id, after=after, until=until, round_number=round_number, limit=limit
        )

    async def fix_ready(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        *,
        round_number: int,
        after: tuple[datetime, str] | None,
        until: datetime,
        put_off_time: datetime,
        limit: int,
    ) -> Sequence[FixedOrder]:
        """Fixes buyers and times of the next orders of a round, in the order of the lane.

        Once this is committed nothing changes them, until the order is let go of. One that is
        still fixed in an earlier life is due again at `put_off_time` instead.
        """
        return await self._queue.fix(
            tx,
            merchant_id,
            round_number=round_number,
            after=after,
            until=until,
            put_off_time=put_off_time,
            limit=limit,
        )

    async def list_last_ready(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        *,
        round_number: int,
        after: tuple[datetime, str] | None,
        skip: int,
        limit: int,
    ) -> Sequence[tuple[datetime, str]]:
        """The places of orders at the end of a round, the last one first, without `skip` ones."""
        return await self._queue.list_last_ready(
            tx, merchant_id, round_number=round_number, after=after, skip=skip, limit=limit
        )

    async def has_ready(
        self, tx: Transaction, merchant_id: MerchantId, *, round_number: int
    ) -> bool:
        """Whether a round has an order that was not let go of."""
        return await self._queue.has_ready(tx, merchant_id, round_number=round_number)

    async def list_fixed(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        order_references: Sequence[str],
        *,
        round_number: int,
    ) -> Sequence[Purchase]:
        """Those of these orders that are fixed in this round and still paid, in lane order."""
        if not order_references:
            return []
        return await self._queue.list_fixed(
            tx, merchant_id, order_references, round_number=round_number
        )

    async def let_go(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        orders: Sequence[LetGo],
        *,
        round_number: int,
    ) -> None:
        """Takes orders out of a round: decided, or open again. Doing it twice changes nothing."""
        if orders:
            await self._queue.let_go(tx, merchant_id, orders, round_number=round_number)

    async def settle(
        self, tx: Transaction, merchant_id: MerchantId, lives: Sequence[FixedLife]
    ) -> Sequence[str]:
        """Notes of lives that were fixed whether they were decided.

        Those that were not leave the order's buyer and time open again, with all that was heard
        meanwhile. Returns the orders that are settled; the others are being written.
        """
        return await self._reopening.settle(tx, merchant_id, lives) if lives else []

    async def requeue(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        lives: Sequence[tuple[str, int]],
        *,
        now: datetime,
    ) -> Sequence[str]:
        """Makes orders due now that had nothing to decide; returns which ones."""
        return await self._reopening.requeue(tx, merchant_id, lives, now=now)

    async def release_for_rate(
        self,
        tx: Transaction,
        *,
        pair: str,
        observe_time: datetime,
        age_max: timedelta,
        now: datetime,
        limit: int,
    ) -> ReleasedOrders:
        """Makes up to `limit` orders due now that waited for this rate.

        Those that are being written right now are counted, and left to wait.
        """
        return await self._reopening.release_for_rate(
            tx,
            pair=pair,
            observe_time=observe_time,
            stale_time=observe_time + age_max,
            now=now,
            limit=limit,
        )

    async def forget_claims(self, tx: Transaction, *, now: datetime, batch_size: int) -> int:
        """Forgets claims that waited 30 days for a report with their token."""
        return await self._purchases.forget_waiting_claims(
            tx, before=now - CLAIMS_KEPT, batch_size=batch_size
        )
