"""Arrivals in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, Double, Text, Uuid, bindparam, select, text
from sqlalchemy.dialects.postgresql import JSONB

from domains.attribution.model import (
    AttributedTouch,
    Attribution,
    Credit,
    CreditQuery,
    Source,
    Touchpoint,
    TouchQuery,
    Utm,
)
from domains.attribution.tables import touchpoint
from infrastructure.database.bounds import LAST_ID
from infrastructure.database.sql_files import sql_file
from infrastructure.database.transaction import Transaction
from vocabulary.ids import IdentityGroupId, MerchantId, TouchpointId

_LIST = (
    select(touchpoint)
    .where(
        touchpoint.c.merchant_id == bindparam("merchant_id"),
        touchpoint.c.touchpoint_id < bindparam("before"),
    )
    .order_by(touchpoint.c.touchpoint_id.desc())
    .limit(bindparam("row_limit"))
)
_LIST_OF_PERSON = _LIST.where(touchpoint.c.identity_group_id == bindparam("identity_group_id"))

_TOUCHES_AS_OF = (
    sql_file(__file__, "touches_as_of.sql")
    .bindparams(
        bindparam("merchant_ids", type_=ARRAY(Uuid)),
        bindparam("identity_group_ids", type_=ARRAY(Uuid)),
        bindparam("referrer_group_ids", type_=ARRAY(Uuid)),
        bindparam("times", type_=ARRAY(DateTime(timezone=True))),
        bindparam("look_back_seconds", type_=Double),
        bindparam("sources", [str(source) for source in Source], type_=ARRAY(Text)),
    )
    .columns(utm=JSONB)
)
_NEAR = timedelta(days=1)
"""How far outside of the look-back an arrival is still worth a word."""

_CREDITED = text(
    """
    SELECT max(arrival_time) AS touch_time FROM (
        SELECT arrival_time FROM touchpoint
        WHERE merchant_id = :merchant_id AND identity_group_id = :identity_group_id
          AND referrer_group_id = :referrer_group_id
          AND arrival_time > CAST(:event_time AS timestamptz) - CAST(:look_back AS interval)
          AND arrival_time <= :credit_time
        ORDER BY arrival_time DESC LIMIT 1
    ) AS touch
    """
)
_NEARLY_CREDITED = text(
    """
    SELECT
        (SELECT min(arrival_time) FROM touchpoint
         WHERE merchant_id = :merchant_id AND identity_group_id = :identity_group_id
           AND source = 'referral_link' AND referrer_group_id IS NOT NULL
           AND arrival_time > :credit_time
           AND arrival_time <= CAST(:credit_time AS timestamptz) + CAST(:near AS interval))
            AS late_touch_time,
        (SELECT max(arrival_time) FROM touchpoint
         WHERE merchant_id = :merchant_id AND identity_group_id = :identity_group_id
           AND source = 'referral_link' AND referrer_group_id IS NOT NULL
           AND arrival_time <= CAST(:event_time AS timestamptz) - CAST(:look_back AS interval)
           AND arrival_time > CAST(:event_time AS timestamptz) - CAST(:look_back AS interval)
                              - CAST(:near AS interval)) AS early_touch_time
    """
)


class TouchpointRepository:
    async def list_newest(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        *,
        identity_group_id: IdentityGroupId | None,
        before: UUID | None,
        limit: int,
    ) -> Sequence[Touchpoint]:
        """Arrivals older than one, most recently recorded first; of one person, if named."""
        parameters: dict[str, object] = {
            "merchant_id": merchant_id,
            "before": before or LAST_ID,
            "row_limit": limit,
        }
        if identity_group_id is None:
            rows = await tx.execute(_LIST, parameters)
        else:
            rows = await tx.execute(
                _LIST_OF_PERSON, {**parameters, "identity_group_id": identity_group_id}
            )
        return [_touchpoint(row) for row in rows]

    async def explain_credit(self, tx: Transaction, query: CreditQuery) -> Credit:
        """Which arrival counted, or nearly did."""
        parameters: dict[str, object] = {
            "merchant_id": query.merchant_id,
            "identity_group_id": query.identity_group_id,
            "event_time": query.event_time,
            "credit_time": query.credit_time,
            "look_back": query.look_back,
        }
        if query.referrer_group_id is None:
            near = (await tx.execute(_NEARLY_CREDITED, {**parameters, "near": _NEAR})).one()
            return Credit(
                late_touch_time=near.late_touch_time, early_touch_time=near.early_touch_time
            )
        credited = {**parameters, "referrer_group_id": query.referrer_group_id}
        touch_time = (await tx.execute(_CREDITED, credited)).scalar_one()
        # Whoever is credited as of the event itself is so with what came before it.
        needed_tolerance = query.credit_time > query.event_time
        return Credit(touch_time=touch_time, needed_tolerance=needed_tolerance)

    async def touches_as_of(
        self, tx: Transaction, queries: Sequence[TouchQuery], look_back: timedelta
    ) -> list[Attribution]:
        """The answers, in the order of the queries."""
        rows = await tx.execute(
            _TOUCHES_AS_OF,
            {
                "merchant_ids": [query.merchant_id for query in queries],
                "identity_group_ids": [query.identity_group_id for query in queries],
                "referrer_group_ids": [query.referrer_group_id for query in queries],
                "times": [query.time for query in queries],
                "look_back_seconds": look_back.total_seconds(),
            },
        )
        return [_attribution(row) for row in rows]


def _touchpoint(row: Any) -> Touchpoint:
    referrer = row.referrer_group_id
    return Touchpoint(
        touchpoint_id=TouchpointId(row.touchpoint_id),
        merchant_id=MerchantId(row.merchant_id),
        identity_group_id=IdentityGroupId(row.identity_group_id),
        source=Source(row.source),
        referrer_group_id=IdentityGroupId(referrer) if referrer is not None else None,
        landing_url=row.landing_url,
        utm=_utm(row.utm),
        arrival_time=row.arrival_time,
    )


def _attribution(row: Any) -> Attribution:
    if row.touchpoint_id is None:
        return Attribution(touched_by_referrer=row.touched_by_referrer, touch=None)
    return Attribution(
        touched_by_referrer=row.touched_by_referrer,
        touch=AttributedTouch(
            touchpoint_id=TouchpointId(row.touchpoint_id),
            source=Source(row.source),
            utm=_utm(row.utm),
        ),
    )


def _utm(kept: Mapping[str, str] | None) -> Utm | None:
    """The parameters as kept: each under its name, absent ones left out or empty."""
    return Utm(**kept) if kept is not None else None
