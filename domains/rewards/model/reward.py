"""Something a person earned."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from vocabulary.amounts import Unit
from vocabulary.ids import (
    CampaignId,
    IdentityGroupId,
    InteractionId,
    MerchantId,
    PurchaseId,
    RewardId,
)


class RewardState(StrEnum):
    """Where a reward stands on its way to being paid."""

    PENDING = "pending"
    CANCELLED = "cancelled"


class Role(StrEnum):
    """In which role a person earned a reward."""

    REFERRER = "referrer"
    REFEREE = "referee"
    USER = "user"


class CancellationReason(StrEnum):
    """Why a reward was taken back."""

    REFUND = "refund"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reward:
    """Something a person earned. `target` is what is left of `granted`, in base units.

    `depth` is None when the reward was not shared along a chain; 0 is the buyer.
    """

    reward_id: RewardId
    merchant_id: MerchantId
    interaction_id: InteractionId
    campaign_id: CampaignId
    definition_index: int
    depth: int | None
    identity_group_id: IdentityGroupId
    role: Role
    purchase_id: PurchaseId | None
    unit: Unit
    granted: int
    target: int
    state: RewardState
    cancellation_reason: CancellationReason | None
    description: str
    event_time: datetime
    create_time: datetime

    def __post_init__(self) -> None:
        assert 0 <= self.target <= self.granted, self
        assert self.state is not RewardState.CANCELLED or self.target == 0, self
