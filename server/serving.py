"""The gRPC server: every service, behind the steps, with a graceful end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import grpc
import structlog
from grpc_channelz.v1 import channelz
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_health.v1.health import OVERALL_HEALTH
from grpc_reflection.v1alpha import reflection

from infrastructure.database.engine import Limits
from infrastructure.rpc.served import ServedService
from server.interception.beyond_contract import BeyondContract
from server.interception.caller import CallerProof
from server.interception.chain import Step, StepChain
from server.interception.finishing import Finishing
from server.interception.merchant_role import MerchantRole
from server.interception.one_message import OneMessage
from server.interception.path_over_query import PathOverQuery
from server.interception.proofs.client_id import ClientId
from server.interception.proofs.service_token import ServiceToken
from server.interception.refusals import Refusals
from server.interception.repeat import RepeatedCall
from server.interception.request_log import RequestLog
from server.interception.strict_json.step import StrictJson
from server.interception.validation import Validation
from server.preflight import until_usable_at
from server.repeating import repeatedly, run_first
from server.settings.process import Settings
from server.wiring import application
from server.wiring.jobs import build_serve_jobs

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


def steps_of(settings: Settings) -> list[Step]:
    """What stands in front of every method, outermost first."""
    return [
        Refusals(),
        RequestLog(),
        PathOverQuery(),
        CallerProof(
            [
                ServiceToken(settings.service_token.get_secret_value()),
                ClientId(other_headers=settings.client_id_headers),
            ]
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


class _Methods(grpc.GenericRpcHandler):
    """Finds any method of the contract in one look, whichever service has it."""

    def __init__(self, handlers: Mapping[str, grpc.RpcMethodHandler[Any, Any]]) -> None:
        self._handlers = handlers

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        return self._handlers.get(handler_call_details.method)


def build_server(
    services: Sequence[ServedService], settings: Settings
) -> tuple[grpc.aio.Server, HealthServicer]:
    """A server with every service, and the health that it reports.

    Raises:
        ContractError: a step cannot stand in front of a method.
    """
    chain = StepChain(steps_of(settings))
    handlers = {
        path: chain.handler_of(method) for each in services for path, method in each.methods.items()
    }
    server = grpc.aio.server(
        interceptors=[BeyondContract(handlers, OPEN_SERVICES)],
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
    server.add_generic_rpc_handlers([_Methods(handlers)])
    health = HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    channelz.add_channelz_servicer(server)
    reflection.enable_server_reflection(
        [
            *(each.name for each in services),
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
        server, health = build_server(app.services, settings)
        address = f"{settings.listen_host}:{settings.listen_port}"
        try:
            port = server.add_insecure_port(address)
        except RuntimeError as problem:
            raise AddressTakenError(address) from problem

        async def set_health(is_passed_over: bool) -> None:
            status = health_pb2.HealthCheckResponse
            for name in (OVERALL_HEALTH, *(each.name for each in app.services)):
                await health.set(name, status.NOT_SERVING if is_passed_over else status.SERVING)

        jobs = build_serve_jobs(app, set_health)
        await run_first(jobs)
        running = [asyncio.create_task(repeatedly(each, stopping)) for each in jobs]
        await server.start()
        await set_health(is_passed_over=False)
        _log.info("serving", host=settings.listen_host, port=port)
        await stopping.wait()
        _log.info("draining", seconds=settings.drain_seconds)
        await health.enter_graceful_shutdown()
        await asyncio.sleep(settings.drain_seconds)
        await server.stop(GRACE_SECONDS)
        for each in running:
            each.cancel()
        _log.info("stopped")


def stop_signal() -> asyncio.Event:
    """Set once the process is asked to end."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    return stopping
