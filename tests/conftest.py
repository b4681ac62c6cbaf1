"""The database that every test gets: real, migrated the way production is."""

from __future__ import annotations

import gc
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

# Before gRPC is loaded. Its fork handlers start a thread in each child that tests start, which
# may end the child before it becomes another program (grpc/grpc issue 43055).
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")

import pytest
from hypothesis import settings
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from infrastructure.database.engine import create_engine, database_of
from infrastructure.database.metadata import metadata
from infrastructure.database.transaction import Database
from localmesh.postgres import Postgres
from tests.support.mesh import migrate_with_role
from tests.support.postgres import start_test_postgres
from tests.support.roles import OwnedDatabase, acting_inside, role_engine

# How long an example takes depends on what else the machine does.
settings.register_profile("guerdon", deadline=None)
settings.load_profile("guerdon")


LONG = ("end_to_end", "simulation")
"""Folders of tests that take long. At the end, one process would work on them alone."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long comes first. A file's tests stay together, and all that share a mesh do."""
    folder = Path(__file__).parent
    items.sort(key=lambda item: item.path.relative_to(folder).parts[0] not in LONG)
    for item in items:
        shares_mesh = "stack" in getattr(item, "fixturenames", ())
        group = item.path.parent if shares_mesh else item.path
        item.add_marker(pytest.mark.xdist_group(str(group.relative_to(folder))))


def pytest_collection_finish() -> None:
    """What was collected lives to the end: the collector walks it no more, and seldom the rest.

    With eleven thousand tests it took a fifth of the time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update-golden` rewrites the golden files; the difference is reviewed like code."""
    parser.addoption("--update-golden", action="store_true", help="rewrite the golden files")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server of the tests' own."""
    with start_test_postgres() as running:
        yield running


@pytest.fixture(scope="session")
async def engine(postgres: Postgres) -> AsyncIterator[AsyncEngine]:
    """A pool on a migrated database. For tests that need several real connections."""
    pool = create_engine(postgres.url, pool_size=24, application_name="tests")
    await migrate_with_role(pool)
    yield pool
    await pool.dispose()


@pytest.fixture(scope="session")
async def acting_engine(engine: AsyncEngine) -> AsyncIterator[AsyncEngine]:
    """A pool on the same database, for flows: it may do what processes may."""
    pool = role_engine(engine, pool_size=24)
    yield pool
    await pool.dispose()


@pytest.fixture
async def database(engine: AsyncEngine) -> AsyncIterator[Database]:
    """A database whose every commit is undone when the test ends."""
    async with engine.connect() as connection, connection.begin() as outer:

        @asynccontextmanager
        async def savepoint() -> AsyncIterator[AsyncConnection]:
            async with connection.begin_nested():
                yield connection

        yield OwnedDatabase(begin=savepoint, connect=savepoint, acting=acting_inside(savepoint))
        await outer.rollback()


@pytest.fixture
async def real_database(engine: AsyncEngine, acting_engine: AsyncEngine) -> AsyncIterator[Database]:
    """A database that commits, for tests of what happens between connections.

    Everything in it is deleted when the test ends.
    """
    owned = database_of(engine)
    yield OwnedDatabase(
        begin=owned._begin,  # noqa: SLF001 - the same, with more beside it
        connect=owned._connect,  # noqa: SLF001
        acting=database_of(acting_engine),
    )
    async with engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            await connection.execute(text(f'DELETE FROM "{table.name}"'))
