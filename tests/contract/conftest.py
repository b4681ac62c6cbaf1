"""The server that the contract is held against: every service, on a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from infrastructure.database.engine import create_engine
from localmesh.postgres import Postgres
from tests.server.edge.running import Edge
from tests.support.json_mesh import JsonMesh, json_mesh_of, running_edge_of
from tests.support.mesh import (
    Mesh,
    create_database,
    migrate_with_role,
    running_mesh,
    settings_for,
)
from tests.support.rpc_shop import BusyShop, open_busy_shop


@pytest.fixture(scope="session")
async def contract_url(postgres: Postgres) -> str:
    """A database that keeps what the contract's tests do in it, and that nobody else uses."""
    return await create_database(postgres, "contract")


@pytest.fixture(scope="session")
async def contract_engine(contract_url: str) -> AsyncIterator[AsyncEngine]:
    """A pool on the migrated database."""
    engine = create_engine(contract_url, pool_size=12, application_name="contract tests")
    await migrate_with_role(engine)
    yield engine
    await engine.dispose()


@pytest.fixture(scope="session")
async def mesh(contract_url: str, contract_engine: AsyncEngine) -> AsyncIterator[Mesh]:
    """A running server with every service."""
    async with running_mesh(contract_engine, settings_for(contract_url)) as running:
        yield running


@pytest.fixture(scope="session")
async def edge(mesh: Mesh, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edge]:
    """An Envoy in front of the server, for all tests of the process."""
    async with running_edge_of(mesh, tmp_path_factory.mktemp("envoy")) as running:
        yield running


@pytest.fixture
async def json_mesh(edge: Edge) -> JsonMesh:
    """The Envoy, once it leads to the server: while that is busy, it may think that it is gone."""
    await edge.until(200)
    return json_mesh_of(edge)


@pytest.fixture(scope="session")
async def busy(mesh: Mesh) -> BusyShop:
    """A shop where every list has several items."""
    return await open_busy_shop(mesh)
