"""Rewards in SQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Integer, Text, Uuid

from domains.rewards.model import CancellationReason, Reversal, Reward, RewardState, Role
from domains.rewards.tables import reward
from infrastructure.database.metadata import columns_of
from infrastructure.database.sql_files import sql_file
from infrastructure.database.transaction import Transaction
from vocabulary.amounts import Unit
from vocabulary.ids import (
    CampaignId,
    IdentityGroupId,
    InteractionId,
    MerchantId,
    PurchaseId,
    ReversalId,
    RewardId,
)
from vocabulary.recording import IdRange

_CANCEL = sql_file(__file__, "cancel_rewards.sql").bindparams(
    bindparam("reversal_ids", type_=ARRAY(Uuid)),
    bindparam("order_references", type_=ARRAY(Text)),
    bindparam("generations", type_=ARRAY(Integer)),
)
_SELECT = f"""
    SELECT {columns_of(reward)}, ledger_unit.decimals FROM reward
    JOIN ledger_unit ON ledger_unit.merchant_id = reward.merchant_id
                    AND ledger_unit.unit = reward.unit
"""
_FIND = text(f"{_SELECT} WHERE reward_id = :reward_id")
_OF_INTERACTION = text(
    f"{_SELECT} WHERE interaction_id = :interaction_id"
    " ORDER BY campaign_id, definition_index, depth NULLS FIRST"
)


def _page(*, whose: str) -> TextClause:
    statement = sql_file(__file__, "list_rewards.sql", columns=columns_of(reward), whose=whose)
    return statement.bindparams(bindparam("states", type_=ARRAY(Text)))


_LIST = _page(whose="merchant")
_LIST_OF_PERSON = _page(whose="person")
_LIST_OF_PURCHASE = _page(whose="purchase")

_COLUMNS = (
    "reward_id",
    "merchant_id",
    "interaction_id",
    "campaign_id",
    "definition_index",
    "depth",
    "identity_group_id",
    "role",
    "purchase_id",
    "unit",
    "granted_base_units",
    "target_base_units",
    "state",
    "cancellation_reason",
    "description",
    "event_time",
    "create_time",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelledReward:
    """A reward that was taken back, by which reversal, and what it lost."""

    reward_id: RewardId
    reversal_id: ReversalId
    campaign_id: CampaignId
    identity_group_id: IdentityGroupId
    unit: Unit
    lost: int


class RewardRepository:
    async def add_many(self, tx: Transaction, rewards: Iterable[Reward]) -> None:
        """Adds rewards. One that exists already breaks them all."""
        await tx.copy(
            "reward",
            _COLUMNS,
            [
                (
                    each.reward_id,
                    each.merchant_id,
                    each.interaction_id,
                    each.campaign_id,
                    each.definition_index,
                    each.depth,
                    each.identity_group_id,
                    each.role.value,
                    each.purchase_id,
                    each.unit.key,
                    Decimal(each.granted),
                    Decimal(each.target),
                    each.state.value,
                    each.cancellation_reason,
                    each.description,
                    each.event_time,
                    each.create_time,
                )
                for each in rewards
            ],
        )

    async def cancel_for(
        self, tx: Transaction, merchant_id: MerchantId, reversals: Sequence[Reversal]
    ) -> Sequence[CancelledReward]:
        """Takes back what the reversed orders earned; what was taken back before is left out."""
        rows = await tx.execute(
            _CANCEL,
            {
                "merchant_id": merchant_id,
                "reversal_ids": [each.reversal_id for each in reversals],
                "order_references": [each.life.order_reference for each in reversals],
                "generations": [each.life.generation for each in reversals],
            },
        )
        return [
            CancelledReward(
                reward_id=RewardId(row.reward_id),
                reversal_id=ReversalId(row.reversal_id),
                campaign_id=CampaignId(row.campaign_id),
                identity_group_id=IdentityGroupId(row.identity_group_id),
                unit=Unit(key=row.unit, decimals=row.decimals),
                lost=int(row.lost_base_units),
            )
            for row in rows
        ]

    async def find(self, tx: Transaction, reward_id: RewardId) -> Reward | None:
        row = (await tx.execute(_FIND, {"reward_id": reward_id})).one_or_none()
        return None if row is None else _reward(row)

    async def list_of_interaction(
        self, tx: Transaction, interaction_id: InteractionId
    ) -> Sequence[Reward]:
        rows = await tx.execute(_OF_INTERACTION, {"interaction_id": interaction_id})
        return [_reward(row) for row in rows]

    async def list_of_merchant(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        *,
        identity_group_id: UUID | None,
        purchase_id: UUID | None,
        state: RewardState | None,
        within: IdRange,
        limit: int,
    ) -> Sequence[Reward]:
        """A merchant's rewards with these ids, most recently recorded first.

        Those of a person or of a purchase, if they are named.
        """
        asked: dict[str, object] = {
            "merchant_id": merchant_id,
            "states": list(RewardState) if state is None else [state],
            "first_id": within.first,
            "end_id": within.end,
            "limit": limit,
        }
        if purchase_id is not None:
            asked |= {"purchase_id": purchase_id, "identity_group_id": identity_group_id}
            rows = await tx.execute(_LIST_OF_PURCHASE, asked)
        elif identity_group_id is not None:
            asked |= {"identity_group_id": identity_group_id}
            rows = await tx.execute(_LIST_OF_PERSON, asked)
        else:
            rows = await tx.execute(_LIST, asked)
        return [_reward(row) for row in rows]


def _reward(row: Any) -> Reward:
    return Reward(
        reward_id=RewardId(row.reward_id),
        merchant_id=MerchantId(row.merchant_id),
        interaction_id=InteractionId(row.interaction_id),
        campaign_id=CampaignId(row.campaign_id),
        definition_index=row.definition_index,
        depth=row.depth,
        identity_group_id=IdentityGroupId(row.identity_group_id),
        role=Role(row.role),
        purchase_id=None if row.purchase_id is None else PurchaseId(row.purchase_id),
        unit=Unit(key=row.unit, decimals=row.decimals),
        granted=int(row.granted_base_units),
        target=int(row.target_base_units),
        state=RewardState(row.state),
        cancellation_reason=None
        if row.cancellation_reason is None
        else CancellationReason(row.cancellation_reason),
        description=row.description,
        event_time=row.event_time,
        create_time=row.create_time,
    )
