"""Lanes, events, rewards and the ledger in SQL."""

from __future__ import annotations

from domains.rewards.repository.decisions import DecisionRepository
from domains.rewards.repository.due_events import DueEventRepository
from domains.rewards.repository.events import EventRepository
from domains.rewards.repository.lanes import LaneRepository
from domains.rewards.repository.ledger import LedgerRepository
from domains.rewards.repository.reversals import ReversalRepository
from domains.rewards.repository.rewards import RewardRepository

__all__ = [
    "DecisionRepository",
    "DueEventRepository",
    "EventRepository",
    "LaneRepository",
    "LedgerRepository",
    "ReversalRepository",
    "RewardRepository",
]
