"""The use cases of interactions, decisions, rewards and the ledger, and those of lanes."""

from __future__ import annotations

from domains.rewards.service.decisions import DecidedBatch, DecisionsService
from domains.rewards.service.due_interactions import DueInteractionsService
from domains.rewards.service.interactions import InteractionsService
from domains.rewards.service.lanes import LanesService
from domains.rewards.service.reversals import ReversalsService
from domains.rewards.service.rewards import Explanation, RewardsService

__all__ = [
    "DecidedBatch",
    "DecisionsService",
    "DueInteractionsService",
    "Explanation",
    "InteractionsService",
    "LanesService",
    "ReversalsService",
    "RewardsService",
]
