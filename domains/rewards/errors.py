"""How rewards says no."""

from __future__ import annotations

from typing import ClassVar

from vocabulary.errors import DomainError, Kind
from vocabulary.ids import InteractionId, RewardId


class RewardsError(DomainError):
    domain: ClassVar[str] = "rewards"


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
