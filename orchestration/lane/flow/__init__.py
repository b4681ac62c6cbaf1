"""Reward work."""

from __future__ import annotations

from orchestration.lane.flow.announcing import RateAnnouncementOrchestrator
from orchestration.lane.flow.lane_work import RewardOrchestrator
from orchestration.lane.flow.turn import LaneOutcome

__all__ = [
    "LaneOutcome",
    "RateAnnouncementOrchestrator",
    "RewardOrchestrator",
]
