"""Campaigns in SQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Text, TextualSelect, bindparam, insert, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from domains.campaign.model import (
    Asset,
    Campaign,
    CampaignState,
)
from domains.campaign.model.campaign import RuleVersion
from domains.campaign.model.rule_document import read_stored
from domains.campaign.repository.versions import VersionRepository, budget_item_of
from domains.campaign.tables import campaign
from infrastructure.database.metadata import columns_of
from infrastructure.database.sql_files import sql_file
from infrastructure.database.transaction import Transaction
from vocabulary.ids import CampaignId, MerchantId

_ADD = insert(campaign)
_COLUMNS = columns_of(campaign)


def _reading(which: str) -> TextualSelect:
    statement = sql_file(__file__, "read_campaigns.sql", columns=_COLUMNS, which=which)
    return statement.columns(rule=JSONB, budget=JSONB)


_FIND = _reading("one")
_FIND_FOR_UPDATE = _reading("one to change")
_LIST = _reading("page")
_LIST_PAYING = _reading("paying")
_SET = text(
    """
    UPDATE campaign
    SET name = :name, priority = :priority, rule_version = :rule_version,
        unlimited_assets = :unlimited_assets, start_time = :start_time,
        expire_time = :expire_time, update_time = :update_time
    WHERE campaign_id = :campaign_id
    """
).bindparams(bindparam("unlimited_assets", type_=ARRAY(Text)))
_DELETE = text("DELETE FROM campaign WHERE campaign_id = :campaign_id")
_HAS_PUBLISHED = text(
    """
    SELECT EXISTS (
        SELECT FROM campaign WHERE merchant_id = :merchant_id AND publish_time IS NOT NULL)
    """
)
_SET_STATE = text(
    """
    UPDATE campaign
    SET state = :state, publish_time = :publish_time, update_time = :update_time
    WHERE campaign_id = :campaign_id
    """
)


class CampaignRepository:
    def __init__(self) -> None:
        self._versions = VersionRepository()

    async def add(self, tx: Transaction, new: Campaign) -> None:
        await tx.execute(
            _ADD,
            {
                "campaign_id": new.campaign_id,
                "merchant_id": new.merchant_id,
                "name": new.name,
                "state": new.state,
                "priority": new.priority,
                "rule_version": new.rule_version,
                "unlimited_assets": sorted(new.unlimited),
                "start_time": new.start_time,
                "expire_time": new.expire_time,
                "publish_time": new.publish_time,
                "create_time": new.create_time,
                "update_time": new.update_time,
            },
        )
        await self._versions.add(tx, new)

    async def set_draft(self, tx: Transaction, changed: Campaign) -> None:
        """Writes a draft anew."""
        await self._set(tx, changed)
        await self._versions.set_draft(tx, changed)

    async def set_published(self, tx: Transaction, before: Campaign, after: Campaign) -> None:
        """Writes what changed of a published campaign: its fields, and its new version if any."""
        await self._set(tx, after)
        if after.rule_version > before.rule_version:
            await self._versions.add_next(tx, before, after)

    async def delete(self, tx: Transaction, campaign_id: CampaignId) -> None:
        """Deletes a draft, which nothing refers to."""
        await self._versions.delete(tx, campaign_id)
        await tx.execute(_DELETE, {"campaign_id": campaign_id})

    async def find_version(
        self, tx: Transaction, campaign_id: CampaignId, version: int
    ) -> RuleVersion | None:
        """One version of a campaign's rule."""
        return await self._versions.find(tx, campaign_id, version)

    async def with_earlier(
        self, tx: Transaction, campaigns: Sequence[Campaign], *, first_time: datetime
    ) -> Sequence[Campaign]:
        """The campaigns, with the versions that are for what happened from a time on."""
        changed = [
            each for each in campaigns if each.rule_version > 1 and each.version_time > first_time
        ]
        if not changed:
            return campaigns
        earlier = await self._versions.list_earlier(tx, changed, first_time=first_time)
        return [replace(each, earlier=earlier.get(each.campaign_id, ())) for each in campaigns]

    async def has_published(self, tx: Transaction, merchant_id: MerchantId) -> bool:
        """Whether one of the merchant's campaigns was ever published."""
        found = await tx.execute(_HAS_PUBLISHED, {"merchant_id": merchant_id})
        return bool(found.scalar_one())

    async def _set(self, tx: Transaction, changed: Campaign) -> None:
        await tx.execute(
            _SET,
            {
                "campaign_id": changed.campaign_id,
                "name": changed.name,
                "priority": changed.priority,
                "rule_version": changed.rule_version,
                "unlimited_assets": sorted(changed.unlimited),
                "start_time": changed.start_time,
                "expire_time": changed.expire_time,
                "update_time": changed.update_time,
            },
        )

    async def find(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        campaign_id: CampaignId,
        *,
        for_update: bool = False,
    ) -> Campaign | None:
        row = (
            await tx.execute(
                _FIND_FOR_UPDATE if for_update else _FIND,
                {"merchant_id": merchant_id, "campaign_id": campaign_id},
            )
        ).one_or_none()
        return None if row is None else _campaign(row)

    async def list_of_merchant(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        *,
        after: tuple[int, UUID] | None,
        limit: int,
    ) -> Sequence[Campaign]:
        """In the order in which campaigns are evaluated."""
        rows = await tx.execute(
            _LIST,
            {
                "merchant_id": merchant_id,
                "after_priority": after[0] if after else None,
                "after_id": after[1] if after else None,
                "limit": limit,
            },
        )
        return [_campaign(row) for row in rows]

    async def list_paying(self, tx: Transaction, merchant_id: MerchantId) -> Sequence[Campaign]:
        """The active and paused campaigns, in the order in which they are evaluated."""
        rows: Iterable[Any] = await tx.execute(_LIST_PAYING, {"merchant_id": merchant_id})
        return [_campaign(row) for row in rows]

    async def set_state(self, tx: Transaction, changed: Campaign) -> None:
        await tx.execute(
            _SET_STATE,
            {
                "campaign_id": changed.campaign_id,
                "state": changed.state,
                "publish_time": changed.publish_time,
                "update_time": changed.update_time,
            },
        )


def _campaign(row: Any) -> Campaign:
    campaign_id = CampaignId(row.campaign_id)
    rule, units = read_stored(row.rule, campaign_id=campaign_id, version=row.rule_version)
    items = [budget_item_of(document, campaign_id) for document in row.budget]
    return Campaign(
        campaign_id=campaign_id,
        merchant_id=MerchantId(row.merchant_id),
        name=row.name,
        state=CampaignState(row.state),
        priority=row.priority,
        rule=rule,
        rule_version=row.rule_version,
        units=units,
        budget=tuple(item for item in items if item.last_version is None),
        retired=tuple(item for item in items if item.last_version is not None),
        unlimited=frozenset(Asset(asset) for asset in row.unlimited_assets),
        start_time=row.start_time,
        expire_time=row.expire_time,
        publish_time=row.publish_time,
        create_time=row.create_time,
        update_time=row.update_time,
        version_time=row.version_time,
    )
