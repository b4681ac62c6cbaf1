"""The use cases of merchants."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from domains.business.errors import DomainTakenError, WebhookNotFoundError
from domains.business.model import (
    KEY_SUFFIX_CHARACTERS,
    Merchant,
    Platform,
    Webhook,
    normalize_domain,
)
from domains.business.ports import Seal
from domains.business.repository import MerchantRepository
from infrastructure.database.transaction import Transaction
from vocabulary.ids import MerchantId
from vocabulary.problems import Problems
from vocabulary.refusals import MerchantNotFoundError


class BusinessService:
    def __init__(self, *, merchants: MerchantRepository, seal: Seal) -> None:
        self._merchants = merchants
        self._seal = seal

    async def create(self, tx: Transaction, draft: Merchant) -> Merchant:
        """Creates a merchant.

        Raises:
            DomainInvalidError, TokenAddressInvalidError: the draft is not usable; the first of
                them names both fields, if both are wrong.
            DomainTakenError: another merchant has the domain.
        """
        created, problems = draft, Problems()
        with problems.collecting():
            created = replace(created, domain=normalize_domain(draft.domain))
        with problems.collecting():
            created = replace(created, reward_token=draft.reward_token.normalized())
        problems.refuse()
        if not await self._merchants.add(tx, created):
            raise DomainTakenError(created.domain)
        return created

    async def get(self, tx: Transaction, merchant_id: MerchantId) -> Merchant:
        """One merchant.

        Raises:
            MerchantNotFoundError: there is none with this id.
        """
        found = await self._merchants.find(tx, merchant_id)
        if found is None:
            raise MerchantNotFoundError(merchant_id)
        return found

    async def exists(self, tx: Transaction, merchant_id: MerchantId) -> bool:
        """Whether there is such a merchant."""
        return await self._merchants.find(tx, merchant_id) is not None

    async def find(self, tx: Transaction, merchant_id: MerchantId) -> Merchant | None:
        """One merchant, or None."""
        return await self._merchants.find(tx, merchant_id)

    async def get_webhook(self, tx: Transaction, merchant_id: MerchantId) -> Webhook:
        """How the merchant's shop signs.

        Raises:
            MerchantNotFoundError: there is no such merchant.
            WebhookNotFoundError: it has set none up.
        """
        webhook = await self._merchants.find_webhook(tx, merchant_id)
        if webhook is None:
            await self.get(tx, merchant_id)
            raise WebhookNotFoundError(merchant_id)
        return webhook

    async def set_webhook(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        *,
        platform: Platform,
        signing_key: str,
        now: datetime,
    ) -> Webhook:
        """Replaces how the merchant's shop signs.

        Raises:
            MerchantNotFoundError: there is no such merchant.
        """
        await self.get(tx, merchant_id)
        webhook = Webhook(
            merchant_id=merchant_id,
            platform=platform,
            sealed_key=self._seal.seal(signing_key),
            key_suffix=signing_key[-KEY_SUFFIX_CHARACTERS:],
            update_time=now,
        )
        await self._merchants.set_webhook(tx, webhook)
        return webhook
