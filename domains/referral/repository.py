"""Referral links in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, Integer, Uuid, any_, bindparam, select

from domains.referral.model import ReferralLink
from domains.referral.tables import referral_link
from infrastructure.database.bounds import LAST_ID
from infrastructure.database.sql_files import sql_file
from infrastructure.database.transaction import Transaction
from vocabulary.ids import IdentityGroupId, MerchantId, ReferralLinkId

_LIST_OF_REFERRER = (
    select(referral_link)
    .where(
        referral_link.c.merchant_id == bindparam("merchant_id"),
        referral_link.c.referrer_group_id == bindparam("referrer_group_id"),
        referral_link.c.referral_link_id < bindparam("before"),
    )
    .order_by(referral_link.c.referral_link_id.desc())
    .limit(bindparam("row_limit"))
)

_LIST_SOME = select(referral_link).where(
    referral_link.c.merchant_id == bindparam("merchant_id"),
    referral_link.c.referral_link_id == any_(bindparam("referral_link_ids", type_=ARRAY(Uuid))),
)

_CHAINS_AS_OF = sql_file(__file__, "chains_as_of.sql").bindparams(
    bindparam("merchant_id", type_=Uuid),
    bindparam("identity_group_ids", type_=ARRAY(Uuid)),
    bindparam("times", type_=ARRAY(DateTime(timezone=True))),
    bindparam("depth_max", type_=Integer),
)


class ReferralRepository:
    async def chains_as_of(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        people: Sequence[tuple[IdentityGroupId, datetime]],
        depth_max: int,
    ) -> list[list[IdentityGroupId]]:
        """The people above each person, nearest first, in the order of `people`."""
        rows = await tx.execute(
            _CHAINS_AS_OF,
            {
                "merchant_id": merchant_id,
                "identity_group_ids": [person for person, _ in people],
                "times": [time for _, time in people],
                "depth_max": depth_max,
            },
        )
        return [[IdentityGroupId(each) for each in row.above] for row in rows]

    async def list_some(
        self, tx: Transaction, merchant_id: MerchantId, referral_link_ids: Sequence[ReferralLinkId]
    ) -> Sequence[ReferralLink]:
        """These links, in no order."""
        rows = await tx.execute(
            _LIST_SOME, {"merchant_id": merchant_id, "referral_link_ids": referral_link_ids}
        )
        return [_link(row) for row in rows]

    async def list_of_referrer(
        self,
        tx: Transaction,
        merchant_id: MerchantId,
        referrer_group_id: IdentityGroupId,
        *,
        before: UUID | None,
        limit: int,
    ) -> Sequence[ReferralLink]:
        """Up to `limit` links to a referrer older than one, most recently recorded first."""
        rows = await tx.execute(
            _LIST_OF_REFERRER,
            {
                "merchant_id": merchant_id,
                "referrer_group_id": referrer_group_id,
                "before": before or LAST_ID,
                "row_limit": limit,
            },
        )
        return [_link(row) for row in rows]


def _link(row: Any) -> ReferralLink:
    return ReferralLink(
        referral_link_id=ReferralLinkId(row.referral_link_id),
        merchant_id=MerchantId(row.merchant_id),
        referrer_group_id=IdentityGroupId(row.referrer_group_id),
        referee_group_id=IdentityGroupId(row.referee_group_id),
        start_time=row.start_time,
        end_time=row.end_time,
    )
