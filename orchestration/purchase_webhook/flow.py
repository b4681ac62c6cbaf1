"""A delivery of a shop: proven, then kept together with its effect."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domains.purchases.errors import BodyUnusableError
from domains.purchases.model import (
    Delivery,
    DeliveryFailure,
    DeliveryState,
    FailureKind,
    OrderEvent,
    PassedOver,
)
from domains.purchases.model.delivery import event_reference, trial_digest
from domains.purchases.service import DeliveriesService
from infrastructure.database.failures import is_away, is_retryable, is_timeout
from infrastructure.database.transaction import Database, Transaction
from orchestration.purchase_webhook.errors import (
    DeliveryPostponedError,
    DeliveryUnusableError,
    SignatureInvalidError,
    SigningKeyUnreadableError,
    WebhookNotFoundError,
)
from orchestration.purchase_webhook.platforms import (
    Message,
    Proof,
    ShopPlatform,
    SignatureFaultyError,
)
from orchestration.purchase_webhook.shops import Shop, find_shop
from orchestration.purchase_webhook.statements import Applied, NewIds, apply, lock_order
from vocabulary.ids import DeliveryId, IdentityGroupId, MerchantId, PurchaseId
from vocabulary.sealing import SealBrokenError

TRIAL_HEADER = "x-test"
OK = "ok"


class Unseal(Protocol):
    """Whoever decrypts stored secrets."""

    def open(self, sealed: bytes) -> str:
        """The secret.

        Raises:
            SealBrokenError: it is sealed with a key that is not there.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedDelivery:
    """A delivery as it came. Exactly one of `merchant_id` and `product_id` is set."""

    platform: str
    merchant_id: MerchantId | None
    product_id: bytes | None
    message: Message

    @property
    def is_test(self) -> bool:
        """Whether the shop says that it only tries."""
        return self.message.first(TRIAL_HEADER).lower() == "true"

    @property
    def addressee(self) -> str:
        return str(self.merchant_id) if self.product_id is None else f"0x{self.product_id.hex()}"


class PurchaseWebhookOrchestrator:
    """Takes deliveries.

    The signature is checked before anything is parsed or written. A delivery and its effect
    are written by one statement; its locks are the order row's and those of the rows that it
    makes. Only when the order was claimed while that waited is the row locked first and the
    statement run again. Applying that raises keeps the delivery in a second transaction.
    """

    def __init__(
        self,
        *,
        database: Database,
        deliveries: DeliveriesService,
        secrets: Unseal,
        platforms: Mapping[str, ShopPlatform],
        clock: Callable[[], datetime],
        new_id: Callable[[], UUID],
        accepts_tests: bool,
    ) -> None:
        self._database = database
        self._deliveries = deliveries
        self._secrets = secrets
        self._platforms = platforms
        self._clock = clock
        self._new_id = new_id
        self._accepts_tests = accepts_tests

    async def receive(self, received: ReceivedDelivery) -> str:
        """Takes a delivery of a shop; returns the answer's text: `ok`, or `ko: ` and why.

        Raises:
            WebhookNotFoundError: no such merchant, or no webhook of this platform.
            SignatureInvalidError, SigningKeyUnreadableError: nothing is kept.
            DeliveryUnusableError: kept as dead.
            DeliveryPostponedError: kept, and tried again later.
        """
        platform = self._platforms[received.platform]
        now = self._clock()
        proof = _proof(platform, received.message, now)
        is_passed_over = received.is_test and not self._accepts_tests
        signed_digest = trial_digest(proof.signed_digest) if is_passed_over else proof.signed_digest
        async with self._database.single() as tx:
            shop = await find_shop(
                tx,
                merchant_id=received.merchant_id,
                product_id=received.product_id,
                signed_digest=signed_digest,
                body_digest=hashlib.sha256(received.message.body).digest(),
            )
        if shop is None or shop.platform != received.platform or shop.sealed_key is None:
            raise WebhookNotFoundError(received.addressee, received.platform)
        try:
            self._verify(proof, shop, now)
        except SealBrokenError as broken:
            raise SigningKeyUnreadableError(shop.merchant_id) from broken
        delivery = self._delivery(received, proof, shop, signed_digest, now)
        if is_passed_over:
            async with self._database.single() as tx:
                await self._deliveries.keep_passed_over(tx, delivery, PassedOver.TRIAL, now=now)
            return _ko(PassedOver.TRIAL)
        try:
            applied = await self._database.run(lambda: self._apply(delivery, now=now))
        except BodyUnusableError as unusable:
            async with self._database.single() as tx:
                await self._deliveries.keep_dead(tx, delivery, failure=_unusable(unusable), now=now)
            raise DeliveryUnusableError(unusable.field, unusable.problem) from unusable
        except Exception as raised:
            if is_away(raised):
                raise
            async with self._database.single() as tx:
                kept = await self._deliveries.keep_failed(
                    tx, delivery, failure=_failure_of(raised), now=now
                )
            raise DeliveryPostponedError(kept) from raised
        return _ko(PassedOver.NOTHING_NEW) if applied is Applied.IGNORED else OK

    def _verify(self, proof: Proof, shop: Shop, now: datetime) -> None:
        """Lets a signature pass by the webhook's key, or by the one before it while that is valid.

        Raises:
            SignatureInvalidError: it is right by none of them; what is wrong by the newer one.
            SealBrokenError: a key cannot be read.
        """
        assert shop.sealed_key is not None
        fault = proof.fault(self._secrets.open(shop.sealed_key))
        if fault is None:
            return
        previous = shop.previous_key(now)
        if previous is None or proof.fault(self._secrets.open(previous)) is not None:
            raise SignatureInvalidError(proof.header, fault)

    async def list_due_merchants(
        self, after: MerchantId | None, *, limit: int
    ) -> Sequence[MerchantId]:
        """The next merchants, by their ids, of whom a failed delivery is due to be tried again."""
        async with self._database.single() as tx:
            return await self._deliveries.list_due_merchants(
                tx, after=after, now=self._clock(), limit=limit
            )

    async def retry_failed(self, merchant_id: MerchantId) -> bool:
        """Tries the failed delivery of a merchant that is due the longest.

        Says whether the merchant's next one may be tried right after it: False if none was due,
        or it took too long. The delivery's row is locked meanwhile, so two workers never try the
        same one.
        """
        tried: list[Delivery] = []
        try:
            return await self._database.run(lambda: self._retry_one(merchant_id, tried))
        except Exception as raised:
            if tried and is_away(raised):
                await self._put_off(tried[-1])
            raise

    async def _put_off(self, delivery: Delivery) -> None:
        """Lets a delivery wait that lost its connection, so that the shop's others are tried."""
        try:
            async with self._database.single() as tx:
                await self._deliveries.put_off(tx, delivery, now=self._clock())
        except Exception as second:
            # If nobody can reach the database, all of them wait anyway.
            if not is_away(second):
                raise

    async def _retry_one(self, merchant_id: MerchantId, tried: list[Delivery]) -> bool:
        now = self._clock()
        async with self._database.transaction() as tx:
            delivery = await self._deliveries.claim_failed(tx, merchant_id, now=now)
            if delivery is None:
                return False
            tried.append(delivery)
            try:
                async with tx.savepoint():
                    await self._apply_in(tx, delivery, now=now)
            except BodyUnusableError as unusable:
                await self._deliveries.set_dead(tx, delivery, failure=_unusable(unusable), now=now)
            except Exception as raised:
                # A deadlock with the shop's own repetition is run again, and costs no try.
                if is_away(raised) or is_retryable(raised):
                    raise
                await self._deliveries.set_retried(
                    tx, delivery, failure=_failure_of(raised), now=now
                )
                return not is_timeout(raised)
        return True

    async def _apply(self, delivery: Delivery, *, now: datetime) -> Applied:
        event = self._parse(delivery)
        ids = self._new_ids()
        async with self._database.single() as tx:
            applied = await apply(tx, delivery, event, ids, now=now)
        if applied is not None:
            return applied
        async with self._database.transaction() as tx:
            await lock_order(tx, delivery.merchant_id, event.order_reference)
            return _decided(await apply(tx, delivery, event, ids, now=now))

    async def _apply_in(self, tx: Transaction, delivery: Delivery, *, now: datetime) -> Applied:
        event = self._parse(delivery)
        await lock_order(tx, delivery.merchant_id, event.order_reference)
        return _decided(await apply(tx, delivery, event, self._new_ids(), now=now))

    def _parse(self, delivery: Delivery) -> OrderEvent:
        return self._platforms[delivery.platform].parse(
            delivery.body, receive_time=delivery.receive_time, latest_time=delivery.body_time
        )

    def _delivery(
        self,
        received: ReceivedDelivery,
        proof: Proof,
        shop: Shop,
        signed_digest: bytes,
        now: datetime,
    ) -> Delivery:
        return Delivery(
            delivery_id=DeliveryId(self._new_id()),
            merchant_id=shop.merchant_id,
            platform=received.platform,
            signed_digest=signed_digest,
            event_reference=event_reference(proof.event_id),
            headers={**proof.kept_headers, TRIAL_HEADER: str(received.is_test).lower()},
            body=received.message.body,
            state=DeliveryState.APPLIED,
            failure=None,
            try_count=1,
            failure_count=0,
            # Of when it came first: it may say nothing of its time, and others have come since.
            receive_time=now if shop.first_time is None else min(shop.first_time, now),
            body_time=now if shop.body_time is None else min(shop.body_time, now),
        )

    def _new_ids(self) -> NewIds:
        return NewIds(
            node_id=self._new_id(),
            group_id=IdentityGroupId(self._new_id()),
            purchase_id=PurchaseId(self._new_id()),
            interaction_id=self._new_id(),
            reversal_id=self._new_id(),
        )


def _proof(platform: ShopPlatform, message: Message, now: datetime) -> Proof:
    try:
        return platform.proof_of(message, now=now)
    except SignatureFaultyError as faulty:
        raise SignatureInvalidError(faulty.header, faulty.fault) from faulty


def _ko(why: PassedOver) -> str:
    return f"ko: {why.sentence}"


class OrderUndecidedError(Exception):
    """The order was claimed while its row was locked: it was not there to be locked.

    Only when its waiting claims were forgotten at that moment. The delivery is kept, and
    applied a few seconds later.
    """


def _decided(applied: Applied | None) -> Applied:
    if applied is None:
        raise OrderUndecidedError
    return applied


def _unusable(body: BodyUnusableError) -> DeliveryFailure:
    return DeliveryFailure(kind=FailureKind.BODY_UNUSABLE, detail=str(body))


def _failure_of(raised: Exception) -> DeliveryFailure:
    kind = FailureKind.TIMED_OUT if is_timeout(raised) else FailureKind.SERVER_FAILED
    return DeliveryFailure(kind=kind, detail=type(raised).__name__)
