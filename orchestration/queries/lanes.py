"""Lanes over everything that waits in them: orders, referrals, and what was taken back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import text

from domains.rewards.model import Lane, NeededRate, Obstacle, WaitingLane
from domains.rewards.model.lane import LOOK_BEHIND
from infrastructure.database.bounds import FIRST_TIME
from infrastructure.database.transaction import Transaction
from vocabulary.ids import MerchantId

COUNTED_MAX = 10_000
"""How far the events of a lane are counted."""

PAIRS_MAX = 200
"""How many missing rates a lane tells of."""


# One step into each index for a merchant, from where the lane has looked already: so neither a
# long queue nor the dead rows that an old snapshot keeps cost more than a short one.
_WAITING = text(
    """
    SELECT merchant.merchant_id, lane.merchant_id IS NOT NULL AS exists, lane.phase,
           COALESCE(lane.failure_count, 0) AS failure_count,
           COALESCE(lane.failed_size, 1) AS failed_size,
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
# Counted by walking an index of what waits from its beginning, and no further than `counted_max`:
# whoever reads a lane may hold it, and a merchant may have millions of orders.
_COUNTED = """
    CROSS JOIN LATERAL (
        SELECT count(*) AS number, min(due_time) AS oldest FROM (
            SELECT due_time FROM {waiting} LIMIT :counted_max
        ) AS walked
    ) AS {name}
"""
_DUE_ORDERS = """shop_order WHERE merchant_id = :merchant_id
                AND due_time IS NOT NULL AND ready_round IS NULL AND due_time {when} :now
            ORDER BY due_time"""
_DUE_REFERRALS = """interaction WHERE merchant_id = :merchant_id AND kind = 'referral'
                AND state = 'pending' AND ready_round IS NULL AND due_time {when} :now
            ORDER BY due_time"""
_READY_ORDERS = """shop_order WHERE merchant_id = :merchant_id AND ready_round IS NOT NULL
            ORDER BY ready_round, order_time, order_reference"""
_READY_REFERRALS = """interaction WHERE merchant_id = :merchant_id AND ready_round IS NOT NULL
            ORDER BY ready_round, event_time, referral_reference"""
_WAITS = {
    "due_order": _DUE_ORDERS.format(when="<="),
    "ready_order": _READY_ORDERS,
    "due_referral": _DUE_REFERRALS.format(when="<="),
    "ready_referral": _READY_REFERRALS,
    "later_order": _DUE_ORDERS.format(when=">"),
    "later_referral": _DUE_REFERRALS.format(when=">"),
}
_GET = text(
    f"""
    SELECT COALESCE(lane.held, false) AS held, COALESCE(lane.obstacle, '') AS obstacle,
           lane.retry_time,
           due_order.number + ready_order.number + due_referral.number + ready_referral.number
               + turned.number AS due,
           later_order.number + later_referral.number AS waiting,
           LEAST(due_order.oldest, ready_order.oldest, due_referral.oldest, ready_referral.oldest)
               AS oldest,
           dead.number AS dead, turned.failing
    FROM (SELECT) AS nothing LEFT JOIN reward_lane AS lane ON lane.merchant_id = :merchant_id
    {"".join(_COUNTED.format(name=name, waiting=waiting) for name, waiting in _WAITS.items())}
    CROSS JOIN LATERAL (
        SELECT count(*) AS number FROM (
            SELECT FROM interaction
            WHERE (state COLLATE "C", merchant_id) >= ('dead', :merchant_id)
              AND (state COLLATE "C", merchant_id) <= ('dead', :merchant_id)
            ORDER BY state COLLATE "C", merchant_id, interaction_id LIMIT :counted_max
        ) AS walked
    ) AS dead
    CROSS JOIN LATERAL (
        SELECT count(*) AS number, count(*) FILTER (WHERE try_count > 0) AS failing FROM (
            SELECT try_count FROM reversal
            WHERE merchant_id = :merchant_id AND drain_time IS NULL
            ORDER BY create_time, reversal_id LIMIT :counted_max
        ) AS walked
    ) AS turned
    """
)
# From one pair to the next, by one step into the index each.
_NEEDED = text(
    """
    WITH RECURSIVE pair AS (
        SELECT needed.needed_rate, 1 AS number FROM (
            SELECT needed_rate FROM shop_order
            WHERE merchant_id = :merchant_id AND needed_rate IS NOT NULL
            ORDER BY needed_rate LIMIT 1
        ) AS needed
        UNION ALL
        SELECT needed.needed_rate, pair.number + 1 FROM pair CROSS JOIN LATERAL (
            SELECT needed_rate FROM shop_order
            WHERE merchant_id = :merchant_id AND needed_rate > pair.needed_rate
            ORDER BY needed_rate LIMIT 1
        ) AS needed
        WHERE pair.number < :pairs_max
    )
    SELECT pair.needed_rate, counted.number, first.order_time AS first, last.order_time AS last
    FROM pair
    CROSS JOIN LATERAL (
        SELECT count(*) AS number FROM (
            SELECT FROM shop_order
            WHERE merchant_id = :merchant_id AND needed_rate = pair.needed_rate
            ORDER BY order_time LIMIT :counted_max
        ) AS walked
    ) AS counted
    CROSS JOIN LATERAL (
        SELECT order_time FROM shop_order
        WHERE merchant_id = :merchant_id AND needed_rate = pair.needed_rate
        ORDER BY order_time LIMIT 1
    ) AS first
    CROSS JOIN LATERAL (
        SELECT order_time FROM shop_order
        WHERE merchant_id = :merchant_id AND needed_rate = pair.needed_rate
        ORDER BY order_time DESC LIMIT 1
    ) AS last
    ORDER BY pair.needed_rate
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
            "begin": FIRST_TIME,
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
            failed_size=row.failed_size,
            has_reversals=row.has_reversals,
            is_thorough=is_thorough,
        )
        for row in rows
    ]


async def get_lane(
    tx: Transaction,
    merchant_id: MerchantId,
    *,
    now: datetime,
    rate_age_max: timedelta,
    counted_max: int = COUNTED_MAX,
) -> Lane:
    """How far deciding has come at a merchant, and what it waits for.

    Nothing is counted further than `counted_max`.
    """
    counted = {"merchant_id": merchant_id, "counted_max": counted_max}
    row = (await tx.execute(_GET, {**counted, "now": now})).one()
    needed = await tx.execute(_NEEDED, {**counted, "pairs_max": PAIRS_MAX})
    obstacle = Obstacle(row.obstacle)
    if obstacle is Obstacle.NONE and row.failing:
        obstacle = Obstacle.REVERSAL_FAILED
    return Lane(
        merchant_id=merchant_id,
        held=row.held,
        due_count=min(row.due, counted_max),
        waiting_count=min(row.waiting, counted_max),
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
