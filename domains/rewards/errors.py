"""How rewards says no."""

from __future__ import annotations

from typing import ClassVar

from vocabulary.errors import DomainError, Kind
from vocabulary.ids import InteractionId, MerchantId, RewardId


class RewardsError(DomainError):
    domain: ClassVar[str] = "rewards"


class MerchantUnknownError(RewardsError):
    reason = "MERCHANT_UNKNOWN"
    kind = Kind.NOT_FOUND

    def __init__(self, merchant_id: MerchantId) -> None:
        super().__init__(f"There is no merchant {merchant_id}.", merchant_id=merchant_id)


class RewardNotFoundError(RewardsError):
    reason = "REWARD_NOT_FOUND"
    kind = Kind.NOT_FOUND

    def __init__(self, reward_id: RewardId) -> None:
        super().__init__(f"There is no reward {reward_id}.", reward_id=reward_id)


class InteractionNotFoundError(RewardsError):
    reason = "INTERACTION_NOT_FOUND"
    kind = Kind.NOT_FOUND

    def __init__(self, interaction_id: InteractionId) -> None:
        super().__init__(
            f"The merchant has no interaction {interaction_id}.", interaction_id=interaction_id
        )


class InteractionNotDeadError(RewardsError):
    reason = "INTERACTION_NOT_DEAD"
    kind = Kind.NOT_NOW

    def __init__(self, interaction_id: InteractionId, state: str) -> None:
        super().__init__(
            f"Interaction {interaction_id} is {state}; only a dead one is tried again on demand.",
            interaction_id=interaction_id,
            state=state,
        )


class PageTokenInvalidError(RewardsError):
    reason = "PAGE_TOKEN_INVALID"
    kind = Kind.INVALID

    def __init__(self) -> None:
        super().__init__(
            "The page token is not one of ours; leave it out to start over.", field="page_token"
        )
