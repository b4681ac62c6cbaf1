"""Whatever is wrong with a call, its answer says in our words that the caller is at fault.

Over every method, by native gRPC and in JSON, through Envoy.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.server.edge.backend import Backend
from tests.server.edge.running import DESCRIPTORS, Edge, running_edge, settings_for
from tests.support.contract import METHODS
from tests.support.mesh import Mesh
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
