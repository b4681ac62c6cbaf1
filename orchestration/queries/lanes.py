"""Lanes over everything that waits in them: orders, referrals, and what was taken back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from domains.rewards.model import Lane, NeededRate, Obstacle, WaitingLane
from domains.rewards.model.lane import LOOK_BEHIND
from infrastructure.database.bounds import FIRST_TIME
from infrastructure.database.sql_files import sql_file
from infrastructure.database.transaction import Transaction
from vocabulary.ids import MerchantId

COUNTED_MAX = 10_000
"""How far the events of a lane are counted."""

PAIRS_MAX = 200
"""How many missing rates a lane tells of."""

_WAITING = sql_file(__file__, "list_waiting_lanes.sql")
_GET = sql_file(__file__, "get_lane.sql")
_NEEDED = sql_file(__file__, "list_needed_rates.sql")


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
