"""Reward work."""

from __future__ import annotations

from orchestration.reward.flow.announcing import RateAnnouncementOrchestrator
from orchestration.reward.flow.lane_work import RewardOrchestrator
from orchestration.reward.flow.turn import LaneOutcome

__all__ = [
    "LaneOutcome",
    "RateAnnouncementOrchestrator",
    "RewardOrchestrator",
]
