from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2

from infrastructure.rpc.rate_class import REQUEST_BYTES_MAX, RateClass
from server.edge.filters import ANSWER_BYTES_MAX
from server.edge.rate_limit import RateLimit
from tests.server.edge.backend import Backend, running_process
from tests.server.edge.raw_http import ask, request
from tests.server.edge.running import (
    DESCRIPTORS,
    Edge,
    free_ports,
    reason_of,
    running_edge,
    settings_for,
    status_of,
)
from tests.support.raw_streams import raw_streams

HEALTH = "/guerdon.edge.v1.EdgeService/GetHealth"
READINESS = "/guerdon.edge.v1.EdgeService/GetReadiness"
ARRIVAL = "/guerdon.orchestration.v1.ArrivalService/TrackArrival"
PAGE = {"origin": "https://shop.example"}
CALLS = 12
LOST_CALLS_MAX = 2
ANSWER_BYTES = 3 << 20
ANSWER_BYTES_TOO_MANY = ANSWER_BYTES_MAX + 1


@pytest.fixture(scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edge]:
    """An Envoy behind a proxy, which lets two calls a second through and waits 0.3 seconds."""
    backend = Backend(DESCRIPTORS.read_bytes())
    folder = tmp_path_factory.mktemp("envoy")
    limits = {rate_class: RateLimit(per_second=2, burst=2) for rate_class in RateClass}
    async with running_process(backend) as process:
        settings = settings_for([process.port], rate_limits=limits, trusted_hops=1)

        def impatient(text: str) -> str:
            return text.replace('"timeout": "15s"', '"timeout": "0.300s"')

        async with running_edge(settings, backend, folder, change=impatient) as edge:
            yield edge


async def test_too_many_calls_are_refused_in_json(edge: Edge) -> None:
    """Callers read that they are too fast, and when to come back; pages can read it too."""
    responses = await asyncio.gather(
        *(edge.public.post("/user/track/arrival", json={}, headers=PAGE) for _ in range(CALLS))
    )

    refused = [response for response in responses if response.status_code == 429]
    assert {response.status_code for response in responses} == {200, 429}
    for response in refused:
        assert reason_of(response) == "RATE_LIMITED"
        assert response.json()["code"] == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
        assert response.headers["retry-after"] == "1"
        assert response.headers["access-control-allow-origin"] == PAGE["origin"]
    assert len(edge.backend.seen) == CALLS - len(refused)


async def test_too_many_native_calls_have_a_status_and_no_json(edge: Edge) -> None:
    """gRPC libraries act on the status; UNAVAILABLE would make them try again at once."""
    found = await asyncio.gather(*(status_of(edge.public_target, READINESS) for _ in range(CALLS)))

    codes = {code for code, _ in found}
    assert codes == {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert not any("{" in message for _, message in found)


async def test_the_mesh_has_no_rate_limit(edge: Edge) -> None:
    """Internal work must not be slowed down by what the world may do."""
    responses = await asyncio.gather(*(edge.mesh.get("/health") for _ in range(CALLS)))

    assert {response.status_code for response in responses} == {200}


async def test_a_slow_answer_is_given_up(edge: Edge) -> None:
    """A caller without a deadline must not wait for ever; the server learns that it left."""
    given_up = asyncio.Event()

    async def slow(_request: Any, answer: type[Message], _context: Any) -> Message:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            given_up.set()
            raise
        return answer()

    edge.backend.answers[HEALTH] = slow

    response = await edge.mesh.get("/health")

    assert response.status_code == 504
    assert reason_of(response) == "SERVER_SLOW"
    assert response.json()["code"] == grpc.StatusCode.DEADLINE_EXCEEDED.value[0]
    await asyncio.wait_for(given_up.wait(), timeout=5)


async def test_a_large_answer_is_passed_on_and_a_larger_one_is_not(edge: Edge) -> None:
    """Envoy holds an answer in memory while it turns it into JSON."""
    size = ANSWER_BYTES

    async def large(_request: Any, answer: type[Message], _context: Any) -> Message:
        return answer(touchpoint_id="a" * size)

    edge.backend.answers[ARRIVAL] = large

    passed = await edge.mesh.post("/user/track/arrival", json={})
    size = ANSWER_BYTES_TOO_MANY
    refused = await edge.mesh.post("/user/track/arrival", json={})

    assert passed.status_code == 200
    assert len(passed.json()["touchpointId"]) == ANSWER_BYTES
    assert refused.status_code == 500
    assert reason_of(refused) == "ANSWER_UNREADABLE"
    assert refused.json()["code"] == grpc.StatusCode.INTERNAL.value[0]


async def test_behind_a_proxy_the_caller_is_whom_the_proxy_names(edge: Edge) -> None:
    """Otherwise every caller would have the proxy's address, or one of its own choosing."""
    await edge.public.get("/health", headers={"x-forwarded-for": "198.51.100.1, 203.0.113.9"})

    [seen] = edge.backend.seen
    assert seen.metadata["x-envoy-external-address"] == "203.0.113.9"


async def test_without_a_server_callers_read_so(tmp_path: Path) -> None:
    """Down is said in JSON with CORS, and with a status that gRPC libraries repeat on."""
    backend = Backend(DESCRIPTORS.read_bytes())
    settings = settings_for(free_ports(1))

    async with running_edge(settings, backend, tmp_path, ready_status=503) as edge:
        response = await edge.public.post("/user/track/arrival", json={}, headers=PAGE)
        native = await status_of(edge.public_target, HEALTH)

    assert response.status_code == 503
    assert reason_of(response) == "SERVER_AWAY"
    assert response.json()["code"] == grpc.StatusCode.UNAVAILABLE.value[0]
    assert response.headers["access-control-allow-origin"] == PAGE["origin"]
    assert native[0] is grpc.StatusCode.UNAVAILABLE
    assert "{" not in native[1]


async def test_a_process_that_says_it_leaves_loses_no_call(tmp_path: Path) -> None:
    """Otherwise every new version of the server would fail calls while it is rolled out."""
    leaving, staying = (Backend(DESCRIPTORS.read_bytes()) for _ in range(2))
    async with running_process(leaving) as going, running_process(staying) as kept:
        settings = settings_for([going.port, kept.port], health_interval_seconds=0.1)
        async with running_edge(settings, staying, tmp_path) as edge:
            await both_called(edge, leaving, staying)

            await going.health.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
            deadline = monotonic() + 10
            quiet = 0
            while quiet < CALLS:
                leaving.forget()
                assert (await edge.mesh.get("/health")).status_code == 200
                quiet = 0 if leaving.seen else quiet + 1
                assert monotonic() < deadline, "a process that is leaving still gets calls"

            await going.server.stop(None)
            for _ in range(CALLS):
                assert (await edge.mesh.get("/health")).status_code == 200


async def test_a_process_that_is_gone_has_its_calls_sent_elsewhere(tmp_path: Path) -> None:
    """Between two health checks Envoy believes in a process that has died."""
    dying, staying = (Backend(DESCRIPTORS.read_bytes()) for _ in range(2))
    async with running_process(dying) as gone, running_process(staying) as kept:
        settings = settings_for([gone.port, kept.port], health_interval_seconds=60)
        async with running_edge(settings, staying, tmp_path) as edge:
            await both_called(edge, dying, staying)

            await gone.server.stop(None)
            statuses = [(await edge.mesh.get("/health")).status_code for _ in range(2 * CALLS)]

    # Every second call went to the dead process. One that was on its way while the connection
    # broke is lost, not repeated: nobody knows whether it had its effect.
    assert statuses.count(200) >= len(statuses) - LOST_CALLS_MAX


async def test_processes_that_are_not_ready_get_no_calls(tmp_path: Path) -> None:
    """When none is ready, a clear answer is better than a call that is cut in the middle."""
    backend = Backend(DESCRIPTORS.read_bytes())
    async with running_process(backend) as process:
        settings = settings_for([process.port], health_interval_seconds=0.1)
        async with running_edge(settings, backend, tmp_path) as edge:
            await process.health.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
            deadline = monotonic() + 10
            while (response := await edge.mesh.get("/health")).status_code == 200:
                assert monotonic() < deadline, "a process that is not ready still gets calls"

    assert response.status_code == 503
    assert reason_of(response) == "SERVER_AWAY"


async def both_called(edge: Edge, one: Backend, other: Backend) -> None:
    """Calls until both processes are known to take calls."""
    deadline = monotonic() + 10
    while not (one.seen and other.seen):
        assert (await edge.mesh.get("/health")).status_code == 200
        assert monotonic() < deadline, "calls reach one process only"


@pytest.mark.parametrize("listener", ["public", "mesh"])
@pytest.mark.parametrize(
    ("path", "rate_class"),
    [
        ("/user/track/arrival", RateClass.TRACKING),
        ("/interactions/listenForPurchase", RateClass.TRACKING),
        ("/business/merchant/m-1/webhooks", RateClass.DASHBOARD),
        ("/ext/merchant/m-1/webhook/custom", RateClass.WEBHOOK),
    ],
)
@pytest.mark.parametrize("field", ["merchantId", "unknown"])
async def test_a_large_body_is_refused_on_every_route(
    edge: Edge, listener: str, path: str, rate_class: RateClass, field: str
) -> None:
    """Anybody could fill Envoy's memory, in a field that nobody reads."""
    most = REQUEST_BYTES_MAX[rate_class]
    client = edge.public if listener == "public" else edge.mesh
    large = ('{"' + field + '": "' + "a" * most + '"}').encode()

    async def in_pieces() -> AsyncIterator[bytes]:
        yield large

    for content in (large, in_pieces()):
        response = await client.post(path, content=content, headers={"origin": "https://shop"})
        assert response.status_code == 413
        assert reason_of(response) == "BODY_TOO_LARGE"
        assert str(most) in response.json()["message"]
        if listener == "public" and rate_class is RateClass.TRACKING:
            assert response.headers["access-control-allow-origin"] == "https://shop"
    assert edge.backend.seen == []

    fits = ('{"' + field + '": "' + "a" * (most - 100) + '"}').encode()
    response = await client.post(path, content=fits)
    assert response.status_code == 200, response.text


@pytest.mark.parametrize("listener", ["public", "mesh"])
@pytest.mark.parametrize("verb", ["GET", "DELETE", "HEAD", "PURGE"])
async def test_of_other_verbs_a_body_is_small(edge: Edge, listener: str, verb: str) -> None:
    """Bodies that nobody reads were kept, as large as the largest, and no limit counted them."""
    client = edge.public if listener == "public" else edge.mesh
    response = await client.request(
        verb, "/ext/merchant/m-1/webhook/custom", content=b" " * (8 << 10)
    )
    assert response.status_code == 413
    if verb != "HEAD":
        assert reason_of(response) == "BODY_TOO_LARGE"
    assert edge.backend.seen == []


@pytest.mark.parametrize("listener", ["public", "mesh"])
async def test_nobody_tunnels_through(edge: Edge, listener: str) -> None:
    """A CONNECT has no path, so no limit counted it, and what came behind it was kept."""
    target = edge.public_target if listener == "public" else edge.mesh_target
    async with raw_streams(target) as connection:
        stream = connection.open([(":method", "CONNECT"), (":authority", "shop.example:443")])
        # Left open: it waited for a body, and kept it.
        answer = await asyncio.wait_for(connection.until_ended(stream), 5)
        assert not await connection.send(stream, b" ")
    assert answer.get(":status", "reset") in {"404", "reset"}
    told = await asyncio.wait_for(ask(target, request("CONNECT", "shop.example:443")), 5)
    assert told.status == 403
