"""The use cases of each domain, built on their repositories."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from domains.attribution.repository import TouchpointRepository
from domains.attribution.service import AttributionService
from domains.business.repository import MerchantRepository
from domains.business.service import BusinessService
from domains.campaign.repository import BudgetRepository, CampaignRepository, RateRepository
from domains.campaign.service import CampaignService, RatesService
from domains.identity.repository import IdentityRepository
from domains.identity.service import IdentityService
from domains.purchases.repository import (
    CustomerRepository,
    DeliveryRepository,
    DeliveryRetryRepository,
    LaneQueueRepository,
    PurchaseRepository,
    ReopeningRepository,
)
from domains.purchases.service import DeliveriesService, PurchasesService
from domains.referral.repository import ReferralRepository
from domains.referral.service import ReferralService
from domains.rewards.repository import (
    DecisionRepository,
    DueEventRepository,
    EventRepository,
    LaneRepository,
    LedgerRepository,
    ReversalRepository,
    RewardRepository,
)
from domains.rewards.service import (
    DecisionsService,
    DueInteractionsService,
    InteractionsService,
    LanesService,
    ReversalsService,
    RewardsService,
)
from infrastructure.keys.secret_box import SecretBox
from server.merchant_units import MerchantUnits


@dataclass(frozen=True, slots=True, kw_only=True)
class Domains:
    """The use cases of each domain. None of them is given another one."""

    business: BusinessService
    identity: IdentityService
    attribution: AttributionService
    referral: ReferralService
    purchases: PurchasesService
    deliveries: DeliveriesService
    campaigns: CampaignService
    rates: RatesService
    lanes: LanesService
    interactions: InteractionsService
    due_interactions: DueInteractionsService
    decisions: DecisionsService
    reversals: ReversalsService
    rewards: RewardsService


def build_domains(secrets: SecretBox, *, rate_age_max: timedelta) -> Domains:
    """Builds the domains. They open no transactions, so they need no database."""
    business = BusinessService(merchants=MerchantRepository(), seal=secrets)
    events, due_events = EventRepository(), DueEventRepository()
    decisions, rewards, ledger = DecisionRepository(), RewardRepository(), LedgerRepository()
    purchases = PurchasesService(
        purchases=PurchaseRepository(),
        customers=CustomerRepository(),
        queue=LaneQueueRepository(),
        reopening=ReopeningRepository(),
        merchants=business,
    )
    return Domains(
        business=business,
        identity=IdentityService(identities=IdentityRepository(), customers=purchases),
        attribution=AttributionService(touchpoints=TouchpointRepository(), merchants=business),
        referral=ReferralService(referrals=ReferralRepository(), merchants=business),
        purchases=purchases,
        deliveries=DeliveriesService(
            deliveries=DeliveryRepository(),
            retries=DeliveryRetryRepository(),
            merchants=business,
        ),
        campaigns=CampaignService(
            campaigns=CampaignRepository(),
            budgets=BudgetRepository(),
            units=MerchantUnits(business=business),
        ),
        rates=RatesService(rates=RateRepository(), age_max=rate_age_max),
        lanes=LanesService(lanes=LaneRepository()),
        interactions=InteractionsService(events=events),
        due_interactions=DueInteractionsService(due_events=due_events),
        decisions=DecisionsService(
            due_events=due_events, decisions=decisions, rewards=rewards, ledger=ledger
        ),
        reversals=ReversalsService(
            events=events, reversals=ReversalRepository(), rewards=rewards, ledger=ledger
        ),
        rewards=RewardsService(events=events, decisions=decisions, rewards=rewards, ledger=ledger),
    )
