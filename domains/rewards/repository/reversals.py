"""Orders that were taken back, in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Integer, Text, Uuid

from domains.rewards.model import OrderLife, Reversal
from domains.rewards.repository.lives import asked, to_life, to_lives
from infrastructure.database.bounds import FIRST_ID, FIRST_TIME
from infrastructure.database.transaction import Transaction
from vocabulary.ids import MerchantId, ReversalId

# Whoever changes a reversal holds its lane, so these lock nothing.
_LIST_OPEN = text(
    """
    SELECT reversal_id, order_reference, generation, try_count, create_time FROM reversal
    WHERE merchant_id = :merchant_id AND drain_time IS NULL
      AND (create_time, reversal_id) > (:after_time, :after_id)
      AND (retry_time IS NULL OR retry_time <= :now)
    ORDER BY create_time, reversal_id
    LIMIT :batch_size
    """
)
_LIST_SOME = text(
    """
    SELECT reversal_id, order_reference, generation, try_count, create_time
    FROM unnest(:reversal_ids) AS asked (asked_id) CROSS JOIN LATERAL (
        SELECT * FROM reversal WHERE reversal_id = asked_id OFFSET 0
    ) AS known
    WHERE drain_time IS NULL
    ORDER BY create_time, reversal_id
    """
).bindparams(bindparam("reversal_ids", type_=ARRAY(Uuid)))
_LIST_WITH_EARLIER_OPEN = text(
    """
    SELECT DISTINCT asked_reference AS order_reference, asked_generation AS generation
    FROM unnest(:order_references, :generations) AS asked (asked_reference, asked_generation)
    CROSS JOIN LATERAL (
        SELECT drain_time FROM reversal
        WHERE merchant_id = :merchant_id AND order_reference = asked_reference
          AND generation < asked_generation OFFSET 0
    ) AS earlier
    WHERE drain_time IS NULL
    """
).bindparams(
    bindparam("order_references", type_=ARRAY(Text)), bindparam("generations", type_=ARRAY(Integer))
)
_MARK_DRAINED = text(
    """
    UPDATE reversal SET drain_time = :now, sequence = drained.sequence
    FROM (
        SELECT reversal_id, :first_sequence + position - 1 AS sequence
        FROM unnest(:reversal_ids) WITH ORDINALITY AS listed (reversal_id, position)
        -- No limit: it keeps PostgreSQL from taking the list for a large part of the table.
        LIMIT (SELECT cardinality(:reversal_ids))
    ) AS drained
    WHERE reversal.reversal_id = drained.reversal_id
    """
).bindparams(bindparam("reversal_ids", type_=ARRAY(Uuid)))
_SET_ASIDE = text(
    """
    UPDATE reversal SET try_count = try_count + 1, retry_time = :retry_time
    WHERE reversal_id = :reversal_id AND drain_time IS NULL
    """
)


class ReversalRepository:
    async def list_open(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        *,
        after: Reversal | None,
        now: datetime,
        limit: int,
    ) -> Sequence[Reversal]:
        """Up to `limit` reversals that nobody has dealt with and that are due, oldest first.

        Those up to `after` are passed.
        """
        rows = await tx.execute(
            _LIST_OPEN,
            {
                "merchant_id": merchant_id,
                "after_time": after.create_time if after else FIRST_TIME,
                "after_id": after.reversal_id if after else FIRST_ID,
                "now": now,
                "batch_size": limit,
            },
        )
        return [_reversal(row) for row in rows]

    async def list_some(
        self, tx: Transaction, reversal_ids: Sequence[ReversalId]
    ) -> Sequence[Reversal]:
        """Those of these reversals that nobody has dealt with, oldest first."""
        rows = await tx.execute(_LIST_SOME, {"reversal_ids": reversal_ids})
        return [_reversal(row) for row in rows]

    async def list_with_earlier_open(
        self, tx: Transaction, merchant_id: MerchantId, lives: Sequence[OrderLife]
    ) -> set[OrderLife]:
        """Those of these lives whose order had an earlier one that is yet to be taken back."""
        rows = await tx.execute(
            _LIST_WITH_EARLIER_OPEN,
            {
                "merchant_id": merchant_id,
                **asked(lives),
            },
        )
        return to_lives(rows)

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

    async def set_aside(
        self, tx: Transaction, reversal_id: ReversalId, *, retry_time: datetime
    ) -> None:
        """Lets a reversal wait that failed, so that the others go on."""
        await tx.execute(_SET_ASIDE, {"reversal_id": reversal_id, "retry_time": retry_time})


def _reversal(row: Any) -> Reversal:
    return Reversal(
        reversal_id=ReversalId(row.reversal_id),
        life=to_life(row),
        try_count=row.try_count,
        create_time=row.create_time,
    )
