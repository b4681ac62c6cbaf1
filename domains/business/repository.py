"""Merchants in SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, select, text
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

_ADD = (
    insert(merchant)
    .on_conflict_do_nothing(index_elements=["domain"])
    .returning(merchant.c.merchant_id)
)
_GET = select(merchant).where(merchant.c.merchant_id == bindparam("merchant_id"))
_LOCK = text("SELECT merchant_id FROM merchant WHERE merchant_id = :merchant_id FOR NO KEY UPDATE")
_GET_WEBHOOK = select(merchant_webhook).where(
    merchant_webhook.c.merchant_id == bindparam("merchant_id")
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


class MerchantRepository:
    async def add(self, tx: Transaction, new: Merchant) -> bool:
        """Adds a merchant; False if another one has its domain."""
        added = await tx.execute(
            _ADD,
            {
                "merchant_id": new.merchant_id,
                "product_id": new.product_id,
                "name": new.name,
                "domain": new.domain,
                "token_chain_id": new.reward_token.chain_id,
                "token_address": new.reward_token.address,
                "token_decimals": new.reward_token.decimals,
                "peg_currency": new.reward_token.peg_currency,
                "look_back": new.look_back,
                "reward_delay": new.reward_delay,
                "clock_tolerance": new.clock_tolerance,
                "attribution_model": new.attribution_model,
                "create_time": new.create_time,
            },
        )
        return added.first() is not None

    async def find(self, tx: Transaction, merchant_id: MerchantId) -> Merchant | None:
        row = (await tx.execute(_GET, {"merchant_id": merchant_id})).one_or_none()
        return _merchant(row) if row is not None else None

    async def find_webhook(self, tx: Transaction, merchant_id: MerchantId) -> Webhook | None:
        row = (await tx.execute(_GET_WEBHOOK, {"merchant_id": merchant_id})).one_or_none()
        if row is None:
            return None
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

    async def lock(self, tx: Transaction, merchant_id: MerchantId) -> bool:
        """Lets whoever sets this merchant up wait; False if there is none."""
        return (await tx.execute(_LOCK, {"merchant_id": merchant_id})).first() is not None

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
