"""The flows on a database and on a clock that a test sets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.fernet import Fernet
from uuid_utils.compat import uuid7

from domains.attribution.repository import TouchpointRepository
from domains.attribution.service import AttributionService
from domains.business.repository import MerchantRepository
from domains.business.service import BusinessService
from domains.campaign.repository import BudgetRepository, CampaignRepository
from domains.campaign.service import CampaignService
from domains.identity.repository import IdentityRepository
from domains.identity.service import IdentityService
from domains.purchases.repository import DeliveryRepository, PurchaseRepository
from domains.purchases.service import PurchasesService
from domains.referral.repository import ReferralRepository
from domains.referral.service import ReferralService
from domains.rewards.repository import (
    EventRepository,
    LaneRepository,
    LedgerRepository,
    RewardRepository,
)
from domains.rewards.service import RewardsService
from infrastructure.database.transaction import Database
from infrastructure.keys.secret_box import SecretBox
from orchestration.arrival.flow import ArrivalOrchestrator
from orchestration.cancellation.flow import CancellationOrchestrator
from orchestration.purchase_linking.flow import PurchaseLinkingOrchestrator
from orchestration.purchase_webhook.flow import PurchaseWebhookOrchestrator
from orchestration.reward.flow import RewardOrchestrator
from orchestration.reward.flow.event_facts import EventFactsLoader
from server.interception.refusals import is_dependency_away
from server.jobs.delivery_retries import DeliveryRetries
from server.jobs.reward_work import RewardWork
from server.wiring import REWARD_BATCH_SIZE, MerchantUnits

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
_SECRETS = SecretBox([Fernet.generate_key().decode()])


class Clock:
    """Stands still until a test moves it."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, span: timedelta) -> None:
        self.now += span


@dataclass(frozen=True, slots=True, kw_only=True)
class Flows:
    """What a process runs, as `server.wiring` builds it."""

    database: Database
    clock: Clock
    business: BusinessService
    campaigns: CampaignService
    purchases: PurchasesService
    arrival: ArrivalOrchestrator
    purchase_linking: PurchaseLinkingOrchestrator
    purchase_webhook: PurchaseWebhookOrchestrator
    reward: RewardOrchestrator
    reward_work: RewardWork
    delivery_retries: DeliveryRetries


def flows_on(
    database: Database,
    *,
    clock: Clock | None = None,
    batch_size: int = REWARD_BATCH_SIZE,
    accepts_tests: bool = True,
) -> Flows:
    """The flows on a database. Several of them on one database are several processes."""
    clock = clock or Clock()
    business = BusinessService(merchants=MerchantRepository(), seal=_SECRETS)
    purchases = PurchasesService(purchases=PurchaseRepository(), deliveries=DeliveryRepository())
    campaigns = CampaignService(
        campaigns=CampaignRepository(),
        budgets=BudgetRepository(),
        units=MerchantUnits(business=business),
    )
    rewards = RewardsService(
        lanes=LaneRepository(),
        events=EventRepository(),
        rewards=RewardRepository(),
        ledger=LedgerRepository(),
    )
    webhook = PurchaseWebhookOrchestrator(
        database=database,
        purchases=purchases,
        secrets=_SECRETS,
        is_database_away=is_dependency_away,
        clock=clock,
        new_id=uuid7,
        accepts_tests=accepts_tests,
    )
    reward = RewardOrchestrator(
        database=database,
        business=business,
        campaigns=campaigns,
        rewards=rewards,
        facts=EventFactsLoader(
            purchases=purchases,
            referral=ReferralService(referrals=ReferralRepository()),
            attribution=AttributionService(touchpoints=TouchpointRepository()),
            identity=IdentityService(identities=IdentityRepository()),
        ),
        cancellation=CancellationOrchestrator(rewards=rewards, campaigns=campaigns, new_id=uuid7),
        clock=clock,
        new_id=uuid7,
        batch_size=batch_size,
    )
    return Flows(
        database=database,
        clock=clock,
        business=business,
        campaigns=campaigns,
        purchases=purchases,
        arrival=ArrivalOrchestrator(database=database, clock=clock, new_id=uuid7),
        purchase_linking=PurchaseLinkingOrchestrator(database=database, clock=clock, new_id=uuid7),
        purchase_webhook=webhook,
        reward=reward,
        reward_work=RewardWork(flow=reward, clock=clock),
        delivery_retries=DeliveryRetries(flow=webhook),
    )
