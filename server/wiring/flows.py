"""What crosses domains, built on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from infrastructure.database.transaction import Database
from infrastructure.keys.secret_box import SecretBox
from orchestration.arrival.flow import ArrivalOrchestrator
from orchestration.lane.flow import RateAnnouncementOrchestrator, RewardOrchestrator
from orchestration.lane.flow.operating import LaneOrchestrator
from orchestration.purchase_linking.flow import PurchaseLinkingOrchestrator
from orchestration.purchase_webhook.flow import PurchaseWebhookOrchestrator
from orchestration.purchase_webhook.platforms import PLATFORMS
from orchestration.reward_reading.flow import RewardReadingOrchestrator
from server.wiring.domains import Domains
from server.wiring.lanes import build_lane_steps, build_reward


@dataclass(frozen=True, slots=True, kw_only=True)
class Flows:
    """What crosses domains. Flows know the domains; the domains do not know them."""

    arrival: ArrivalOrchestrator
    purchase_linking: PurchaseLinkingOrchestrator
    purchase_webhook: PurchaseWebhookOrchestrator
    reward: RewardOrchestrator
    reward_reading: RewardReadingOrchestrator
    lane: LaneOrchestrator
    rate_announcement: RateAnnouncementOrchestrator


def build_flows(
    database: Database,
    domains: Domains,
    *,
    secrets: SecretBox,
    clock: Callable[[], datetime],
    new_id: Callable[[], UUID],
    accepts_tests: bool,
    accepts_referrer_client_ids: bool,
    reward_batch_size: int,
) -> Flows:
    """Builds the flows on a database and a clock."""
    steps = build_lane_steps(database, domains, clock=clock, new_id=new_id)
    return Flows(
        arrival=ArrivalOrchestrator(
            database=database,
            clock=clock,
            new_id=new_id,
            accepts_referrer_client_ids=accepts_referrer_client_ids,
        ),
        purchase_linking=PurchaseLinkingOrchestrator(database=database, clock=clock, new_id=new_id),
        purchase_webhook=PurchaseWebhookOrchestrator(
            database=database,
            deliveries=domains.deliveries,
            secrets=secrets,
            platforms=PLATFORMS,
            clock=clock,
            new_id=new_id,
            accepts_tests=accepts_tests,
        ),
        reward=build_reward(
            database,
            domains,
            steps=steps,
            clock=clock,
            new_id=new_id,
            batch_size=reward_batch_size,
        ),
        reward_reading=RewardReadingOrchestrator(
            database=database,
            business=domains.business,
            attribution=domains.attribution,
            purchases=domains.purchases,
            rewards=domains.rewards,
            rates=domains.rates,
        ),
        lane=LaneOrchestrator(
            database=database,
            business=domains.business,
            purchases=domains.purchases,
            lanes=domains.lanes,
            interactions=domains.interactions,
            rates=domains.rates,
            clock=clock,
        ),
        rate_announcement=RateAnnouncementOrchestrator(
            database=database, rates=domains.rates, purchases=domains.purchases, clock=clock
        ),
    )
