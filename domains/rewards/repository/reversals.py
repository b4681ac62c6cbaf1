"""Orders that were taken back, in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Uuid

from domains.rewards.model import Reversal
from infrastructure.database.transaction import Transaction
from vocabulary.ids import MerchantId, ReversalId

_CLAIM_OPEN = text(
    """
    SELECT reversal_id, event_reference FROM reversal
    WHERE merchant_id = :merchant_id AND drain_time IS NULL
    ORDER BY create_time, reversal_id
    LIMIT :batch_size
    FOR NO KEY UPDATE SKIP LOCKED
    """
)
_MARK_DRAINED = text(
    """
    UPDATE reversal SET drain_time = :now, sequence = drained.sequence
    FROM unnest(:reversal_ids) WITH ORDINALITY AS listed (reversal_id, position),
         LATERAL (SELECT :first_sequence + listed.position - 1 AS sequence) AS drained
    WHERE reversal.reversal_id = listed.reversal_id
    """
).bindparams(bindparam("reversal_ids", type_=ARRAY(Uuid)))


class ReversalRepository:
    async def claim_open(
        self, tx: Transaction, merchant_id: MerchantId, *, limit: int
    ) -> Sequence[Reversal]:
        """Locks up to `limit` reversals that nobody has dealt with, oldest first."""
        rows = await tx.execute(_CLAIM_OPEN, {"merchant_id": merchant_id, "batch_size": limit})
        return [
            Reversal(reversal_id=ReversalId(row.reversal_id), event_reference=row.event_reference)
            for row in rows
        ]

    async def mark_drained(
        self,
        tx: Transaction,
        reversals: Sequence[Reversal],
        *,
        first_sequence: int,
        now: datetime,
    ) -> None:
        await tx.execute(
            _MARK_DRAINED,
            {
                "reversal_ids": [each.reversal_id for each in reversals],
                "first_sequence": first_sequence,
                "now": now,
            },
        )
