"""A database of an older version, brought up to date when a test has written into it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from infrastructure.database.engine import create_engine, database_of
from infrastructure.database.schema import MIGRATIONS, migrate
from localmesh.postgres import Postgres
from tests.support.books import read
from tests.support.flows import NOON
from tests.support.mesh import create_database

_MERCHANT = """
    INSERT INTO merchant (merchant_id, product_id, name, domain, token_chain_id, token_address,
                          token_decimals, peg_currency, look_back, reward_delay,
                          attribution_model, create_time)
    VALUES (:merchant_id, sha256('p'), 'Old', 'old.example', 1, '0x', 6, 'EUR', interval '30 days',
            interval '0', 'last_touch', :now)
"""


class Old:
    """A database of 0.1.0, and what it holds."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.merchant_id = uuid4()
        self.known = {"merchant_id": self.merchant_id, "now": NOON}

    async def write(self, statement: str, **parameters: Any) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(text(statement), {**self.known, **parameters})

    async def upgrade(self, revision: str) -> None:
        """Brings it up to an older version than this one."""

        def upgrade(connection: Connection) -> None:
            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS))
            config.attributes["connection"] = connection
            command.upgrade(config, revision)

        async with self.engine.begin() as connection:
            await connection.run_sync(upgrade)

    async def bring_up_to_date(self, revision: str = "head") -> None:
        """As an operator does it; to an older version than this one if it is named."""
        await migrate(self.engine, revision=revision)

    async def read(self, statement: str) -> list[Any]:
        return [tuple(row) for row in await read(database_of(self.engine), statement)]


@asynccontextmanager
async def an_old_database(postgres: Postgres) -> AsyncIterator[Old]:
    """A database of 0.1.0 with one merchant."""
    url = await create_database(postgres, f"old_{uuid4().hex}")
    engine = create_engine(url, pool_size=4, application_name="tests")
    found = Old(engine)
    await found.upgrade("0001")
    await found.write(_MERCHANT)
    yield found
    await engine.dispose()
