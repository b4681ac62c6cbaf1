"""Merchants in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from domains.business.model import (
    AttributionModel,
    Merchant,
    Platform,
    PreviousKey,
    RewardToken,
    Webhook,
)
from domains.business.tables import merchant, merchant_webhook
from infrastructure.database.transaction import Transaction
from vocabulary.ids import MerchantId

FIRST_ID = UUID(int=0)
LAST_ID = UUID(int=2**128 - 1)
CHANGEABLE = (
    "name",
    "token_chain_id",
    "token_address",
    "token_decimals",
    "peg_currency",
    "look_back",
    "reward_delay",
    "clock_tolerance",
    "attribution_model",
)
"""The columns that an update may change."""

_ADD = (
    insert(merchant)
    .on_conflict_do_nothing(index_elements=["domain"])
    .returning(merchant.c.merchant_id)
)
_GET = select(merchant).where(merchant.c.merchant_id == bindparam("merchant_id"))
_LOCK = _GET.with_for_update(key_share=True)
_SHARE = _GET.with_for_update(read=True)
_LIST = (
    select(merchant)
    .where(merchant.c.merchant_id < bindparam("before"))
    .order_by(merchant.c.merchant_id.desc())
    .limit(bindparam("row_limit"))
)
_SET = (
    update(merchant)
    .where(merchant.c.merchant_id == bindparam("known_id"))
    .values({name: bindparam(name) for name in CHANGEABLE})
)
_GET_WEBHOOK = select(merchant_webhook).where(
    merchant_webhook.c.merchant_id == bindparam("merchant_id")
)
_LOCK_SOME = (
    select(merchant.c.merchant_id)
    .where(merchant.c.merchant_id > bindparam("after"))
    .order_by(merchant.c.merchant_id)
    .limit(bindparam("row_limit"))
    .with_for_update(key_share=True)
)
_LIST_WEBHOOKS = select(merchant_webhook).where(
    merchant_webhook.c.merchant_id.in_(bindparam("merchant_ids", expanding=True))
)
_LIST_NEXT_WEBHOOKS = (
    select(merchant_webhook)
    .where(merchant_webhook.c.merchant_id > bindparam("after"))
    .order_by(merchant_webhook.c.merchant_id)
    .limit(bindparam("row_limit"))
)
_NEW_WEBHOOK = insert(merchant_webhook)
_SET_WEBHOOK = _NEW_WEBHOOK.on_conflict_do_update(
    index_elements=["merchant_id"],
    set_={
        column.name: _NEW_WEBHOOK.excluded[column.name]
        for column in merchant_webhook.c
        if not column.primary_key
    },
)
_DELETE_WEBHOOK = delete(merchant_webhook).where(
    merchant_webhook.c.merchant_id == bindparam("known_id")
)


class MerchantRepository:
    async def add(self, tx: Transaction, new: Merchant) -> bool:
        """Adds a merchant; False if another one has its domain."""
        added = await tx.execute(
            _ADD,
            {
                "merchant_id": new.merchant_id,
                "product_id": new.product_id,
                "domain": new.domain,
                "create_time": new.create_time,
                **_settings(new),
            },
        )
        return added.first() is not None

    async def set(self, tx: Transaction, changed: Merchant) -> None:
        """Writes what may be changed of a merchant that this transaction has locked."""
        await tx.execute(_SET, {"known_id": changed.merchant_id, **_settings(changed)})

    async def lock(self, tx: Transaction, merchant_id: MerchantId) -> Merchant | None:
        """One merchant, locked against other changes and against those who rely on its token."""
        row = (await tx.execute(_LOCK, {"merchant_id": merchant_id})).one_or_none()
        return _merchant(row) if row is not None else None

    async def list_all(
        self, tx: Transaction, *, before: UUID | None, limit: int
    ) -> Sequence[Merchant]:
        """Merchants older than one, most recently created first."""
        rows = await tx.execute(_LIST, {"before": before or LAST_ID, "row_limit": limit})
        return [_merchant(row) for row in rows]

    async def find(self, tx: Transaction, merchant_id: MerchantId) -> Merchant | None:
        row = (await tx.execute(_GET, {"merchant_id": merchant_id})).one_or_none()
        return _merchant(row) if row is not None else None

    async def find_shared(self, tx: Transaction, merchant_id: MerchantId) -> Merchant | None:
        """One merchant, locked against changes."""
        row = (await tx.execute(_SHARE, {"merchant_id": merchant_id})).one_or_none()
        return _merchant(row) if row is not None else None

    async def find_webhook(self, tx: Transaction, merchant_id: MerchantId) -> Webhook | None:
        row = (await tx.execute(_GET_WEBHOOK, {"merchant_id": merchant_id})).one_or_none()
        return None if row is None else _webhook(row)

    async def lock_some(
        self, tx: Transaction, *, after: MerchantId | None, limit: int
    ) -> Sequence[MerchantId]:
        """The merchants that follow on one by their ids, locked against other changes.

        What is read before the lock is had may have changed since, so only ids are returned.
        """
        asked = {"after": after or FIRST_ID, "row_limit": limit}
        return [MerchantId(found) for found in (await tx.execute(_LOCK_SOME, asked)).scalars()]

    async def list_webhooks(
        self, tx: Transaction, merchant_ids: Sequence[MerchantId]
    ) -> Sequence[Webhook]:
        """The webhooks that some merchants have set up."""
        rows = await tx.execute(_LIST_WEBHOOKS, {"merchant_ids": merchant_ids})
        return [_webhook(row) for row in rows]

    async def list_next_webhooks(
        self, tx: Transaction, *, after: MerchantId | None, limit: int
    ) -> Sequence[Webhook]:
        """The webhooks of merchants that follow on one by their ids."""
        asked = {"after": after or FIRST_ID, "row_limit": limit}
        return [_webhook(row) for row in await tx.execute(_LIST_NEXT_WEBHOOKS, asked)]

    async def set_webhook(self, tx: Transaction, webhook: Webhook) -> None:
        previous = webhook.previous_key
        await tx.execute(
            _SET_WEBHOOK,
            {
                "merchant_id": webhook.merchant_id,
                "platform": webhook.platform,
                "sealed_key": webhook.sealed_key,
                "key_suffix": webhook.key_suffix,
                "update_time": webhook.update_time,
                "previous_sealed_key": previous and previous.sealed_key,
                "previous_key_suffix": previous and previous.key_suffix,
                "previous_key_end_time": previous and previous.end_time,
            },
        )

    async def delete_webhook(self, tx: Transaction, merchant_id: MerchantId) -> None:
        await tx.execute(_DELETE_WEBHOOK, {"known_id": merchant_id})


def _webhook(row: Any) -> Webhook:
    return Webhook(
        merchant_id=MerchantId(row.merchant_id),
        platform=Platform(row.platform),
        sealed_key=row.sealed_key,
        key_suffix=row.key_suffix,
        update_time=row.update_time,
        previous_key=None
        if row.previous_sealed_key is None
        else PreviousKey(
            sealed_key=row.previous_sealed_key,
            key_suffix=row.previous_key_suffix,
            end_time=row.previous_key_end_time,
        ),
    )


def _settings(merchant: Merchant) -> dict[str, object]:
    token = merchant.reward_token
    return {
        "name": merchant.name,
        "token_chain_id": token.chain_id,
        "token_address": token.address,
        "token_decimals": token.decimals,
        "peg_currency": token.peg_currency,
        "look_back": merchant.look_back,
        "reward_delay": merchant.reward_delay,
        "clock_tolerance": merchant.clock_tolerance,
        "attribution_model": merchant.attribution_model,
    }


def _merchant(row: Any) -> Merchant:
    return Merchant(
        merchant_id=MerchantId(row.merchant_id),
        name=row.name,
        domain=row.domain,
        reward_token=RewardToken(
            chain_id=row.token_chain_id,
            address=row.token_address,
            decimals=row.token_decimals,
            peg_currency=row.peg_currency,
        ),
        look_back=row.look_back,
        reward_delay=row.reward_delay,
        clock_tolerance=row.clock_tolerance,
        attribution_model=AttributionModel(row.attribution_model),
        create_time=row.create_time,
    )
