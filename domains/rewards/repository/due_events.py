"""Interactions in SQL, as the lane of their merchant decides them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import orjson
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import DateTime, Integer, Text, Uuid

from domains.rewards.model import Interaction, Obstacle, OrderLife, Place
from domains.rewards.repository.events import INTERACTION_COLUMNS, to_interaction
from domains.rewards.repository.lives import asked
from infrastructure.database.bounds import FIRST_TIME
from infrastructure.database.sql_files import sql_file
from infrastructure.database.transaction import Transaction
from vocabulary.ids import InteractionId, MerchantId

# Whoever changes an interaction holds its lane, so these lock nothing.
_LIST_READY = text(
    f"""
    SELECT {INTERACTION_COLUMNS} FROM interaction
    WHERE merchant_id = :merchant_id AND ready_round = :round
      AND (event_time, referral_reference) > (:after_time, CAST(:after_reference AS text))
    ORDER BY event_time, referral_reference
    LIMIT :batch_size
    """
)
_LIST_LAST_READY = text(
    f"""
    SELECT {INTERACTION_COLUMNS} FROM interaction
    WHERE merchant_id = :merchant_id AND ready_round = :round
      AND (event_time, referral_reference) > (:after_time, CAST(:after_reference AS text))
    ORDER BY event_time DESC, referral_reference DESC
    LIMIT :batch_size OFFSET :skip
    """
)
_LIST_SOME_READY = text(
    f"""
    SELECT {INTERACTION_COLUMNS}
    FROM unnest(:interaction_ids) AS asked (asked_id) CROSS JOIN LATERAL (
        SELECT * FROM interaction WHERE interaction_id = asked_id OFFSET 0
    ) AS known
    WHERE ready_round = :round
    ORDER BY event_time, referral_reference
    """
).bindparams(bindparam("interaction_ids", type_=ARRAY(Uuid)))
_PROMOTE = sql_file(__file__, "promote_referrals.sql")
# The limits below are no limits. They keep PostgreSQL from taking a list for a large part of a
# table that was small, or unknown, when the statement was planned.
_MARK_DECIDED = text(
    """
    UPDATE interaction
    SET state = 'decided', decide_time = :now, obstacle = '', needed_rate = NULL,
        ready_round = NULL, facts = CAST(decided.facts AS jsonb)
    FROM (
        SELECT * FROM unnest(:interaction_ids, :facts) AS listed (interaction_id, facts)
        LIMIT (SELECT cardinality(:interaction_ids))
    ) AS decided
    WHERE interaction.interaction_id = decided.interaction_id
    """
).bindparams(bindparam("interaction_ids", type_=ARRAY(Uuid)), bindparam("facts", type_=ARRAY(Text)))
_POSTPONE = text(
    """
    UPDATE interaction
    SET due_time = waiting.due_time, obstacle = :obstacle, needed_rate = waiting.needed_rate,
        wait_count = wait_count + 1, ready_round = NULL
    FROM (
        SELECT listed.* FROM unnest(:interaction_ids, :due_times, :needed_rates)
            AS listed (interaction_id, due_time, needed_rate)
        CROSS JOIN LATERAL (
            SELECT FROM interaction AS open
            WHERE open.interaction_id = listed.interaction_id AND open.state = 'pending' OFFSET 0
        ) AS known
        LIMIT (SELECT cardinality(:interaction_ids))
    ) AS waiting
    WHERE interaction.interaction_id = waiting.interaction_id
    """
).bindparams(
    bindparam("interaction_ids", type_=ARRAY(Uuid)),
    bindparam("due_times", type_=ARRAY(DateTime(timezone=True))),
    bindparam("needed_rates", type_=ARRAY(Text)),
)
_PASS_OVER = sql_file(__file__, "pass_over.sql").bindparams(
    bindparam("order_references", type_=ARRAY(Text)),
    bindparam("generations", type_=ARRAY(Integer)),
    bindparam("interaction_ids", type_=ARRAY(Uuid)),
)
_FAIL = text(
    """
    UPDATE interaction
    SET try_count = try_count + 1, obstacle = :obstacle, ready_round = NULL,
        due_time = COALESCE(CAST(:due_time AS timestamptz), due_time),
        state = CASE WHEN CAST(:due_time AS timestamptz) IS NULL THEN 'dead' ELSE state END,
        needed_rate = NULL
    WHERE interaction_id = :interaction_id AND state = 'pending'
    """
)


class DueEventRepository:
    async def list_ready(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        *,
        round_number: int,
        after: Place | None,
        limit: int,
    ) -> Sequence[Interaction]:
        """The next referrals of a round, in the order of the lane."""
        rows = await tx.execute(
            _LIST_READY,
            {
                "merchant_id": merchant_id,
                "round": round_number,
                "after_time": after.time if after else FIRST_TIME,
                "after_reference": after.reference if after else "",
                "batch_size": limit,
            },
        )
        return [to_interaction(row) for row in rows]

    async def list_last_ready(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        *,
        round_number: int,
        after: Place | None,
        skip: int,
        limit: int,
    ) -> Sequence[Interaction]:
        """Referrals at the end of a round, the last one first, without the last `skip` ones."""
        rows = await tx.execute(
            _LIST_LAST_READY,
            {
                "merchant_id": merchant_id,
                "round": round_number,
                "after_time": after.time if after else FIRST_TIME,
                "after_reference": after.reference if after else "",
                "skip": skip,
                "batch_size": limit,
            },
        )
        return [to_interaction(row) for row in rows]

    async def list_some_ready(
        self, tx: Transaction, interaction_ids: Sequence[InteractionId], *, round_number: int
    ) -> Sequence[Interaction]:
        """Those of these referrals that the round has not dealt with, in the order of the lane."""
        rows = await tx.execute(
            _LIST_SOME_READY, {"interaction_ids": interaction_ids, "round": round_number}
        )
        return [to_interaction(row) for row in rows]

    async def promote(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        *,
        after: datetime | None,
        until: datetime,
        round_number: int,
        limit: int,
    ) -> tuple[int, datetime | None]:
        """Takes referrals that are due into a round; how many, and the last due time of them."""
        row = (
            await tx.execute(
                _PROMOTE,
                {
                    "merchant_id": merchant_id,
                    "after": after or FIRST_TIME,
                    "until": until,
                    "round": round_number,
                    "batch_size": limit,
                },
            )
        ).one()
        return row.promoted_count, row.due_time

    async def mark_decided(
        self,
        tx: Transaction,
        facts: Sequence[tuple[InteractionId, dict[str, object]]],
        *,
        now: datetime,
    ) -> None:
        await tx.execute(
            _MARK_DECIDED,
            {
                "interaction_ids": [interaction_id for interaction_id, _ in facts],
                "facts": [orjson.dumps(each).decode() for _, each in facts],
                "now": now,
            },
        )

    async def postpone(
        self,
        tx: Transaction,
        waits: Sequence[tuple[InteractionId, datetime, str | None]],
        *,
        obstacle: Obstacle,
    ) -> None:
        """Lets interactions wait, each until a time, for something from outside, as for a rate.

        Costs them no try.
        """
        await tx.execute(
            _POSTPONE,
            {
                "interaction_ids": [interaction_id for interaction_id, _, _ in waits],
                "due_times": [until for _, until, _ in waits],
                "needed_rates": [needed for _, _, needed in waits],
                "obstacle": obstacle,
            },
        )

    async def pass_over(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        lives: Sequence[OrderLife],
        referrals: Sequence[InteractionId],
        *,
        due_time: datetime,
    ) -> None:
        """Lets the interactions of these lives, and these referrals, wait, unread."""
        await tx.execute(
            _PASS_OVER,
            {
                "merchant_id": merchant_id,
                **asked(lives),
                "interaction_ids": list(referrals),
                "due_time": due_time,
                "obstacle": Obstacle.DECIDING_FAILED,
            },
        )

    async def fail(
        self,
        tx: Transaction,
        interaction_id: InteractionId,
        *,
        retry_time: datetime | None,
        obstacle: Obstacle,
    ) -> None:
        """Sets an interaction aside until it is tried again; without a time it is dead."""
        await tx.execute(
            _FAIL,
            {"interaction_id": interaction_id, "due_time": retry_time, "obstacle": obstacle},
        )
