"""Databases that are asked as the role that processes work as."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from infrastructure.database.engine import create_engine
from infrastructure.database.transaction import Begin, Database
from localmesh.postgres import ROLE

_TAKE, _GIVE_BACK = f"SET ROLE {ROLE}", "RESET ROLE"


class OwnedDatabase(Database):
    """What a test does as the owner; `acting` is the same database, as processes see it."""

    def __init__(self, *, begin: Begin, read: Begin, connect: Begin, acting: Database) -> None:
        super().__init__(begin=begin, read=read, connect=connect)
        self.acting = acting


def acting_on(database: Database) -> Database:
    """The database as processes see it, where the test has one of the two kinds."""
    return database.acting if isinstance(database, OwnedDatabase) else database


def role_engine(engine: AsyncEngine, *, pool_size: int) -> AsyncEngine:
    """A pool on the same database whose every connection has the role's rights alone."""
    url = engine.url.render_as_string(hide_password=False)
    pool = create_engine(url, pool_size=pool_size, application_name="tests, role")

    def opened(connection: Any, _: object) -> None:
        cursor = connection.cursor()
        cursor.execute(_TAKE)
        cursor.close()
        connection.commit()

    event.listen(pool.sync_engine, "connect", opened)
    return pool


def acting_inside(savepoint: Begin) -> Database:
    """Takes the role for each savepoint. One that is undone gives it back by itself."""

    @asynccontextmanager
    async def begin() -> AsyncIterator[AsyncConnection]:
        async with savepoint() as connection:
            raw = await connection.get_raw_connection()
            driver: Any = raw.driver_connection
            # Not by SQLAlchemy: tests count what goes that way.
            await driver.execute(_TAKE)
            yield connection
            await driver.execute(_GIVE_BACK)

    return Database(begin=begin, read=begin, connect=begin)
