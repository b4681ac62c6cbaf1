"""Whatever is wrong with a call, its answer says in our words that the caller is at fault.

Over every method, by native gRPC and in JSON, at the server and through Envoy.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import pytest

from server.interception import one_message
from server.serving import RECEIVE_BYTES_MAX
from tests.server.edge.backend import Backend
from tests.server.edge.running import DESCRIPTORS, Edge, running_edge, settings_for
from tests.support.contract import METHODS
from tests.support.http2 import connected, frame, grpc_headers
from tests.support.mesh import CLIENT_ID, SERVICE, Mesh
from tests.support.strange_calls import (
    IN_JSON,
    REACH_ENVOY,
    REACH_US,
    faults_of_all,
    json_answer,
    native_answer,
)

EVERY = list(METHODS.values())
PUBLIC = [method for method in EVERY if method.is_public]
BY_GRPC = {**REACH_US, **REACH_ENVOY}


@pytest.fixture(scope="module")
async def edge(mesh: Mesh, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edge]:
    """An Envoy in front of the server."""
    backend = Backend(DESCRIPTORS.read_bytes())  # Only the shape asks for it: the server answers.
    folder = tmp_path_factory.mktemp("envoy")
    async with running_edge(settings_for([mesh.port]), backend, folder) as running:
        yield running


@pytest.mark.parametrize("name", REACH_US)
async def test_the_server_says_whose_fault_it_is(name: str, mesh: Mesh) -> None:
    """Callers would read that we failed, or wait for ever."""
    address = ("127.0.0.1", mesh.port)
    assert not await faults_of_all(
        EVERY, lambda method: native_answer(address, method, REACH_US[name])
    )


@pytest.mark.parametrize("body", [(), (frame(b""),)], ids=["without a message", "behind it"])
async def test_a_call_that_is_left_open_is_ended(
    body: tuple[bytes, ...], mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such calls would pile up until nobody else's is taken."""
    monkeypatch.setattr(one_message, "MESSAGE_SECONDS_MAX", 0.1)
    for path in (*METHODS, "/grpc.health.v1.Health/Check", "/guerdon.Nowhere/Nothing"):
        headers = grpc_headers(path, *SERVICE, ("x-client-id", CLIENT_ID))
        async with connected("127.0.0.1", mesh.port) as connection:
            answer = await connection.call(headers, body, ends=False, seconds=5)
        assert answer.info is not None, path
        known = "METHOD_UNKNOWN" if "Nowhere" in path else "MESSAGE_LATE"
        assert answer.info.reason == known, path


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/grpc.health.v1.Health/Check", "REQUEST_MALFORMED"),
        ("/grpc.channelz.v1.Channelz/GetServers", "REQUEST_MALFORMED"),
        ("/guerdon.edge.v1.EdgeService/Nothing", "METHOD_UNKNOWN"),
        ("/nobody.knows.Service/Nothing", "METHOD_UNKNOWN"),
        ("/", "METHOD_UNKNOWN"),
    ],
)
async def test_what_is_not_of_the_contract_is_answered_too(
    path: str, reason: str, mesh: Mesh
) -> None:
    """A call without a message would hang, and one of no method be answered without a reason."""
    async with connected("127.0.0.1", mesh.port) as connection:
        answer = await connection.call(grpc_headers(path), seconds=5)
    assert answer.info is not None
    assert (answer.info.domain, answer.info.reason) == ("mesh.guerdon", reason)


async def test_a_frame_that_claims_to_be_huge_is_not_waited_for(mesh: Mesh) -> None:
    """One caller could make the process hold four gigabytes, a piece at a time."""
    headers = grpc_headers("/guerdon.edge.v1.EdgeService/GetHealth")
    async with connected("127.0.0.1", mesh.port) as connection:
        answer = await connection.call(
            headers, (frame(b"", claimed=RECEIVE_BYTES_MAX + 1),), ends=False, seconds=2
        )
    # In gRPC's own words: nothing of it is read.
    assert answer.code is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("name", BY_GRPC)
async def test_the_mesh_listener_says_whose_fault_it_is(name: str, edge: Edge) -> None:
    """The same, for internal services."""
    address = (edge.settings.mesh_host, edge.settings.mesh_port)
    assert not await faults_of_all(
        EVERY, lambda method: native_answer(address, method, BY_GRPC[name])
    )


@pytest.mark.parametrize("name", BY_GRPC)
async def test_the_public_listener_says_whose_fault_it_is(name: str, edge: Edge) -> None:
    """The same, for strangers, whom methods without a route are hidden from."""
    address = (edge.settings.public_host, edge.settings.public_port)
    assert not await faults_of_all(
        EVERY, lambda method: native_answer(address, method, BY_GRPC[name])
    )


@pytest.mark.parametrize("listener", ["public", "mesh"])
@pytest.mark.parametrize("name", IN_JSON)
async def test_json_is_told_whose_fault_it_is(name: str, listener: str, edge: Edge) -> None:
    """A browser's developer would look for a fault of ours."""
    host = getattr(edge.settings, f"{listener}_host")
    port = getattr(edge.settings, f"{listener}_port")
    assert not await faults_of_all(
        PUBLIC, lambda method: json_answer((host, port), method, IN_JSON[name])
    )
