"""Referral links for tests."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID, uuid4

from sqlalchemy import insert

from domains.referral.model import EndReason, ReferralLink
from domains.referral.tables import referral_link
from infrastructure.database.transaction import Transaction
from vocabulary.ids import IdentityGroupId, MerchantId, ReferralLinkId

STARTED = datetime(2025, 3, 1, 12, tzinfo=UTC)


def a_link(
    *,
    merchant_id: MerchantId,
    referrer: IdentityGroupId,
    referee: IdentityGroupId,
    referral_link_id: UUID | None = None,
    start_time: datetime = STARTED,
    end_time: datetime | None = None,
) -> ReferralLink:
    """`referrer` brought `referee`."""
    return ReferralLink(
        referral_link_id=ReferralLinkId(referral_link_id or uuid4()),
        merchant_id=merchant_id,
        referrer_group_id=referrer,
        referee_group_id=referee,
        start_time=start_time,
        end_time=end_time,
    )


async def add_links(tx: Transaction, links: Iterable[ReferralLink]) -> None:
    """Stores links; those that ended were replaced."""
    rows = [
        {
            "referral_link_id": each.referral_link_id,
            "merchant_id": each.merchant_id,
            "referrer_group_id": each.referrer_group_id,
            "referee_group_id": each.referee_group_id,
            "start_time": each.start_time,
            "end_time": each.end_time,
            "end_reason": EndReason.REPLACED if each.end_time is not None else None,
            "create_time": each.start_time,
        }
        for each in links
    ]
    await tx.execute(insert(referral_link), rows)
