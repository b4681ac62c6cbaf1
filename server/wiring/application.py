"""The one place that builds things."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domains.attribution.servicer import AttributionServicer
from domains.business.servicer import BusinessServicer
from domains.campaign.servicer import CampaignServicer, RateServicer
from domains.identity.servicer import IdentityServicer
from domains.purchases.servicer import PurchasesServicer
from domains.referral.servicer import ReferralServicer
from infrastructure.database.clock import DatabaseClock
from infrastructure.database.engine import Limits, create_engine, database_of
from infrastructure.database.transaction import Database
from infrastructure.keys.secret_box import SecretBox
from orchestration.arrival.flow import ArrivalOrchestrator
from orchestration.arrival.servicer import ArrivalServicer
from orchestration.lane.flow import RateAnnouncementOrchestrator, RewardOrchestrator
from orchestration.lane.flow.operating import LaneOrchestrator
from orchestration.lane.servicer import LaneServicer
from orchestration.purchase_linking.flow import PurchaseLinkingOrchestrator
from orchestration.purchase_linking.servicer import PurchaseLinkingServicer
from orchestration.purchase_webhook.flow import PurchaseWebhookOrchestrator
from orchestration.purchase_webhook.platforms import PLATFORMS
from orchestration.purchase_webhook.servicer import PurchaseWebhookServicer
from orchestration.reward_reading.flow import RewardReadingOrchestrator
from orchestration.reward_reading.servicer import RewardReadingServicer
from server.connected import process_label
from server.probes.servicer import EdgeServicer
from server.settings import Settings, Stage
from server.wiring.domains import Domains, build_domains
from server.wiring.ids import TimedIds
from server.wiring.lanes import build_lane_steps, build_reward

REWARD_BATCH_SIZE = 200
"""Short enough that whoever waits for the lane does not wait long: see decision 0002."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Servicers:
    """Every service of the contract."""

    edge: EdgeServicer
    business: BusinessServicer
    identity: IdentityServicer
    attribution: AttributionServicer
    referral: ReferralServicer
    purchases: PurchasesServicer
    campaign: CampaignServicer
    rate: RateServicer
    rewards: RewardReadingServicer
    arrival: ArrivalServicer
    purchase_linking: PurchaseLinkingServicer
    purchase_webhook: PurchaseWebhookServicer
    lane: LaneServicer


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """What a process runs: services to answer with, flows to work with."""

    database: Database
    secrets: SecretBox
    clock: DatabaseClock
    domains: Domains
    flows: Flows
    servicers: Servicers


@asynccontextmanager
async def application(
    settings: Settings, *, name: str, limits: Limits
) -> AsyncIterator[Application]:
    """Builds the application and takes it down again. Opens no connection by itself."""
    secrets = SecretBox(settings.secrets_keys)
    engine = create_engine(
        settings.database_url,
        pool_size=settings.database_pool_size,
        application_name=process_label(name, secrets.fingerprints),
        limits=limits,
    )
    try:
        yield build(database_of(engine), settings)
    finally:
        await engine.dispose()


def build(database: Database, settings: Settings) -> Application:
    """Builds the application on a database."""
    secrets = SecretBox(settings.secrets_keys)
    clock = DatabaseClock()
    new_id = TimedIds(clock)
    domains = build_domains(secrets, rate_age_max=settings.rate_age_max)
    flows = build_flows(
        database,
        domains,
        secrets=secrets,
        clock=clock,
        new_id=new_id,
        accepts_tests=settings.stage is not Stage.PRODUCTION,
        accepts_referrer_client_ids=settings.accepts_referrer_client_ids,
        reward_batch_size=REWARD_BATCH_SIZE,
    )
    return Application(
        database=database,
        secrets=secrets,
        clock=clock,
        domains=domains,
        flows=flows,
        servicers=build_servicers(
            database, domains, flows, secrets=secrets, clock=clock, new_id=new_id
        ),
    )


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


def build_servicers(
    database: Database,
    domains: Domains,
    flows: Flows,
    *,
    secrets: SecretBox,
    clock: Callable[[], datetime],
    new_id: Callable[[], UUID],
) -> Servicers:
    """Builds what the contract's services are answered by."""
    return Servicers(
        edge=EdgeServicer(database=database, secrets=secrets),
        business=BusinessServicer(
            database=database,
            business=domains.business,
            token_use=domains.campaigns,
            clock=clock,
            new_id=new_id,
        ),
        identity=IdentityServicer(
            database=database, identity=domains.identity, clock=clock, new_id=new_id
        ),
        attribution=AttributionServicer(database=database, attribution=domains.attribution),
        referral=ReferralServicer(database=database, referral=domains.referral, clock=clock),
        purchases=PurchasesServicer(
            database=database,
            purchases=domains.purchases,
            deliveries=domains.deliveries,
            clock=clock,
        ),
        campaign=CampaignServicer(
            database=database, campaigns=domains.campaigns, clock=clock, new_id=new_id
        ),
        rate=RateServicer(database=database, rates=domains.rates, clock=clock, new_id=new_id),
        rewards=RewardReadingServicer(
            database=database, rewards=domains.rewards, flow=flows.reward_reading
        ),
        arrival=ArrivalServicer(flow=flows.arrival),
        purchase_linking=PurchaseLinkingServicer(flow=flows.purchase_linking),
        purchase_webhook=PurchaseWebhookServicer(flow=flows.purchase_webhook),
        lane=LaneServicer(flow=flows.lane),
    )
