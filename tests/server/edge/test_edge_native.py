"""Native gRPC and gRPC-Web callers read Envoy's own refusals as they read ours."""

from __future__ import annotations

import base64
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from infrastructure.rpc.rate_class import REQUEST_BYTES_MAX, RateClass
from server.edge.rate_limit import RateLimit
from tests.server.edge.backend import Backend, running_process
from tests.server.edge.running import (
    DESCRIPTORS,
    Edge,
    free_ports,
    native_refusal,
    running_edge,
    settings_for,
)

HEALTH = "/guerdon.edge.v1.EdgeService/GetHealth"
ARRIVAL = "/guerdon.orchestration.v1.ArrivalService/TrackArrival"


async def test_a_large_message_is_refused_with_a_reason(edge: Edge) -> None:
    """UNKNOWN would say that something broke."""
    large = b"\x0a" + b"\xff" * REQUEST_BYTES_MAX[RateClass.TRACKING]

    for target in (edge.public_target, edge.mesh_target):
        refusal = await native_refusal(target, ARRIVAL, message=large)
        assert refusal == (grpc.StatusCode.OUT_OF_RANGE, "BODY_TOO_LARGE")


async def test_too_many_calls_are_refused_with_a_reason(tmp_path: Path) -> None:
    """The caller's program decides by the reason whether it tries again."""
    backend = Backend(DESCRIPTORS.read_bytes())
    once = {rate_class: RateLimit(per_second=1, burst=1) for rate_class in RateClass}
    async with running_process(backend) as process:
        settings = settings_for([process.port], address_rate_limits=once)
        async with running_edge(settings, backend, tmp_path) as edge:
            await edge.public.get("/health")
            for _ in range(2):
                await edge.public.get("/health")
            refusal = await native_refusal(edge.public_target, HEALTH)

    assert refusal == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED")


async def test_without_a_server_the_reason_is_told(tmp_path: Path) -> None:
    """Nobody could tell a server that is away from a call that failed."""
    backend = Backend(DESCRIPTORS.read_bytes())
    settings = settings_for(free_ports(1))
    async with running_edge(settings, backend, tmp_path, ready_status=503) as edge:
        for target in (edge.public_target, edge.mesh_target):
            refusal = await native_refusal(target, HEALTH)
            assert refusal == (grpc.StatusCode.UNAVAILABLE, "SERVER_AWAY")


@pytest.mark.parametrize(
    "content_type", ["application/grpc-web+proto", "application/grpc-web-text"]
)
@pytest.mark.parametrize(
    ("path", "header", "code", "reason"),
    [
        ("/guerdon.edge.v1.EdgeService/Nope", "x-no: 1", 12, "ROUTE_UNKNOWN"),
        (HEALTH, "grpc-timeout: zzz", 3, "REQUEST_MALFORMED"),
        (HEALTH, "grpc-encoding: zip", 3, "REQUEST_MALFORMED"),
    ],
)
async def test_grpc_web_reads_the_code_and_the_reason(
    edge: Edge, content_type: str, path: str, header: str, code: int, reason: str
) -> None:
    """A page would read a code that Envoy makes of an HTTP status: ours for its own fault."""
    name, value = header.split(": ")
    response = await edge.public.post(
        path,
        content=b"AAAAAAA=" if content_type.endswith("text") else b"\0\0\0\0\0",
        headers={"content-type": content_type, "origin": "https://shop.example", name: value},
    )

    assert response.status_code == 200
    assert response.headers["content-type"].startswith("application/grpc-web")
    assert response.headers["grpc-status"] == str(code)
    encoded = response.headers["grpc-status-details-bin"]
    status = status_pb2.Status.FromString(base64.b64decode(encoded + "=" * (-len(encoded) % 4)))
    info = error_details_pb2.ErrorInfo()
    [detail] = status.details
    assert detail.Unpack(info)
    assert (status.code, status.message, info.reason) == (
        code,
        response.headers["grpc-message"],
        reason,
    )
    assert response.content == b""
