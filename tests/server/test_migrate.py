"""`guerdon migrate` as an operator runs it, for a role that processes work as."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from itertools import count

import pytest
from sqlalchemy import text

from infrastructure.database.engine import create_engine
from localmesh.postgres import ROLE, Postgres
from tests.support import typed
from tests.support.mesh import create_database, process_environment
from tests.support.typed import Ended

_numbers = count()


@pytest.fixture
async def database_name(postgres: Postgres) -> AsyncIterator[str]:
    """An empty database, owned by somebody who is no superuser."""
    name, owner = f"migrated_{next(_numbers)}", "guerdon_owner"
    url = await create_database(postgres, name)
    engine = create_engine(url, pool_size=1, application_name="tests")
    async with engine.begin() as connection:
        await connection.execute(text(f"CREATE ROLE {owner} LOGIN PASSWORD 'owns'"))
        await connection.execute(text(f"ALTER DATABASE {name} OWNER TO {owner}"))
    yield name
    async with engine.begin() as connection:
        for each in (owner, ROLE):
            await connection.execute(text(f"DROP OWNED BY {each} CASCADE"))
        await connection.execute(text(f"ALTER DATABASE {name} OWNER TO guerdon"))
        await connection.execute(text(f"DROP ROLE {owner}"))
    await engine.dispose()


async def run(url: str, *command: str, **settings: str) -> Ended:
    return await typed.ended(*command, environment=process_environment(url, **settings))


async def test_an_owner_migrates_and_the_role_works(postgres: Postgres, database_name: str) -> None:
    """A deployment with the roles that we document would not start."""
    place = postgres.url_of(database_name).rpartition("@")[2]
    owner_url = f"postgresql+asyncpg://guerdon_owner:owns@{place}"
    for role, says in (
        ("nobody_knows", "There is no role nobody_knows"),
        ("guerdon_owner", "is the one that this command connects as"),
        ("guerdon", "is a superuser"),
    ):
        refused = await run(owner_url, "migrate", DATABASE_ROLE=role)
        assert refused.code == os.EX_CONFIG, refused
        assert says in refused.problems
        assert len(refused.problems.strip().splitlines()) == 1, refused.problems

    for _ in range(2):
        done = await run(owner_url, "migrate", DATABASE_ROLE=ROLE)
        assert done.code == 0, done
        assert f"The role {ROLE} has what serve and work need." in done.output
    role_url = postgres.role_url_of(database_name)
    owner = await run(owner_url, "migrate", DATABASE_ROLE="guerdon_owner")
    assert owner.code == os.EX_CONFIG, owner
    assert "owns the tables" in owner.problems
    itself = await run(role_url, "migrate", DATABASE_ROLE=ROLE)
    assert itself.code == os.EX_CONFIG, itself
    assert "is the one that this command connects as" in itself.problems
    assert "owns" not in itself.problems
    for command in (("ledger", "check"), ("secrets", "rotate")):
        done = await run(role_url, *command)
        assert done.code == 0, done
