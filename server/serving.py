"""The gRPC server: every service, behind the steps, with a graceful end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import grpc
import structlog
from google.protobuf.descriptor import ServiceDescriptor
from grpc_channelz.v1 import channelz
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_health.v1.health import OVERALL_HEALTH
from grpc_reflection.v1alpha import reflection

from guerdon.attribution.v1 import attribution_pb2, attribution_pb2_grpc
from guerdon.business.v1 import business_pb2, business_pb2_grpc
from guerdon.campaign.v1 import campaign_pb2, campaign_pb2_grpc, rate_pb2, rate_pb2_grpc
from guerdon.edge.v1 import edge_pb2, edge_pb2_grpc
from guerdon.identity.v1 import identity_pb2, identity_pb2_grpc
from guerdon.orchestration.v1 import (
    arrival_pb2,
    arrival_pb2_grpc,
    lane_pb2,
    lane_pb2_grpc,
    purchase_linking_pb2,
    purchase_linking_pb2_grpc,
    purchase_webhook_pb2,
    purchase_webhook_pb2_grpc,
)
from guerdon.purchases.v1 import purchases_pb2, purchases_pb2_grpc
from guerdon.referral.v1 import referral_pb2, referral_pb2_grpc
from guerdon.rewards.v1 import rewards_pb2, rewards_pb2_grpc
from infrastructure.database.engine import Limits
from infrastructure.rpc.contract import methods_of
from server.interception.beyond_contract import beyond_contract
from server.interception.caller import CallerProof
from server.interception.chain import InterceptorChain, Step
from server.interception.finishing import Finishing
from server.interception.merchant_role import MerchantRole
from server.interception.one_message import OneMessage
from server.interception.path_over_query import PathOverQuery
from server.interception.refusals import Refusals
from server.interception.repeat import RepeatedCall
from server.interception.request_log import RequestLog
from server.interception.strict_json.step import StrictJson
from server.interception.validation import Validation
from server.preflight import until_usable_at
from server.probes.keys import KeyWatch
from server.repeating import once, repeatedly, timekeeping
from server.settings.process import Settings
from server.wiring import Servicers, application

# Not of the contract, so without access options. Only the mesh listener leads to them.
OPEN_SERVICES = (
    "/grpc.health.v1.Health/",
    "/grpc.reflection.v1alpha.ServerReflection/",
    "/grpc.channelz.v1.Channelz/",
)
# No limit of gRPC's own, which refuses a frame by what its head claims, in its own words. Envoy
# bounds the bytes of public methods, nothing is read before the proof, a message of which not all
# comes is late after seconds, and one that is too large is refused by its class.
RECEIVE_BYTES_MAX = -1
# Beyond what Envoy lets through, so that its answer is the one that callers read. Left alone,
# gRPC refuses some calls from 8 KiB on, at random.
HEADER_BYTES_MAX = 64 * 1024
GRACE_SECONDS = 10
PINGS_MILLISECONDS_MIN = 5_000

SERVE_LIMITS = Limits(lock=timedelta(seconds=2))

_log = structlog.get_logger()

Registrations = Mapping[str, tuple[ServiceDescriptor, Callable[[Any, grpc.aio.Server], None]]]

SERVICES: Registrations = {
    "edge": (
        edge_pb2.DESCRIPTOR.services_by_name["EdgeService"],
        edge_pb2_grpc.add_EdgeServiceServicer_to_server,
    ),
    "business": (
        business_pb2.DESCRIPTOR.services_by_name["BusinessService"],
        business_pb2_grpc.add_BusinessServiceServicer_to_server,
    ),
    "identity": (
        identity_pb2.DESCRIPTOR.services_by_name["IdentityService"],
        identity_pb2_grpc.add_IdentityServiceServicer_to_server,
    ),
    "attribution": (
        attribution_pb2.DESCRIPTOR.services_by_name["AttributionService"],
        attribution_pb2_grpc.add_AttributionServiceServicer_to_server,
    ),
    "referral": (
        referral_pb2.DESCRIPTOR.services_by_name["ReferralService"],
        referral_pb2_grpc.add_ReferralServiceServicer_to_server,
    ),
    "purchases": (
        purchases_pb2.DESCRIPTOR.services_by_name["PurchasesService"],
        purchases_pb2_grpc.add_PurchasesServiceServicer_to_server,
    ),
    "campaign": (
        campaign_pb2.DESCRIPTOR.services_by_name["CampaignService"],
        campaign_pb2_grpc.add_CampaignServiceServicer_to_server,
    ),
    "rate": (
        rate_pb2.DESCRIPTOR.services_by_name["RateService"],
        rate_pb2_grpc.add_RateServiceServicer_to_server,
    ),
    "rewards": (
        rewards_pb2.DESCRIPTOR.services_by_name["RewardsService"],
        rewards_pb2_grpc.add_RewardsServiceServicer_to_server,
    ),
    "arrival": (
        arrival_pb2.DESCRIPTOR.services_by_name["ArrivalService"],
        arrival_pb2_grpc.add_ArrivalServiceServicer_to_server,
    ),
    "purchase_linking": (
        purchase_linking_pb2.DESCRIPTOR.services_by_name["PurchaseLinkingService"],
        purchase_linking_pb2_grpc.add_PurchaseLinkingServiceServicer_to_server,
    ),
    "purchase_webhook": (
        purchase_webhook_pb2.DESCRIPTOR.services_by_name["PurchaseWebhookService"],
        purchase_webhook_pb2_grpc.add_PurchaseWebhookServiceServicer_to_server,
    ),
    "lane": (
        lane_pb2.DESCRIPTOR.services_by_name["LaneService"],
        lane_pb2_grpc.add_LaneServiceServicer_to_server,
    ),
}
"""Every service by its name in `Servicers`."""


def steps_of(settings: Settings) -> list[Step]:
    """What stands in front of every method, outermost first."""
    return [
        Refusals(),
        RequestLog(),
        PathOverQuery(),
        CallerProof(
            service_token=settings.service_token.get_secret_value(),
            client_id_headers=settings.client_id_headers,
        ),
        OneMessage(),
        StrictJson(),
        Validation(),
        MerchantRole(),
        RepeatedCall(),
        Finishing(),
    ]


class AddressTakenError(Exception):
    """The process cannot listen where it is told to."""

    def __init__(self, address: str) -> None:
        super().__init__(
            f"{address} cannot be listened at: it is taken, or no address of this host. "
            "See GUERDON_LISTEN_HOST and GUERDON_LISTEN_PORT."
        )


def build_server(
    servicers: Servicers, settings: Settings
) -> tuple[grpc.aio.Server, HealthServicer]:
    """A server with every service, and the health that it reports.

    Raises:
        ContractError: a method does not say who may call it.
    """
    methods = methods_of(descriptor for descriptor, _ in SERVICES.values())
    others = beyond_contract(OPEN_SERVICES)
    chain = InterceptorChain(methods=methods, steps=steps_of(settings), others=others)
    server = grpc.aio.server(
        interceptors=[chain],
        options=[
            # Each process has a port of its own; two on one would share its calls unevenly.
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", RECEIVE_BYTES_MAX),
            # Unpacked by us, no further than the method allows, and refused in our words.
            ("grpc.per_message_decompression", 0),
            ("grpc.max_metadata_size", HEADER_BYTES_MAX),
            ("grpc.absolute_max_metadata_size", HEADER_BYTES_MAX),
            ("grpc.http2.min_ping_interval_without_data_ms", PINGS_MILLISECONDS_MIN),
        ],
    )
    for name, (_, register) in SERVICES.items():
        register(getattr(servicers, name), server)
    health = HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    channelz.add_channelz_servicer(server)
    names = [descriptor.full_name for descriptor, _ in SERVICES.values()]
    reflection.enable_server_reflection(
        [
            *names,
            health_pb2.DESCRIPTOR.services_by_name["Health"].full_name,
            reflection.SERVICE_NAME,
        ],
        server,
    )
    return server, health


async def serve(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT, then drains.

    Draining says NOT_SERVING first and goes on serving until Envoy has noticed, so that no
    call is lost.
    """
    stopping = stop_signal()
    async with application(settings, name="serve", limits=SERVE_LIMITS) as app:
        await until_usable_at(settings.database_url.get_secret_value(), app.secrets, stopping)
        server, health = build_server(app.servicers, settings)
        address = f"{settings.listen_host}:{settings.listen_port}"
        try:
            port = server.add_insecure_port(address)
        except RuntimeError as problem:
            raise AddressTakenError(address) from problem

        async def set_health(is_passed_over: bool) -> None:
            status = health_pb2.HealthCheckResponse
            for name in (OVERALL_HEALTH, *(each.full_name for each, _ in SERVICES.values())):
                await health.set(name, status.NOT_SERVING if is_passed_over else status.SERVING)

        run_clock = timekeeping(app.clock, app.database)
        # Before anything is dated by it.
        await once("clock", run_clock)
        watch = KeyWatch(database=app.database, secrets=app.secrets, tell=set_health)
        jobs = [
            asyncio.create_task(repeatedly(name, run, stopping, asyncio.Event()))
            for name, run in (("clock", run_clock), ("keys", watch.run))
        ]
        await server.start()
        await set_health(is_passed_over=False)
        _log.info("serving", host=settings.listen_host, port=port)
        await stopping.wait()
        _log.info("draining", seconds=settings.drain_seconds)
        await health.enter_graceful_shutdown()
        await asyncio.sleep(settings.drain_seconds)
        await server.stop(GRACE_SECONDS)
        for job in jobs:
            job.cancel()
        _log.info("stopped")


def stop_signal() -> asyncio.Event:
    """Set once the process is asked to end."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    return stopping
