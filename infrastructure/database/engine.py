"""The pool of connections."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import orjson
from sqlalchemy import event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from infrastructure.database.transaction import Database

CONNECT_TIMEOUT_SECONDS = 5
STATEMENT_TIMEOUT = timedelta(seconds=20)
POOL_TIMEOUT_SECONDS = 10


def create_engine(
    url: str,
    *,
    pool_size: int,
    application_name: str,
    statement_timeout: timedelta = STATEMENT_TIMEOUT,
) -> AsyncEngine:
    """A pool that opens connections when they are first needed, and hands out none that died."""
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        # An error's text would hold them, and errors are logged by whoever meets them.
        hide_parameters=True,
        pool_timeout=POOL_TIMEOUT_SECONDS,
        # Rolling back on return costs a round trip and is needed only after BEGIN, where the
        # transaction's own block has done it already.
        pool_reset_on_return=None,
        json_serializer=lambda value: orjson.dumps(value).decode(),
        json_deserializer=orjson.loads,
        connect_args={
            "timeout": CONNECT_TIMEOUT_SECONDS,
            "server_settings": {
                "application_name": application_name,
                "timezone": "UTC",
                "jit": "off",
                "statement_timeout": str(int(statement_timeout.total_seconds() * 1000)),
            },
        },
    )
    event.listen(engine.sync_engine, "checkout", _refuse_the_dead)
    return engine


def database_of(engine: AsyncEngine) -> Database:
    """The engine's transactions."""
    single = engine.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def connect() -> AsyncIterator[AsyncConnection]:
        async with single.connect() as connection:
            yield connection

    return Database(begin=engine.begin, connect=connect)


def _refuse_the_dead(connection: Any, *_: object) -> None:
    """Has the pool open another connection instead of handing out one whose server has gone.

    The driver hears of it by itself, so this costs no round trip. Without it, the first call of
    each process after a restart of the database would fail.
    """
    if connection.driver_connection.is_closed():
        raise InvalidatePoolError
