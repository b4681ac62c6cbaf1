"""Whatever is wrong with a call, its answer says in our words that the caller is at fault.

Over every method, by native gRPC and in JSON, through Envoy.
"""

from __future__ import annotations

import pytest

from tests.server.edge.running import Edge
from tests.support.contract import METHODS
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


@pytest.fixture(autouse=True)
async def _leads_to_the_server(edge: Edge) -> None:
    """While the server is busy, Envoy may think that it is gone."""
    await edge.until(200)


@pytest.mark.parametrize("name", BY_GRPC)
async def test_the_mesh_listener_says_whose_fault_it_is(name: str, edge: Edge) -> None:
    """The same, for internal services."""
    address = (edge.settings.mesh.host, edge.settings.mesh.port)
    assert not await faults_of_all(
        EVERY, lambda method: native_answer(address, method, BY_GRPC[name])
    )


@pytest.mark.parametrize("name", BY_GRPC)
async def test_the_public_listener_says_whose_fault_it_is(name: str, edge: Edge) -> None:
    """The same, for strangers, whom methods without a route are hidden from."""
    address = (edge.settings.public.host, edge.settings.public.port)
    assert not await faults_of_all(
        EVERY, lambda method: native_answer(address, method, BY_GRPC[name])
    )


@pytest.mark.parametrize("listener", ["public", "mesh"])
@pytest.mark.parametrize("name", IN_JSON)
async def test_json_is_told_whose_fault_it_is(name: str, listener: str, edge: Edge) -> None:
    """A browser's developer would look for a fault of ours."""
    there = {"public": edge.settings.public, "mesh": edge.settings.mesh}[listener]
    assert not await faults_of_all(
        PUBLIC, lambda method: json_answer((there.host, there.port), method, IN_JSON[name])
    )
