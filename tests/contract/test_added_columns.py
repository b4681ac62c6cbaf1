"""A newer version's migration adds columns while this version goes on serving and working."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import count

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from infrastructure.database.engine import create_engine
from localmesh.postgres import Postgres
from server.tables import EVERY_TABLE
from tests.contract.valid_calls import a_valid_call
from tests.support.contract import METHODS
from tests.support.mesh import Mesh, create_database, migrate_with_role, running_mesh, settings_for
from tests.support.rpc_shop import BusyShop, open_busy_shop

SECONDS_MAX = 60
PREPARED_AFTER = 6
"""The driver prepares a statement once; PostgreSQL may plan it for good after five runs."""


@pytest.fixture
async def altered(postgres: Postgres) -> AsyncIterator[tuple[AsyncEngine, Mesh]]:
    """A mesh on a database of its own, with few connections, so that each prepares everything."""
    url = await create_database(postgres, "contract_altered")
    engine = create_engine(url, pool_size=3, application_name="contract, altered")
    await migrate_with_role(engine)
    async with running_mesh(engine, settings_for(url)) as mesh:
        yield engine, mesh
    await engine.dispose()


async def call_everything(busy: BusyShop, mesh: Mesh) -> None:
    for method in METHODS.values():
        call = await a_valid_call(method, busy)
        await mesh.call(method, call.request, proof=call.proof)


async def test_columns_are_added_under_load(altered: tuple[AsyncEngine, Mesh]) -> None:
    """A call would fail on each connection, and an interaction lose a try for it."""
    engine, mesh = altered
    busy = await open_busy_shop(mesh)
    for _ in range(PREPARED_AFTER):
        await asyncio.gather(call_everything(busy, mesh), call_everything(busy, mesh))
    is_over = asyncio.Event()
    orders = count()

    async def load() -> None:
        while not is_over.is_set():
            await call_everything(busy, mesh)
            await busy.shop.order(f"L-{next(orders)}", client_id=busy.client_id)
            await busy.shop.work()

    async with asyncio.timeout(SECONDS_MAX), asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(load())
        for table in EVERY_TABLE:
            async with engine.begin() as connection:
                await connection.execute(text("SET LOCAL lock_timeout = '5s'"))
                column = "added_later text NOT NULL DEFAULT ''"
                await connection.execute(text(f"ALTER TABLE {table.name} ADD COLUMN {column}"))
        is_over.set()
    await call_everything(busy, mesh)
    await busy.shop.work()

    async with engine.connect() as connection:
        tried = await connection.execute(
            text("SELECT count(*) FROM interaction WHERE try_count > 0 OR obstacle <> ''")
        )
        failed = await connection.execute(text("SELECT count(*) FROM delivery WHERE failure <> ''"))
        assert (tried.scalar_one(), failed.scalar_one()) == (0, 0)
