"""Events, decisions, rewards, and the ledger."""

from __future__ import annotations

from domains.rewards.model.event import (
    DecisionRecord,
    Interaction,
    InteractionKind,
    InteractionState,
    InteractionView,
    Obstacle,
    OrderLife,
    Outcome,
    Reversal,
    event_reference,
    referral_reference,
)
from domains.rewards.model.lane import (
    Lane,
    LanePhase,
    LaneWork,
    NeededRate,
    Place,
    WaitingLane,
)
from domains.rewards.model.ledger import Account, AccountKind, Posting, TransferKind
from domains.rewards.model.reward import CancellationReason, Reward, RewardState, Role

__all__ = [
    "Account",
    "AccountKind",
    "CancellationReason",
    "DecisionRecord",
    "Interaction",
    "InteractionKind",
    "InteractionState",
    "InteractionView",
    "Lane",
    "LanePhase",
    "LaneWork",
    "NeededRate",
    "Obstacle",
    "OrderLife",
    "Outcome",
    "Place",
    "Posting",
    "Reversal",
    "Reward",
    "RewardState",
    "Role",
    "TransferKind",
    "WaitingLane",
    "event_reference",
    "referral_reference",
]
