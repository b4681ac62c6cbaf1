"""Lanes over everything that waits in them: orders, referrals, and what was taken back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import text

from domains.rewards.model import Lane, NeededRate, Obstacle, WaitingLane
from domains.rewards.model.lane import LOOK_BEHIND
from infrastructure.database.transaction import Transaction
from vocabulary.ids import MerchantId

_BEFORE_ALL = datetime.fromisoformat("0001-01-02T00:00:00+00:00")

# One step into each index for a merchant, from where the lane has looked already: so neither a
# long queue nor the dead rows that an old snapshot keeps cost more than a short one.
_WAITING = text(
    """
    SELECT merchant.merchant_id, lane.merchant_id IS NOT NULL AS exists, lane.phase,
           COALESCE(lane.failure_count, 0) AS failure_count,
           COALESCE(lane.next_sequence, 1) AS next_sequence,
           turned.create_time IS NOT NULL AS has_reversals,
           GREATEST(LEAST(
               due_order.due_time, due_referral.due_time,
               CASE WHEN turned.create_time IS NOT NULL THEN CAST(:begin AS timestamptz) END,
               CASE WHEN lane.phase <> 'idle' THEN CAST(:begin AS timestamptz) END
           ), lane.retry_time) AS due_time
    FROM merchant
    LEFT JOIN reward_lane AS lane USING (merchant_id)
    CROSS JOIN LATERAL (
        SELECT CASE WHEN :is_thorough THEN CAST(:begin AS timestamptz)
                    ELSE COALESCE(lane.promoted_time - CAST(:look_behind AS interval),
                                  CAST(:begin AS timestamptz)) END AS time OFFSET 0
    ) AS begin
    LEFT JOIN LATERAL (
        SELECT due_time FROM shop_order
        WHERE shop_order.merchant_id = merchant.merchant_id AND due_time IS NOT NULL
          AND ready_round IS NULL AND due_time >= begin.time
        ORDER BY due_time LIMIT 1
    ) AS due_order ON true
    LEFT JOIN LATERAL (
        SELECT due_time FROM interaction
        WHERE interaction.merchant_id = merchant.merchant_id AND kind = 'referral'
          AND state = 'pending' AND ready_round IS NULL AND due_time >= begin.time
        ORDER BY due_time LIMIT 1
    ) AS due_referral ON true
    LEFT JOIN LATERAL (
        SELECT create_time FROM reversal
        WHERE reversal.merchant_id = merchant.merchant_id AND drain_time IS NULL
          AND create_time >= begin.time AND (retry_time IS NULL OR retry_time <= :now)
        ORDER BY create_time LIMIT 1
    ) AS turned ON true
    WHERE NOT COALESCE(lane.held, false)
      AND (due_order.due_time IS NOT NULL OR due_referral.due_time IS NOT NULL
           OR turned.create_time IS NOT NULL OR lane.phase <> 'idle')
    ORDER BY lane.failure_count > 0 NULLS FIRST, due_time
    """
)
_GET = text(
    """
    WITH waiting AS (
        SELECT due_time FROM shop_order
        WHERE merchant_id = :merchant_id AND due_time IS NOT NULL
        UNION ALL
        SELECT due_time FROM interaction
        WHERE merchant_id = :merchant_id AND kind = 'referral' AND state = 'pending'
    )
    SELECT COALESCE(lane.held, false) AS held, COALESCE(lane.obstacle, '') AS obstacle,
           lane.retry_time,
           (SELECT count(*) FROM waiting WHERE due_time <= :now) AS due,
           (SELECT count(*) FROM waiting WHERE due_time > :now) AS waiting,
           (SELECT min(due_time) FROM waiting WHERE due_time <= :now) AS oldest,
           (SELECT count(*) FROM interaction
            WHERE merchant_id = :merchant_id AND state = 'dead') AS dead,
           (SELECT count(*) FROM reversal
            WHERE merchant_id = :merchant_id AND drain_time IS NULL) AS reversals,
           (SELECT count(*) FROM reversal
            WHERE merchant_id = :merchant_id AND drain_time IS NULL AND try_count > 0) AS failing
    FROM (SELECT) AS nothing LEFT JOIN reward_lane AS lane ON lane.merchant_id = :merchant_id
    """
)
_NEEDED = text(
    """
    SELECT needed_rate, count(*) AS number, min(order_time) AS first, max(order_time) AS last
    FROM shop_order
    WHERE merchant_id = :merchant_id AND needed_rate IS NOT NULL
    GROUP BY needed_rate ORDER BY needed_rate
    """
)


async def list_waiting_lanes(
    tx: Transaction, *, now: datetime, is_thorough: bool
) -> Sequence[WaitingLane]:
    """Every lane with something to do now or later and not held.

    The earliest first; those that were set back go last. A look that is not thorough passes
    what was written more than a minute late.
    """
    rows = await tx.execute(
        _WAITING,
        {
            "begin": _BEFORE_ALL,
            "now": now,
            "is_thorough": is_thorough,
            "look_behind": LOOK_BEHIND,
        },
    )
    return [
        WaitingLane(
            merchant_id=MerchantId(row.merchant_id),
            due_time=row.due_time,
            exists=row.exists,
            next_sequence=row.next_sequence,
            failure_count=row.failure_count,
            has_reversals=row.has_reversals,
            is_thorough=is_thorough,
        )
        for row in rows
    ]


async def get_lane(
    tx: Transaction, merchant_id: MerchantId, *, now: datetime, rate_age_max: timedelta
) -> Lane:
    """How far deciding has come at a merchant, and what it waits for."""
    row = (await tx.execute(_GET, {"merchant_id": merchant_id, "now": now})).one()
    needed = await tx.execute(_NEEDED, {"merchant_id": merchant_id})
    obstacle = Obstacle(row.obstacle)
    if obstacle is Obstacle.NONE and row.failing:
        obstacle = Obstacle.REVERSAL_FAILED
    return Lane(
        merchant_id=merchant_id,
        held=row.held,
        due_count=row.due + row.reversals,
        waiting_count=row.waiting,
        dead_count=row.dead,
        oldest_due_time=row.oldest,
        obstacle=obstacle,
        retry_time=row.retry_time,
        needed_rates=[
            NeededRate(
                pair=each.needed_rate,
                interaction_count=each.number,
                first_time=each.first - rate_age_max,
                last_time=each.last,
            )
            for each in needed
        ],
    )
