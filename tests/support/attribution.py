"""Arrivals for tests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from uuid import UUID, uuid4

from sqlalchemy import bindparam, insert
from sqlalchemy.dialects.postgresql import JSONB

from domains.attribution.model import Source, Touchpoint, Utm
from domains.attribution.tables import touchpoint
from infrastructure.database.transaction import Transaction
from vocabulary.ids import IdentityGroupId, MerchantId, TouchpointId

ARRIVED = datetime(2025, 3, 1, 12, tzinfo=UTC)
LANDING_URL = "https://shop.example/p/red-shoes"

# Else an absent value would be written as the JSON word null.
_ADD = insert(touchpoint).values(utm=bindparam("utm", type_=JSONB(none_as_null=True)))


def a_touchpoint(
    *,
    touchpoint_id: UUID | None = None,
    merchant_id: MerchantId | None = None,
    identity_group_id: IdentityGroupId | None = None,
    source: Source = Source.DIRECT,
    referrer_group_id: IdentityGroupId | None = None,
    utm: Utm | None = None,
    arrival_time: datetime = ARRIVED,
) -> Touchpoint:
    """Somebody's arrival somewhere, without a known reason."""
    return Touchpoint(
        touchpoint_id=TouchpointId(touchpoint_id or uuid4()),
        merchant_id=merchant_id or MerchantId(uuid4()),
        identity_group_id=identity_group_id or IdentityGroupId(uuid4()),
        source=source,
        referrer_group_id=referrer_group_id,
        landing_url=LANDING_URL,
        utm=utm,
        arrival_time=arrival_time,
    )


async def add_touchpoints(tx: Transaction, touchpoints: Iterable[Touchpoint]) -> None:
    """Stores arrivals."""
    rows = [
        {
            "touchpoint_id": each.touchpoint_id,
            "merchant_id": each.merchant_id,
            "identity_group_id": each.identity_group_id,
            "source": each.source,
            "referrer_group_id": each.referrer_group_id,
            "landing_url": each.landing_url,
            "utm": asdict(each.utm) if each.utm is not None else None,
            "arrival_time": each.arrival_time,
        }
        for each in touchpoints
    ]
    await tx.execute(_ADD, rows)
