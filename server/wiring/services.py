"""The services of the contract, each registered once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from domains.attribution.servicer import AttributionServicer
from domains.business.servicer import BusinessServicer
from domains.campaign.servicer import CampaignServicer, RateServicer
from domains.identity.servicer import IdentityServicer
from domains.purchases.servicer import PurchasesServicer
from domains.referral.servicer import ReferralServicer
from guerdon.attribution.v1 import attribution_pb2
from guerdon.business.v1 import business_pb2
from guerdon.campaign.v1 import campaign_pb2, rate_pb2
from guerdon.edge.v1 import edge_pb2
from guerdon.identity.v1 import identity_pb2
from guerdon.orchestration.v1 import (
    arrival_pb2,
    lane_pb2,
    purchase_linking_pb2,
    purchase_webhook_pb2,
)
from guerdon.purchases.v1 import purchases_pb2
from guerdon.referral.v1 import referral_pb2
from guerdon.rewards.v1 import rewards_pb2
from infrastructure.database.transaction import Database
from infrastructure.keys.secret_box import SecretBox
from infrastructure.rpc.served import ServedService, served
from orchestration.arrival.servicer import ArrivalServicer
from orchestration.lane.servicer import LaneServicer
from orchestration.purchase_linking.servicer import PurchaseLinkingServicer
from orchestration.purchase_webhook.servicer import PurchaseWebhookServicer
from orchestration.reward_reading.servicer import RewardReadingServicer
from server.probes.servicer import EdgeServicer
from server.wiring.domains import Domains
from server.wiring.flows import Flows


def build_services(
    database: Database,
    domains: Domains,
    flows: Flows,
    *,
    secrets: SecretBox,
    clock: Callable[[], datetime],
    new_id: Callable[[], UUID],
) -> Sequence[ServedService]:
    """Builds what answers each service of the contract."""
    return (
        served(
            EdgeServicer(database=database, secrets=secrets),
            edge_pb2.DESCRIPTOR.services_by_name["EdgeService"],
        ),
        *_merchant_services(database, domains, clock=clock, new_id=new_id),
        *_people_services(database, domains, clock=clock, new_id=new_id),
        served(
            PurchasesServicer(
                database=database,
                purchases=domains.purchases,
                deliveries=domains.deliveries,
                clock=clock,
            ),
            purchases_pb2.DESCRIPTOR.services_by_name["PurchasesService"],
        ),
        served(
            RewardReadingServicer(
                database=database, rewards=domains.rewards, flow=flows.reward_reading
            ),
            rewards_pb2.DESCRIPTOR.services_by_name["RewardsService"],
        ),
        *_flow_services(flows),
    )


def _merchant_services(
    database: Database,
    domains: Domains,
    *,
    clock: Callable[[], datetime],
    new_id: Callable[[], UUID],
) -> Sequence[ServedService]:
    """What merchants set up."""
    return (
        served(
            BusinessServicer(
                database=database,
                business=domains.business,
                token_use=domains.campaigns,
                clock=clock,
                new_id=new_id,
            ),
            business_pb2.DESCRIPTOR.services_by_name["BusinessService"],
        ),
        served(
            CampaignServicer(
                database=database, campaigns=domains.campaigns, clock=clock, new_id=new_id
            ),
            campaign_pb2.DESCRIPTOR.services_by_name["CampaignService"],
        ),
        served(
            RateServicer(database=database, rates=domains.rates, clock=clock, new_id=new_id),
            rate_pb2.DESCRIPTOR.services_by_name["RateService"],
        ),
    )


def _people_services(
    database: Database,
    domains: Domains,
    *,
    clock: Callable[[], datetime],
    new_id: Callable[[], UUID],
) -> Sequence[ServedService]:
    """Who people are, and who brought them."""
    return (
        served(
            IdentityServicer(
                database=database, identity=domains.identity, clock=clock, new_id=new_id
            ),
            identity_pb2.DESCRIPTOR.services_by_name["IdentityService"],
        ),
        served(
            AttributionServicer(database=database, attribution=domains.attribution),
            attribution_pb2.DESCRIPTOR.services_by_name["AttributionService"],
        ),
        served(
            ReferralServicer(database=database, referral=domains.referral, clock=clock),
            referral_pb2.DESCRIPTOR.services_by_name["ReferralService"],
        ),
    )


def _flow_services(flows: Flows) -> Sequence[ServedService]:
    return (
        served(
            ArrivalServicer(flow=flows.arrival),
            arrival_pb2.DESCRIPTOR.services_by_name["ArrivalService"],
        ),
        served(
            PurchaseLinkingServicer(flow=flows.purchase_linking),
            purchase_linking_pb2.DESCRIPTOR.services_by_name["PurchaseLinkingService"],
        ),
        served(
            PurchaseWebhookServicer(flow=flows.purchase_webhook),
            purchase_webhook_pb2.DESCRIPTOR.services_by_name["PurchaseWebhookService"],
        ),
        served(LaneServicer(flow=flows.lane), lane_pb2.DESCRIPTOR.services_by_name["LaneService"]),
    )
