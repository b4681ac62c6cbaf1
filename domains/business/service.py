"""The use cases of merchants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from domains.business.errors import (
    DomainFixedError,
    DomainTakenError,
    TokenInUseError,
    WebhookNotFoundError,
)
from domains.business.model import (
    KEY_SUFFIX_CHARACTERS,
    PREVIOUS_KEY_DEFAULT,
    ForgottenKeys,
    Merchant,
    Platform,
    PreviousKey,
    SealedAgain,
    Webhook,
    check_key,
    normalize_domain,
)
from domains.business.ports import Seal, TokenUse
from domains.business.repository import MerchantRepository
from infrastructure.database.sealing_key import hold_fingerprint
from infrastructure.database.transaction import Transaction
from vocabulary.ids import MerchantId
from vocabulary.problems import Problems
from vocabulary.refusals import of_merchant


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
        return of_merchant(await self._merchants.find(tx, merchant_id), merchant_id)

    async def list_all(
        self, tx: Transaction, *, before: UUID | None, limit: int
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
        before = of_merchant(await self._merchants.lock(tx, merchant_id), merchant_id)
        after: Merchant = replace(before, **changes)
        domain, token, problems = before.domain, before.reward_token, Problems()
        with problems.collecting():
            domain = normalize_domain(after.domain)
        with problems.collecting():
            token = after.reward_token.normalized()
        problems.refuse()
        if domain != before.domain:
            raise DomainFixedError(before.domain)
        # Campaigns are published by whoever holds the merchant's row shared, so this is the truth.
        if token != before.reward_token and await token_use.has_published(tx, merchant_id):
            token = before.reward_token
            raise TokenInUseError(
                token.address,
                chain_id=token.chain_id,
                decimals=token.decimals,
                peg_currency=token.peg_currency,
            )
        changed = replace(after, domain=domain, reward_token=token)
        await self._merchants.set(tx, changed)
        return changed

    async def find_shared(self, tx: Transaction, merchant_id: MerchantId) -> Merchant | None:
        """One merchant, whose settings stay as they are until the transaction ends; or None."""
        return await self._merchants.find_shared(tx, merchant_id)

    async def require(self, tx: Transaction, merchant_id: MerchantId) -> None:
        """Refuses to go on with a merchant that does not exist.

        Raises:
            MerchantNotFoundError: there is no such merchant.
        """
        await self.get(tx, merchant_id)

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
        previous_key_kept: timedelta | None = None,
    ) -> Webhook:
        """Replaces how the merchant's shop signs. What is set already is not set again.

        The key that is replaced goes on to verify for `previous_key_kept`, by default a day. With
        the key that is set already, that can only end earlier what goes on.

        Raises:
            SigningKeyInvalidError: it is not what it says of itself.
            MerchantNotFoundError: there is no such merchant.
        """
        check_key(signing_key)
        of_merchant(await self._merchants.lock(tx, merchant_id), merchant_id)
        known = await self._merchants.find_webhook(tx, merchant_id)
        known_key = None if known is None else self._seal.open_if_possible(known.sealed_key)
        if known is not None and (known.platform, known_key) == (platform, signing_key):
            if previous_key_kept is None:
                return known
            ended = known.with_previous_key_until(now + previous_key_kept)
            await self._merchants.set_webhook(tx, ended)
            return ended
        await hold_fingerprint(tx, self._seal.fingerprint)
        end_time = now + (PREVIOUS_KEY_DEFAULT if previous_key_kept is None else previous_key_kept)
        webhook = Webhook(
            merchant_id=merchant_id,
            platform=platform,
            sealed_key=self._seal.seal(signing_key),
            key_suffix=signing_key[-KEY_SUFFIX_CHARACTERS:],
            update_time=now,
            # One that can be read no more verifies nothing.
            previous_key=None
            if known is None or known_key is None
            else PreviousKey(
                sealed_key=known.sealed_key, key_suffix=known.key_suffix, end_time=end_time
            ),
        )
        await self._merchants.set_webhook(tx, webhook)
        return webhook

    async def seal_again(
        self, tx: Transaction, *, after: MerchantId | None, limit: int
    ) -> SealedAgain | None:
        """Seals the keys of the next merchants as new ones are sealed; None after the last.

        What a key is, and until when it verifies, stays as it is.
        """
        merchant_ids = await self._merchants.lock_some(tx, after=after, limit=limit)
        if not merchant_ids:
            return None
        count, unreadable = 0, []
        for webhook in await self._merchants.list_webhooks(tx, merchant_ids):
            changed = self._sealed_again(webhook)
            if changed is None:
                unreadable.append(webhook.merchant_id)
            elif changed != webhook:
                await self._merchants.set_webhook(tx, changed)
                count += 1
        return SealedAgain(count=count, unreadable=tuple(unreadable), last=merchant_ids[-1])

    async def forget_unreadable(
        self, tx: Transaction, *, after: MerchantId | None, limit: int
    ) -> ForgottenKeys | None:
        """Forgets the keys of the next merchants that cannot be read; None after the last.

        Who has none any more sets a new one, as at the beginning.
        """
        merchant_ids = await self._merchants.lock_some(tx, after=after, limit=limit)
        if not merchant_ids:
            return None
        lost, previous_count = [], 0
        for webhook in await self._merchants.list_webhooks(tx, merchant_ids):
            present, *before = (self._seal.open_if_possible(each) for each in webhook.sealed_keys)
            if present is None:
                await self._merchants.delete_webhook(tx, webhook.merchant_id)
                lost.append(webhook.merchant_id)
            elif None in before:
                await self._merchants.set_webhook(tx, webhook.without_previous_key())
                previous_count += 1
        return ForgottenKeys(
            merchants=tuple(lost), previous_count=previous_count, last=merchant_ids[-1]
        )

    async def is_sealed_alike(self, tx: Transaction, *, page_size: int) -> bool:
        """Whether every stored key is sealed as new ones are."""
        after = None
        while webhooks := await self._merchants.list_next_webhooks(
            tx, after=after, limit=page_size
        ):
            keys = (key for each in webhooks for key in each.sealed_keys)
            if not all(map(self._seal.is_current, keys)):
                return False
            after = webhooks[-1].merchant_id
        return True

    def _sealed_again(self, webhook: Webhook) -> Webhook | None:
        """The webhook with its keys sealed as new ones are; None if one of them cannot be read."""
        sealed_keys = []
        for sealed in webhook.sealed_keys:
            if self._seal.is_current(sealed):
                sealed_keys.append(sealed)
                continue
            secret = self._seal.open_if_possible(sealed)
            if secret is None:
                return None
            sealed_keys.append(self._seal.seal(secret))
        return webhook.with_sealed_keys(sealed_keys)
