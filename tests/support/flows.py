"""The flows on a database and on a clock that a test sets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from uuid_utils.compat import uuid7

from domains.business.service import BusinessService
from domains.campaign.service import CampaignService, RatesService
from domains.purchases.service import DeliveriesService, PurchasesService
from infrastructure.database.transaction import Database
from infrastructure.keys.secret_box import SecretBox
from orchestration.arrival.flow import ArrivalOrchestrator
from orchestration.lane.flow import (
    RateAnnouncementOrchestrator,
    RewardOrchestrator,
)
from orchestration.lane.flow.operating import LaneOrchestrator
from orchestration.lane.flow.setbacks import LaneSetbacks
from orchestration.lane.flow.turns import LaneTurns
from orchestration.purchase_linking.flow import PurchaseLinkingOrchestrator
from orchestration.purchase_webhook.flow import PurchaseWebhookOrchestrator
from orchestration.reward_reading.flow import RewardReadingOrchestrator
from server.jobs.delivery_retries import DeliveryRetries
from server.jobs.reward_work import RewardWork
from server.wiring import REWARD_BATCH_SIZE, build_domains, build_flows, build_lane_steps
from tests.support.mesh import SECRETS_KEY
from tests.support.roles import acting_on

RATE_AGE_MAX = timedelta(days=7)
NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
# The same as of processes that a test starts on its database.
_SECRETS = SecretBox([SECRETS_KEY])


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
    """What a process runs, as `server.wiring` builds it.

    `turns` and `setbacks` are the steps that `reward` takes, for tests that stop in between.
    """

    database: Database
    clock: Clock
    business: BusinessService
    campaigns: CampaignService
    rates: RatesService
    purchases: PurchasesService
    deliveries: DeliveriesService
    arrival: ArrivalOrchestrator
    purchase_linking: PurchaseLinkingOrchestrator
    purchase_webhook: PurchaseWebhookOrchestrator
    reward: RewardOrchestrator
    turns: LaneTurns
    setbacks: LaneSetbacks
    lane: LaneOrchestrator
    reward_reading: RewardReadingOrchestrator
    rate_announcement: RateAnnouncementOrchestrator
    reward_work: RewardWork
    delivery_retries: DeliveryRetries


def flows_on(
    database: Database,
    *,
    clock: Clock | None = None,
    batch_size: int = REWARD_BATCH_SIZE,
    accepts_tests: bool = True,
    accepts_referrer_client_ids: bool = True,
    lanes_max: int = 1,
    rate_age_max: timedelta = RATE_AGE_MAX,
    thorough_every: timedelta = timedelta(),
) -> Flows:
    """The flows on a database. Several of them on one database are several processes.

    On the database whose every commit is undone there is one connection, so one lane at a time.
    Every look is thorough unless told otherwise: clocks of tests jump. So ids are of the host's
    clock, in the order in which they are made.
    """
    clock = clock or Clock()
    domains = build_domains(_SECRETS, rate_age_max=rate_age_max)
    acting = acting_on(database)
    flows = build_flows(
        acting,
        domains,
        secrets=_SECRETS,
        clock=clock,
        new_id=uuid7,
        accepts_tests=accepts_tests,
        accepts_referrer_client_ids=accepts_referrer_client_ids,
        reward_batch_size=batch_size,
    )
    steps = build_lane_steps(acting, domains, clock=clock, new_id=uuid7)
    return Flows(
        database=database,
        clock=clock,
        business=domains.business,
        campaigns=domains.campaigns,
        rates=domains.rates,
        purchases=domains.purchases,
        deliveries=domains.deliveries,
        arrival=flows.arrival,
        purchase_linking=flows.purchase_linking,
        purchase_webhook=flows.purchase_webhook,
        reward=flows.reward,
        turns=steps.turns,
        setbacks=steps.setbacks,
        lane=flows.lane,
        reward_reading=flows.reward_reading,
        rate_announcement=flows.rate_announcement,
        reward_work=RewardWork(
            flow=flows.reward,
            clock=clock,
            lanes_max=lanes_max,
            thorough_every=thorough_every,
            # The next look of a test finds every lane that the one before it left.
            pause=timedelta(),
        ),
        delivery_retries=DeliveryRetries(flow=flows.purchase_webhook, merchants_max=lanes_max),
    )
