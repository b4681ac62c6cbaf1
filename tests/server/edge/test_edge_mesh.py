from __future__ import annotations

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from tests.server.edge.running import Edge, call, reason_of, status_of

IDENTITY = "/guerdon.identity.v1.IdentityService/GetIdentityGroup"
HEALTH = "/guerdon.edge.v1.EdgeService/GetHealth"


@pytest.mark.parametrize(
    "path", [IDENTITY, "/guerdon.orchestration.v1.ArrivalService/ImportArrival", HEALTH]
)
async def test_every_method_is_there(edge: Edge, path: str) -> None:
    """Internal services reach each other through Envoy."""
    await call(edge.mesh_target, path)

    assert [seen.path for seen in edge.backend.seen] == [path]


async def test_a_method_that_does_not_exist_is_unimplemented(edge: Edge) -> None:
    """The servers' own word for it, not one of Envoy's."""
    code, _ = await status_of(edge.mesh_target, "/guerdon.identity.v1.IdentityService/Nope")

    assert code is grpc.StatusCode.UNIMPLEMENTED


async def test_internal_services_prove_who_they_are(edge: Edge) -> None:
    """Without the proof every internal call would be refused."""
    await call(edge.mesh_target, IDENTITY, metadata={"x-service-auth": "token"})
    await edge.mesh.get("/health", headers={"x-service-auth": "token"})

    assert [seen.metadata["x-service-auth"] for seen in edge.backend.seen] == ["token", "token"]


async def test_only_envoy_says_how_a_call_came(edge: Edge) -> None:
    """The servers trust these headers, whichever door a call came through."""
    forged = {"x-envoy-original-path": "/forged", "x-envoy-original-method": "GET"}
    await call(edge.mesh_target, IDENTITY, metadata=forged)

    [seen] = edge.backend.seen
    assert not {"x-envoy-original-path", "x-envoy-original-method"} & set(seen.metadata)


async def test_reflection_lists_the_services(edge: Edge) -> None:
    """A stranger with a gRPC tool finds out what there is."""
    request = reflection_pb2.ServerReflectionRequest(list_services="")

    async with grpc.aio.insecure_channel(edge.mesh_target) as channel:
        method = channel.stream_stream(
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        [answer] = [each async for each in method(iter([request]), timeout=5)]

    names = {service.name for service in answer.list_services_response.service}
    assert names >= set(edge.backend.services)


async def test_health_and_channels_can_be_looked_at(edge: Edge) -> None:
    """Operators ask the servers through the same door."""
    health = await call(edge.mesh_target, "/grpc.health.v1.Health/Check")

    serving = health_pb2.HealthCheckResponse.SERVING
    assert health_pb2.HealthCheckResponse.FromString(health).status == serving
    assert await call(edge.mesh_target, "/grpc.channelz.v1.Channelz/GetServers")


async def test_routed_methods_speak_json_here_too(edge: Edge) -> None:
    """Internal tools may use the same paths as the world, with their proof."""
    response = await edge.mesh.get("/business/merchant/m-1")

    assert response.status_code == 200
    [seen] = edge.backend.seen
    assert seen.request.merchant_id == "m-1"


async def test_errors_have_the_same_shape_and_no_page_may_read_them(edge: Edge) -> None:
    """One shape for all callers of JSON; browsers have no business on the mesh."""
    response = await edge.mesh.get("/user/nope", headers={"origin": "https://shop.example"})

    assert response.status_code == 404
    assert reason_of(response) == "ROUTE_UNKNOWN"
    assert "access-control-allow-origin" not in response.headers
