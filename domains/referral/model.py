"""Who brought whom."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from vocabulary.ids import IdentityGroupId, MerchantId, ReferralLinkId

DEPTH_DEFAULT = 5
DEPTH_MAX = 20
"""How far up a chain any rule may look."""


class EndReason(StrEnum):
    """Why a link ended."""

    REPLACED = "replaced"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferralLink:
    """One person brought another. Counts from `start_time` up to, and without, `end_time`."""

    referral_link_id: ReferralLinkId
    merchant_id: MerchantId
    referrer_group_id: IdentityGroupId
    referee_group_id: IdentityGroupId
    start_time: datetime
    end_time: datetime | None
