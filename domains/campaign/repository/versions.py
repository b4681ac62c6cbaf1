"""Versions of campaigns in SQL: their rules, and the items of their budgets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, Uuid, bindparam, insert, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from domains.campaign.model import (
    Asset,
    BudgetItem,
    CalendarMonths,
    Campaign,
    Tiles,
    WindowKind,
)
from domains.campaign.model.campaign import RuleVersion
from domains.campaign.model.rule_document import read_stored, to_document
from domains.campaign.tables import budget_item, campaign_rule_version
from infrastructure.database.transaction import Transaction
from vocabulary.amounts import Unit
from vocabulary.ids import BudgetItemId, CampaignId

_ADD_RULE = insert(campaign_rule_version)
_ADD_ITEMS = insert(budget_item)
# The versions that are for what happened from a time on, but for the newest of each campaign.
_EARLIER = (
    text(
        """
    SELECT known.campaign_id, known.version, known.rule, known.create_time
    FROM unnest(:campaigns, :versions) AS asked (campaign_id, newest) CROSS JOIN LATERAL (
        SELECT * FROM campaign_rule_version AS version
        WHERE version.campaign_id = asked.campaign_id AND version.version < asked.newest
          AND version.version >= COALESCE((
              SELECT max(begun.version) FROM campaign_rule_version AS begun
              WHERE begun.campaign_id = asked.campaign_id AND begun.create_time <= :first_time), 1)
        OFFSET 0
    ) AS known
    ORDER BY known.campaign_id, known.version
    """
    )
    .bindparams(
        bindparam("campaigns", type_=ARRAY(Uuid)), bindparam("versions", type_=ARRAY(Integer))
    )
    .columns(rule=JSONB)
)
_VERSION = text(
    """
    SELECT campaign_id, version, rule, create_time FROM campaign_rule_version
    WHERE campaign_id = :campaign_id AND version = :version
    """
).columns(rule=JSONB)
_SET_RULE = text(
    """
    UPDATE campaign_rule_version SET rule = :rule
    WHERE campaign_id = :campaign_id AND version = :version
    """
).bindparams(bindparam("rule", type_=JSONB))
_RETIRE_ITEM = text(
    "UPDATE budget_item SET last_version = :last_version WHERE budget_item_id = :budget_item_id"
)
_SET_ITEM = text(
    """
    UPDATE budget_item
    SET position = :position, limit_base_units = :limit_base_units,
        limit_ever_base_units = :limit_ever_base_units
    WHERE budget_item_id = :budget_item_id
    """
)
_MOVING = ("budget_item_id", "position", "limit_base_units", "limit_ever_base_units")
_DELETE_ITEMS = text("DELETE FROM budget_item WHERE campaign_id = :campaign_id")
_DELETE_RULES = text("DELETE FROM campaign_rule_version WHERE campaign_id = :campaign_id")


class VersionRepository:
    async def add(self, tx: Transaction, new: Campaign) -> None:
        """Adds a campaign's version, and all items of its budget."""
        await self._add_rule(tx, new)
        await self._add_items(tx, enumerate(new.budget))

    async def set_draft(self, tx: Transaction, changed: Campaign) -> None:
        """Writes the one version of a draft anew."""
        await tx.execute(
            _SET_RULE,
            {
                "campaign_id": changed.campaign_id,
                "version": changed.rule_version,
                "rule": to_document(changed.rule, changed.units),
            },
        )
        await tx.execute(_DELETE_ITEMS, {"campaign_id": changed.campaign_id})
        await self._add_items(tx, enumerate(changed.budget))

    async def add_next(self, tx: Transaction, before: Campaign, after: Campaign) -> None:
        """Adds a new version: items that are gone end, others go on or come."""
        await self._add_rule(tx, after)
        known = {item.budget_item_id for item in before.budget}
        for item in after.retired:
            if item.budget_item_id in known:
                await tx.execute(
                    _RETIRE_ITEM,
                    {"budget_item_id": item.budget_item_id, "last_version": item.last_version},
                )
        added = []
        for position, item in enumerate(after.budget):
            if item.budget_item_id not in known:
                added.append((position, item))
                continue
            row = _item_row(item, position)
            await tx.execute(_SET_ITEM, {name: row[name] for name in _MOVING})
        await self._add_items(tx, added)

    async def delete(self, tx: Transaction, campaign_id: CampaignId) -> None:
        """Deletes all versions of a draft."""
        await tx.execute(_DELETE_ITEMS, {"campaign_id": campaign_id})
        await tx.execute(_DELETE_RULES, {"campaign_id": campaign_id})

    async def find(
        self, tx: Transaction, campaign_id: CampaignId, version: int
    ) -> RuleVersion | None:
        found = await tx.execute(_VERSION, {"campaign_id": campaign_id, "version": version})
        row = found.one_or_none()
        return None if row is None else _version(row)

    async def list_earlier(
        self, tx: Transaction, campaigns: Sequence[Campaign], *, first_time: datetime
    ) -> Mapping[UUID, Sequence[RuleVersion]]:
        """Of each campaign the versions, but the newest, for what happened from a time on."""
        rows = await tx.execute(
            _EARLIER,
            {
                "campaigns": [each.campaign_id for each in campaigns],
                "versions": [each.rule_version for each in campaigns],
                "first_time": first_time,
            },
        )
        earlier: dict[UUID, list[RuleVersion]] = {}
        for row in rows:
            earlier.setdefault(row.campaign_id, []).append(_version(row))
        return earlier

    async def _add_rule(self, tx: Transaction, campaign: Campaign) -> None:
        await tx.execute(
            _ADD_RULE,
            {
                "campaign_id": campaign.campaign_id,
                "version": campaign.rule_version,
                "rule": to_document(campaign.rule, campaign.units),
                "create_time": campaign.version_time,
            },
        )

    async def _add_items(self, tx: Transaction, items: Iterable[tuple[int, BudgetItem]]) -> None:
        rows = [_item_row(item, position) for position, item in items]
        if rows:
            await tx.execute(_ADD_ITEMS, rows)


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
        "limit_ever_base_units": Decimal(item.limit_ever),
        "first_version": item.first_version,
        "last_version": item.last_version,
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
        limit_ever=int(document["limit_ever"]),
        first_version=document["first_version"],
        last_version=document["last_version"],
    )


def _version(row: Any) -> RuleVersion:
    rule, _ = read_stored(row.rule, campaign_id=CampaignId(row.campaign_id), version=row.version)
    return RuleVersion(version=row.version, rule=rule, start_time=row.create_time)
