"""The pool of connections."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
from sqlalchemy import event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from infrastructure.database.transaction import Database

CONNECT_TIMEOUT_SECONDS = 5
POOL_TIMEOUT_SECONDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a connection may do what, so that nobody waits for one that hangs.

    Each is kept by PostgreSQL, which goes on when the process that asked does not.
    """

    # A statement that takes longer has met a lock or a bad plan.
    statement: timedelta = timedelta(seconds=20)
    # A process that stopped in the middle of a transaction holds what others wait for: a lane, a
    # merchant's referrals, an order.
    idle_in_transaction: timedelta = timedelta(seconds=5)
    # A transaction that copies rows is never idle; None: as long as its statements take.
    transaction: timedelta | None = None
    # A call that waits longer for a row is better told so than kept; None: as long as it takes.
    lock: timedelta | None = None
    # How many connections the pool holds; None: what the settings say.
    connections: int | None = None


def create_engine(
    url: str, *, pool_size: int, application_name: str, limits: Limits | None = None
) -> AsyncEngine:
    """A pool that opens connections when they are first needed, and hands out none that died."""
    limits = limits or Limits()
    engine = create_async_engine(
        url,
        pool_size=limits.connections or pool_size,
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
                **_timeouts(limits),
                # Finds within a minute that the other host is gone, on either side.
                "tcp_keepalives_idle": "30",
                "tcp_keepalives_interval": "10",
                "tcp_keepalives_count": "3",
            },
        },
    )
    event.listen(engine.sync_engine, "checkout", _refuse_the_dead)
    return engine


def _timeouts(limits: Limits) -> dict[str, str]:
    """PostgreSQL's settings, in milliseconds; 0 is no limit."""
    # An older PostgreSQL refuses whoever sends a setting that it does not know. So whoever asks for
    # its version, and has no such limit, does not send it.
    newer = {} if limits.transaction is None else {"transaction_timeout": limits.transaction}
    return {
        name: str(int(limit.total_seconds() * 1000)) if limit is not None else "0"
        for name, limit in {
            "statement_timeout": limits.statement,
            "idle_in_transaction_session_timeout": limits.idle_in_transaction,
            "lock_timeout": limits.lock,
            **newer,
        }.items()
    }


def database_of(engine: AsyncEngine) -> Database:
    """The engine's transactions."""
    single = engine.execution_options(isolation_level="AUTOCOMMIT")
    snapshot = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    @asynccontextmanager
    async def connect() -> AsyncIterator[AsyncConnection]:
        async with single.connect() as connection:
            yield connection

    return Database(begin=engine.begin, read=snapshot.begin, connect=connect)


def _refuse_the_dead(connection: Any, *_: object) -> None:
    """Has the pool open another connection instead of handing out one whose server has gone.

    The driver hears of it by itself, so this costs no round trip. Without it, the first call of
    each process after a restart of the database would fail.
    """
    if connection.driver_connection.is_closed():
        raise InvalidatePoolError
