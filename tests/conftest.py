"""The database that every test gets: real, migrated the way production is."""

from __future__ import annotations

import gc
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path, PurePosixPath
from typing import Any

# Before gRPC is loaded. Its fork handlers start a thread in each child that tests start, which
# may end the child before it becomes another program (grpc/grpc issue 43055).
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")

import pytest
from hypothesis import settings
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from xdist.scheduler import LoadFileScheduling

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long comes first."""
    folder = Path(__file__).parent
    items.sort(key=lambda item: item.path.relative_to(folder).parts[0] not in LONG)


WITHOUT_MESH = {"test_wheel.py", "test_without_extras.py", "test_workers.py"}
"""The files of `end_to_end` whose tests start what they need."""


class ByMesh(LoadFileScheduling):  # type: ignore[misc]  # it has no types
    """The tests of a file run in one process, and so do all that share one running mesh."""

    def _split_scope(self, nodeid: str) -> str:
        path = PurePosixPath(nodeid.partition("::")[0])
        shares_mesh = path.parent.name == "end_to_end" and path.name not in WITHOUT_MESH
        return str(path.parent if shares_mesh else path)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByMesh:
    """Which tests go to which process, if there are several."""
    return ByMesh(config, log)


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

        yield OwnedDatabase(
            begin=savepoint,
            read=savepoint,
            connect=savepoint,
            acting=acting_inside(savepoint),
        )
        await outer.rollback()


@pytest.fixture
async def real_database(engine: AsyncEngine, acting_engine: AsyncEngine) -> AsyncIterator[Database]:
    """A database that commits, for tests of what happens between connections.

    Everything in it is deleted when the test ends.
    """
    owned = database_of(engine)
    yield OwnedDatabase(
        begin=owned._begin,  # noqa: SLF001 - the same, with more beside it
        read=owned._read,  # noqa: SLF001
        connect=owned._connect,  # noqa: SLF001
        acting=database_of(acting_engine),
    )
    async with engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            await connection.execute(text(f'DELETE FROM "{table.name}"'))
