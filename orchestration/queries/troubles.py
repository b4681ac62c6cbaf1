"""Which shops an operator has to look at, over everything that waits, stands or failed there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ARRAY, Uuid, bindparam, text

from domains.rewards.model import Lane
from infrastructure.database.transaction import Transaction
from orchestration.queries.lanes import COUNTED_MAX, get_lane
from vocabulary.ids import MerchantId


@dataclass(frozen=True, slots=True, kw_only=True)
class TroubledShop:
    """A shop where something stands still or failed.

    `failed_delivery_count` are tried again by themselves; `dead_delivery_count` are not. Neither
    is counted further than 10,000.
    """

    name: str
    lane: Lane
    failed_delivery_count: int
    dead_delivery_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Troubles:
    """Of all shops, how many have trouble, and the first ones of these."""

    shop_count: int
    troubled_count: int
    shops: Sequence[TroubledShop]


# A few steps into an index for each merchant, none of which walks what others of its kind there
# are. What is dead comes first, for it waits for somebody; what is late goes on by itself.
_TROUBLED = text(
    """
    WITH looked AS MATERIALIZED (
        SELECT merchant.merchant_id, merchant.name,
               COALESCE(lane.held, false) AS held,
               COALESCE(lane.obstacle, '') <> '' AS set_back,
               dead.found IS NOT NULL AS dead,
               undelivered.found IS NOT NULL AS undelivered,
               unrated.found IS NOT NULL AS unrated,
               COALESCE(lane.phase <> 'idle' AND lane.round_time < :late, false)
               OR LEAST(due_order.time, due_referral.time, turned.time) < :late AS late
        FROM merchant LEFT JOIN reward_lane AS lane USING (merchant_id)
        LEFT JOIN LATERAL (
            SELECT interaction_id AS found FROM interaction
            WHERE (state COLLATE "C", interaction.merchant_id) >= ('dead', merchant.merchant_id)
              AND (state COLLATE "C", interaction.merchant_id) <= ('dead', merchant.merchant_id)
            ORDER BY state COLLATE "C", interaction.merchant_id, interaction_id LIMIT 1
        ) AS dead ON true
        LEFT JOIN LATERAL (
            SELECT delivery_id AS found FROM delivery
            WHERE delivery.merchant_id = merchant.merchant_id AND state IN ('failed', 'dead')
            ORDER BY delivery_id LIMIT 1
        ) AS undelivered ON true
        LEFT JOIN LATERAL (
            SELECT needed_rate AS found FROM shop_order
            WHERE shop_order.merchant_id = merchant.merchant_id AND needed_rate IS NOT NULL
            ORDER BY needed_rate LIMIT 1
        ) AS unrated ON true
        LEFT JOIN LATERAL (
            SELECT due_time AS time FROM shop_order
            WHERE shop_order.merchant_id = merchant.merchant_id AND due_time IS NOT NULL
              AND ready_round IS NULL
            ORDER BY due_time LIMIT 1
        ) AS due_order ON true
        LEFT JOIN LATERAL (
            SELECT due_time AS time FROM interaction
            WHERE interaction.merchant_id = merchant.merchant_id AND kind = 'referral'
              AND state = 'pending' AND ready_round IS NULL
            ORDER BY due_time LIMIT 1
        ) AS due_referral ON true
        LEFT JOIN LATERAL (
            SELECT create_time AS time FROM reversal
            WHERE reversal.merchant_id = merchant.merchant_id AND drain_time IS NULL
            ORDER BY create_time LIMIT 1
        ) AS turned ON true
    )
    SELECT merchant_id, name, count(*) OVER () AS troubled,
           (SELECT count(*) FROM looked) AS shops
    FROM looked WHERE held OR set_back OR dead OR undelivered OR unrated OR late
    ORDER BY dead DESC, held DESC, undelivered DESC, set_back DESC, unrated DESC, merchant_id
    LIMIT :shops_max
    """
)
_SHOPS = text("SELECT count(*) FROM merchant")
_UNDELIVERED = text(
    """
    SELECT asked.merchant_id, known.failed, known.dead
    FROM unnest(:merchant_ids) AS asked (merchant_id) CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE state = 'failed') AS failed,
               count(*) FILTER (WHERE state = 'dead') AS dead
        FROM (
            SELECT state FROM delivery
            WHERE delivery.merchant_id = asked.merchant_id AND state IN ('failed', 'dead')
            LIMIT :counted_max
        ) AS walked
    ) AS known
    """
).bindparams(bindparam("merchant_ids", type_=ARRAY(Uuid)))


async def list_troubles(
    tx: Transaction,
    *,
    now: datetime,
    late_after: timedelta,
    rate_age_max: timedelta,
    shops_max: int,
) -> Troubles:
    """Shops whose lane is held, set back, late, or waits for a rate, or where something is dead.

    A lane is late when something of it is due for longer than `late_after`.
    """
    rows = (await tx.execute(_TROUBLED, {"late": now - late_after, "shops_max": shops_max})).all()
    if not rows:
        count: int = (await tx.execute(_SHOPS)).scalar_one()
        return Troubles(shop_count=count, troubled_count=0, shops=())
    counted = await tx.execute(
        _UNDELIVERED,
        {"merchant_ids": [row.merchant_id for row in rows], "counted_max": COUNTED_MAX},
    )
    undelivered = {each.merchant_id: each for each in counted}
    shops = [
        TroubledShop(
            name=row.name,
            lane=await get_lane(
                tx, MerchantId(row.merchant_id), now=now, rate_age_max=rate_age_max
            ),
            failed_delivery_count=undelivered[row.merchant_id].failed,
            dead_delivery_count=undelivered[row.merchant_id].dead,
        )
        for row in rows
    ]
    return Troubles(shop_count=rows[0].shops, troubled_count=rows[0].troubled, shops=shops)
