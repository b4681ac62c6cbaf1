"""Reward work, built of its steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from infrastructure.database.transaction import Database
from orchestration.cancellation.flow import CancellationOrchestrator
from orchestration.lane.flow import (
    RewardOrchestrator,
)
from orchestration.lane.flow.deciding import BatchDeciding
from orchestration.lane.flow.event_facts import EventFactsLoader
from orchestration.lane.flow.lane_orders import LaneOrders
from orchestration.lane.flow.parting import BatchParting
from orchestration.lane.flow.rehearsing import LaneRehearsals
from orchestration.lane.flow.reversing import LaneReversals
from orchestration.lane.flow.setbacks import LaneSetbacks
from orchestration.lane.flow.turns import LaneTurns
from server.wiring.domains import Domains


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneSteps:
    """The steps of reward work."""

    orders: LaneOrders
    turns: LaneTurns
    setbacks: LaneSetbacks


def build_lane_steps(
    database: Database,
    domains: Domains,
    *,
    clock: Callable[[], datetime],
    new_id: Callable[[], UUID],
) -> LaneSteps:
    """Builds the steps of reward work."""
    orders = LaneOrders(purchases=domains.purchases, interactions=domains.interactions, clock=clock)
    turns = LaneTurns(
        database=database,
        rates=domains.rates,
        purchases=domains.purchases,
        lanes=domains.lanes,
        due_interactions=domains.due_interactions,
        deciding=BatchDeciding(
            business=domains.business,
            campaigns=domains.campaigns,
            purchases=domains.purchases,
            referral=domains.referral,
            lanes=domains.lanes,
            interactions=domains.interactions,
            due_interactions=domains.due_interactions,
            reversals=domains.reversals,
            decisions=domains.decisions,
            facts=EventFactsLoader(
                referral=domains.referral,
                attribution=domains.attribution,
                identity=domains.identity,
                rates=domains.rates,
            ),
            clock=clock,
            new_id=new_id,
        ),
        orders=orders,
        clock=clock,
    )
    setbacks = LaneSetbacks(
        database=database,
        turns=turns,
        orders=orders,
        lanes=domains.lanes,
        due_interactions=domains.due_interactions,
        clock=clock,
    )
    return LaneSteps(orders=orders, turns=turns, setbacks=setbacks)


def build_reward(
    database: Database,
    domains: Domains,
    *,
    steps: LaneSteps,
    clock: Callable[[], datetime],
    new_id: Callable[[], UUID],
    batch_size: int,
) -> RewardOrchestrator:
    """Builds reward work of its steps."""
    return RewardOrchestrator(
        database=database,
        turns=steps.turns,
        setbacks=steps.setbacks,
        parting=BatchParting(
            turns=steps.turns,
            setbacks=steps.setbacks,
            rehearsals=LaneRehearsals(
                database=database,
                turns=steps.turns,
                lanes=domains.lanes,
                due_interactions=domains.due_interactions,
                purchases=domains.purchases,
                clock=clock,
            ),
            clock=clock,
        ),
        reversals=LaneReversals(
            database=database,
            orders=steps.orders,
            lanes=domains.lanes,
            interactions=domains.interactions,
            reversals=domains.reversals,
            cancellation=CancellationOrchestrator(
                reversals=domains.reversals, campaigns=domains.campaigns, new_id=new_id
            ),
            clock=clock,
        ),
        clock=clock,
        batch_size=batch_size,
    )
