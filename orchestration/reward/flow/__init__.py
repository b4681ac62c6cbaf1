"""Reward work and what people may ask of it."""

from __future__ import annotations

from orchestration.reward.flow.announcing import RateAnnouncementOrchestrator
from orchestration.reward.flow.lane_work import RewardOrchestrator
from orchestration.reward.flow.reading import ExplainedCredit, LaneReadingOrchestrator
from orchestration.reward.flow.turn import LaneOutcome

__all__ = [
    "ExplainedCredit",
    "LaneOutcome",
    "LaneReadingOrchestrator",
    "RateAnnouncementOrchestrator",
    "RewardOrchestrator",
]
