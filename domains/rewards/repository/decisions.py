"""What campaigns made of events, in SQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import orjson
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import JSONB

from domains.rewards.model import DecisionRecord, Outcome
from domains.rewards.tables import decision
from infrastructure.database.metadata import columns_of
from infrastructure.database.transaction import Transaction
from vocabulary.ids import CampaignId, InteractionId, MerchantId

_OF_INTERACTION = text(
    f"""
    SELECT {columns_of(decision)} FROM decision
    WHERE interaction_id = :interaction_id ORDER BY sequence
    """
).columns(details=JSONB)

_COLUMNS = (
    "interaction_id",
    "campaign_id",
    "decide_time",
    "merchant_id",
    "sequence",
    "rule_version",
    "outcome",
    "details",
)


class DecisionRepository:
    async def add_many(self, tx: Transaction, decisions: Iterable[DecisionRecord]) -> None:
        await tx.copy(
            "decision",
            _COLUMNS,
            [
                (
                    each.interaction_id,
                    each.campaign_id,
                    each.decide_time,
                    each.merchant_id,
                    each.sequence,
                    each.rule_version,
                    each.outcome.value,
                    orjson.dumps(each.details).decode(),
                )
                for each in decisions
            ],
        )

    async def list_of_interaction(
        self, tx: Transaction, interaction_id: InteractionId
    ) -> Sequence[DecisionRecord]:
        rows = await tx.execute(_OF_INTERACTION, {"interaction_id": interaction_id})
        return [
            DecisionRecord(
                interaction_id=InteractionId(row.interaction_id),
                merchant_id=MerchantId(row.merchant_id),
                campaign_id=CampaignId(row.campaign_id),
                rule_version=row.rule_version,
                sequence=row.sequence,
                outcome=Outcome(row.outcome),
                details=row.details,
                decide_time=row.decide_time,
            )
            for row in rows
        ]
