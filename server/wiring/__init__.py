"""Builds what a process runs."""

from __future__ import annotations

from server.wiring.application import (
    REWARD_BATCH_SIZE,
    Application,
    application,
    build,
)
from server.wiring.domains import Domains, build_domains
from server.wiring.flows import Flows, build_flows
from server.wiring.ids import TimedIds
from server.wiring.lanes import LaneSteps, build_lane_steps

__all__ = [
    "REWARD_BATCH_SIZE",
    "Application",
    "Domains",
    "Flows",
    "LaneSteps",
    "TimedIds",
    "application",
    "build",
    "build_domains",
    "build_flows",
    "build_lane_steps",
]
