"""Events, decisions, rewards, and the ledger."""

from __future__ import annotations

from domains.rewards.model.event import (
    DecisionRecord,
    Interaction,
    InteractionKind,
    InteractionState,
    Lane,
    Outcome,
    Reversal,
    WaitingLane,
    event_reference,
    referral_reference,
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
    "Lane",
    "Outcome",
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
