"""Which shops an operator has to look at, over everything that waits, stands or failed there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ARRAY, Uuid, bindparam, text

from domains.rewards.model import Lane
from infrastructure.database.sql_files import sql_file
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


_TROUBLED = sql_file(__file__, "list_troubled_shops.sql")
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
