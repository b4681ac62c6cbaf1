"""The use cases of merchants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from domains.business.errors import (
    DomainFixedError,
    DomainTakenError,
    TokenInUseError,
    WebhookNotFoundError,
)
from domains.business.model import (
    KEY_SUFFIX_CHARACTERS,
    Merchant,
    Platform,
    Webhook,
    normalize_domain,
)
from domains.business.ports import Seal, TokenUse
from domains.business.repository import MerchantRepository
from infrastructure.database.transaction import Transaction
from vocabulary.ids import MerchantId
from vocabulary.refusals import MerchantNotFoundError


class BusinessService:
    def __init__(self, *, merchants: MerchantRepository, seal: Seal) -> None:
        self._merchants = merchants
        self._seal = seal

    async def create(self, tx: Transaction, draft: Merchant) -> Merchant:
        """Creates a merchant.

        Raises:
            DomainInvalidError, TokenAddressInvalidError: the draft is not usable.
            DomainTakenError: another merchant has the domain.
        """
        created = replace(
            draft,
            domain=normalize_domain(draft.domain),
            reward_token=draft.reward_token.normalized(),
        )
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

    async def list_all(
        self, tx: Transaction, *, before: MerchantId | None, limit: int
    ) -> Sequence[Merchant]:
        """Up to `limit` merchants, most recently created first, from the one before `before`."""
        return await self._merchants.list_all(tx, before=before, limit=limit)

    async def update(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        changes: Mapping[str, Any],
        *,
        token_use: TokenUse,
    ) -> Merchant:
        """Changes a merchant; `changes` are new values of its fields by their names.

        Raises:
            MerchantNotFoundError: there is none with this id.
            DomainInvalidError, TokenAddressInvalidError: a new value is not usable.
            DomainFixedError: the domain is another one.
            TokenInUseError: the token is another one, and somebody was promised the one before.
        """
        before = await self._merchants.lock(tx, merchant_id)
        if before is None:
            raise MerchantNotFoundError(merchant_id)
        after: Merchant = replace(before, **changes)
        if normalize_domain(after.domain) != before.domain:
            raise DomainFixedError(before.domain)
        token = after.reward_token.normalized()
        # Campaigns are published by whoever holds the merchant's row shared, so this is the truth.
        if token != before.reward_token and await token_use.has_published(tx, merchant_id):
            raise TokenInUseError(before.reward_token.address, before.reward_token.peg_currency)
        changed = replace(after, domain=before.domain, reward_token=token)
        await self._merchants.set(tx, changed)
        return changed

    async def find_shared(self, tx: Transaction, merchant_id: MerchantId) -> Merchant | None:
        """One merchant, whose settings stay as they are until the transaction ends; or None."""
        return await self._merchants.find_shared(tx, merchant_id)

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
