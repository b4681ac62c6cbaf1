"""Campaigns in SQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import insert, text
from sqlalchemy.dialects.postgresql import JSONB

from domains.campaign.model import (
    Asset,
    BudgetItem,
    CalendarMonths,
    Campaign,
    CampaignState,
    Tiles,
    WindowKind,
)
from domains.campaign.model.rule_document import from_document, to_document
from domains.campaign.tables import budget_item, campaign, campaign_rule_version
from infrastructure.database.transaction import Transaction
from vocabulary.amounts import Unit
from vocabulary.ids import BudgetItemId, CampaignId, MerchantId

_ADD = insert(campaign)
_ADD_RULE = insert(campaign_rule_version)
_ADD_ITEMS = insert(budget_item)
# The items of a campaign travel with it as JSON, so that a list of campaigns is one statement.
_SELECT = """
    SELECT campaign.*, campaign_rule_version.rule,
           COALESCE((SELECT jsonb_agg(jsonb_build_object(
                         'budget_item_id', item.budget_item_id,
                         'label', item.label,
                         'asset', item.asset,
                         'unit', item.unit,
                         'unit_decimals', item.unit_decimals,
                         'limit', item.limit_base_units::text,
                         'window_kind', item.window_kind,
                         'window_microseconds',
                             (EXTRACT(epoch FROM item.window_duration) * 1000000)::bigint,
                         'time_zone', item.time_zone) ORDER BY item.position)
                     FROM budget_item AS item
                     WHERE item.campaign_id = campaign.campaign_id), '[]') AS budget
    FROM campaign
    JOIN campaign_rule_version
      ON campaign_rule_version.campaign_id = campaign.campaign_id
     AND campaign_rule_version.version = campaign.rule_version
"""
_ONE = f"{_SELECT} WHERE merchant_id = :merchant_id AND campaign.campaign_id = :campaign_id"
_DOCUMENTS = {"rule": JSONB, "budget": JSONB}
_FIND = text(_ONE).columns(**_DOCUMENTS)
_FIND_FOR_UPDATE = text(f"{_ONE} FOR NO KEY UPDATE OF campaign").columns(**_DOCUMENTS)
_LIST = text(
    f"""{_SELECT}
    WHERE merchant_id = :merchant_id
      AND (CAST(:after_priority AS int) IS NULL
           OR (-priority, campaign.campaign_id) > (-:after_priority, CAST(:after_id AS uuid)))
    ORDER BY priority DESC, campaign.campaign_id
    LIMIT :limit
    """
).columns(**_DOCUMENTS)
# Locked against a change of state until the decisions that relied on it are committed.
_LIST_PAYING = text(
    f"""{_SELECT}
    WHERE merchant_id = :merchant_id AND state IN ('active', 'paused')
    ORDER BY priority DESC, campaign.campaign_id
    FOR SHARE OF campaign
    """
).columns(**_DOCUMENTS)
_SET_STATE = text(
    """
    UPDATE campaign
    SET state = :state, publish_time = :publish_time, update_time = :update_time
    WHERE campaign_id = :campaign_id
    """
)


class CampaignRepository:
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
        await tx.execute(
            _ADD_RULE,
            {
                "campaign_id": new.campaign_id,
                "version": new.rule_version,
                "rule": to_document(new.rule, new.units),
                "create_time": new.create_time,
            },
        )
        if new.budget:
            rows = [_item_row(item, position) for position, item in enumerate(new.budget)]
            await tx.execute(_ADD_ITEMS, rows)

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
        after: tuple[int, CampaignId] | None,
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


def _item_row(item: BudgetItem, position: int) -> dict[str, object]:
    kind, duration, time_zone = WindowKind.ALL, None, None
    match item.window:
        case Tiles():
            kind, duration = WindowKind.DURATION, item.window.duration
        case CalendarMonths():
            kind, time_zone = WindowKind.MONTH, item.window.time_zone
        case None:
            pass
    return {
        "budget_item_id": item.budget_item_id,
        "campaign_id": item.campaign_id,
        "position": position,
        "label": item.label,
        "asset": item.asset,
        "unit": item.unit.key,
        "unit_decimals": item.unit.decimals,
        "limit_base_units": Decimal(item.limit),
        "window_kind": kind,
        "window_duration": duration,
        "time_zone": time_zone,
    }


def budget_item_of(document: dict[str, Any], campaign_id: CampaignId) -> BudgetItem:
    """An item, from the JSON in which it travels with its campaign."""
    window: Tiles | CalendarMonths | None = None
    match WindowKind(document["window_kind"]):
        case WindowKind.DURATION:
            window = Tiles(duration=timedelta(microseconds=document["window_microseconds"]))
        case WindowKind.MONTH:
            window = CalendarMonths(time_zone=document["time_zone"])
        case WindowKind.ALL:
            pass
    return BudgetItem(
        budget_item_id=BudgetItemId(UUID(document["budget_item_id"])),
        campaign_id=campaign_id,
        label=document["label"],
        asset=Asset(document["asset"]),
        unit=Unit(key=document["unit"], decimals=document["unit_decimals"]),
        limit=int(document["limit"]),
        window=window,
    )


def _campaign(row: Any) -> Campaign:
    rule, units = from_document(row.rule)
    campaign_id = CampaignId(row.campaign_id)
    return Campaign(
        campaign_id=campaign_id,
        merchant_id=MerchantId(row.merchant_id),
        name=row.name,
        state=CampaignState(row.state),
        priority=row.priority,
        rule=rule,
        rule_version=row.rule_version,
        units=units,
        budget=tuple(budget_item_of(document, campaign_id) for document in row.budget),
        unlimited=frozenset(Asset(asset) for asset in row.unlimited_assets),
        start_time=row.start_time,
        expire_time=row.expire_time,
        publish_time=row.publish_time,
        create_time=row.create_time,
        update_time=row.update_time,
    )
