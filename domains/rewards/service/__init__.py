"""The use cases of lanes, and those of rewards."""

from __future__ import annotations

from domains.rewards.service.lanes import LanesService
from domains.rewards.service.rewards import DecidedBatch, Explanation, RewardsService

__all__ = ["DecidedBatch", "Explanation", "LanesService", "RewardsService"]
