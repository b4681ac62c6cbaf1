"""Reward work and what people may ask of it."""

from __future__ import annotations

from orchestration.reward.flow.lane_work import LaneOutcome, RewardOrchestrator

__all__ = ["LaneOutcome", "RewardOrchestrator"]
