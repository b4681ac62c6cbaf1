"""Windows of budgets, and the entries that say what was charged to them, in SQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import DateTime, Integer, Numeric, Uuid

from domains.campaign.model import (
    BudgetItem,
    BudgetState,
    BudgetWindow,
    Charge,
    EntryKind,
    Refused,
    WindowKey,
)
from domains.campaign.tables import budget_window
from infrastructure.database.metadata import columns_of
from infrastructure.database.sql_files import sql_file
from infrastructure.database.transaction import Transaction
from vocabulary.amounts import BASE_UNITS_MAX
from vocabulary.ids import BudgetItemId, CampaignId, RewardId

# Locks the windows that are there. One that is not there is unused, and nobody makes it meanwhile:
# whoever charges a merchant's windows holds the merchant's lane.
# Locks: windows, in the order of their keys.
_LOCK = text(
    """
    SELECT budget_item_id, start_time, used_base_units
    FROM (
        SELECT * FROM unnest(:items, :starts) AS listed (item, start)
        ORDER BY item, start OFFSET 0
    ) AS asked CROSS JOIN LATERAL (
        SELECT budget_item_id, start_time, used_base_units FROM budget_window
        WHERE budget_item_id = asked.item AND start_time = asked.start
        FOR NO KEY UPDATE
    ) AS known
    """
).bindparams(
    bindparam("items", type_=ARRAY(Uuid)),
    bindparam("starts", type_=ARRAY(DateTime(timezone=True))),
)
_MOVE = sql_file(__file__, "charge_windows.sql", base_units_max=BASE_UNITS_MAX).bindparams(
    bindparam("items", type_=ARRAY(Uuid)),
    bindparam("starts", type_=ARRAY(DateTime(timezone=True))),
    bindparam("ends", type_=ARRAY(DateTime(timezone=True))),
    bindparam("used", type_=ARRAY(Numeric)),
    bindparam("refusals", type_=ARRAY(Integer)),
    bindparam("refused", type_=ARRAY(Numeric)),
)
_RELEASE = sql_file(__file__, "release_budget.sql").bindparams(
    bindparam("rewards", type_=ARRAY(Uuid)), bindparam("causes", type_=ARRAY(Uuid))
)
_LIST = text(
    f"""
    SELECT {columns_of(budget_window)}, item.position
    FROM budget_window JOIN budget_item AS item USING (budget_item_id)
    WHERE item.campaign_id = :campaign_id
      AND (used_base_units > 0 OR refused_count > 0)
      AND (CAST(:after_start AS timestamptz) IS NULL
           OR (start_time, budget_item_id) > (:after_start, CAST(:after_item AS uuid)))
    ORDER BY start_time, budget_item_id
    LIMIT :limit
    """
)
_ENTRY_COLUMNS = (
    "reward_id",
    "budget_item_id",
    "kind",
    "cause_id",
    "start_time",
    "base_units",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumption:
    """What one reward takes from one window."""

    reward_id: RewardId
    key: WindowKey
    base_units: int


class BudgetRepository:
    async def lock(self, tx: Transaction, windows: Iterable[WindowKey]) -> BudgetState:
        """Locks windows and returns how they stand. One that is not there is unused."""
        keys = sorted(windows)
        if not keys:
            return BudgetState()
        rows = await tx.execute(
            _LOCK,
            {
                "items": [key.budget_item_id for key in keys],
                "starts": [key.start_time for key in keys],
            },
        )
        return BudgetState(
            {
                WindowKey(BudgetItemId(row.budget_item_id), row.start_time): int(
                    row.used_base_units
                )
                for row in rows
            }
        )

    async def charge(
        self,
        tx: Transaction,
        charges: Iterable[Charge],
        refusals: Iterable[Refused],
        *,
        ends: Mapping[WindowKey, datetime],
    ) -> None:
        """Moves windows that this transaction has locked, and makes those that are missing.

        `ends` says when each of them ends.
        """
        moved: dict[WindowKey, list[int]] = {}
        for charge in charges:
            moved.setdefault(charge.key, [0, 0, 0])[0] += charge.base_units
        for refusal in refusals:
            row = moved.setdefault(refusal.key, [0, 0, 0])
            row[1] += 1
            row[2] += refusal.base_units
        if not moved:
            return
        result = await tx.execute(
            _MOVE,
            {
                "items": [key.budget_item_id for key in moved],
                "starts": [key.start_time for key in moved],
                "ends": [ends[key] for key in moved],
                "used": [Decimal(used) for used, _, _ in moved.values()],
                "refusals": [count for _, count, _ in moved.values()],
                "refused": [Decimal(refused) for _, _, refused in moved.values()],
            },
        )
        assert result.rowcount == len(moved), "a window would be above its limit"

    async def add_consumptions(self, tx: Transaction, consumptions: Iterable[Consumption]) -> None:
        await tx.copy(
            "budget_entry",
            _ENTRY_COLUMNS,
            [
                (
                    each.reward_id,
                    each.key.budget_item_id,
                    EntryKind.CONSUME.value,
                    each.reward_id,
                    each.key.start_time,
                    Decimal(each.base_units),
                )
                for each in consumptions
            ],
        )

    async def release(self, tx: Transaction, rewards: Sequence[tuple[RewardId, UUID]]) -> None:
        """Gives back what rewards took, each with the id of what caused it."""
        await tx.execute(
            _RELEASE,
            {
                "rewards": [reward_id for reward_id, _ in rewards],
                "causes": [cause_id for _, cause_id in rewards],
            },
        )

    async def list_windows(
        self,
        tx: Transaction,
        campaign_id: CampaignId,
        items: Mapping[UUID, BudgetItem],
        *,
        after: tuple[datetime, UUID] | None,
        limit: int,
    ) -> Sequence[BudgetWindow]:
        """A campaign's windows that were asked for something, oldest first."""
        rows = await tx.execute(
            _LIST,
            {
                "campaign_id": campaign_id,
                "after_start": after[0] if after else None,
                "after_item": after[1] if after else None,
                "limit": limit,
            },
        )
        return [
            BudgetWindow(
                item=items[row.budget_item_id],
                start_time=row.start_time,
                end_time=row.end_time,
                used=int(row.used_base_units),
                refused_count=row.refused_count,
                refused=int(row.refused_base_units),
            )
            for row in rows
        ]
