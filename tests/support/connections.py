"""Several connections at once: beginning together, waiting for each other, ending in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

Result = TypeVar("Result")

WAIT_SECONDS_MAX = 10

# Not pg_stat_activity: a transaction sees that as it was at the first look.
_WAITING = text("SELECT DISTINCT pid FROM pg_locks WHERE NOT granted")
# Whoever holds locks is as patient as the test, whose length depends on the machine.
_UNHURRIED = text("SET LOCAL idle_in_transaction_session_timeout = 0")
_TERMINATE = text("SELECT pg_terminate_backend(:pid, 5000)")

MAKE_BROWSER = """
    WITH made AS (
        INSERT INTO identity_group (identity_group_id, create_time)
        VALUES (gen_random_uuid(), now()) RETURNING identity_group_id
    )
    INSERT INTO identity_node
        (identity_node_id, identity_group_id, kind, value, merchant_id, create_time)
    SELECT gen_random_uuid(), identity_group_id, 'client', :client, :merchant_id, now() FROM made
"""
"""What is held makes everybody wait who sees this browser for the first time."""


async def at_once(*deeds: Callable[[], Awaitable[Result]]) -> list[Result]:
    """Does everything, beginning at the same moment."""
    begin = asyncio.Barrier(len(deeds))

    async def do(deed: Callable[[], Awaitable[Result]]) -> Result:
        await begin.wait()
        return await deed()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(do(deed)) for deed in deeds]
    return [task.result() for task in tasks]


class Holder:
    """An open transaction that holds locks until the block ends."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection

    async def until_awaited(self, *, by: int = 1) -> Sequence[int]:
        """Returns once so many connections wait for a lock: which ones they are."""
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            while True:
                waiting = (await self.connection.execute(_WAITING)).scalars().all()
                if len(waiting) >= by:
                    return waiting

    async def terminate(self, pids: Sequence[int]) -> None:
        """Ends connections the way a crashed server or a cut cable does."""
        for pid in pids:
            await self.connection.execute(_TERMINATE, {"pid": pid})


@asynccontextmanager
async def holding(
    engine: AsyncEngine, statement: str, **parameters: object
) -> AsyncIterator[Holder]:
    """Runs a statement and keeps its locks until the block ends; then undoes it."""
    async with engine.connect() as connection:
        await connection.execute(_UNHURRIED)
        await connection.execute(text(statement), parameters)
        try:
            yield Holder(connection)
        finally:
            await connection.rollback()


async def give_way_never(holder: Holder) -> None:
    """In a deadlock, the other one ends."""
    await holder.connection.execute(text("SET LOCAL deadlock_timeout = '1min'"))


def give_way_late(pool: AsyncEngine) -> None:
    """In a deadlock, connections of the pool end, after so long that the other one waits as well.

    PostgreSQL looks once for a deadlock, some time after a connection began to wait.
    """

    def opened(connection: Any, _: object) -> None:
        cursor = connection.cursor()
        cursor.execute("SET deadlock_timeout = '3s'")
        cursor.close()
        connection.commit()

    event.listen(pool.sync_engine, "connect", opened)


def losses_of(pool: AsyncEngine) -> asyncio.Queue[None]:
    """Holds an entry for each connection of the pool, opened from now on, that went away."""
    losses: asyncio.Queue[None] = asyncio.Queue()

    def opened(connection: Any, _: object) -> None:
        connection.driver_connection.add_termination_listener(lambda _: losses.put_nowait(None))

    event.listen(pool.sync_engine, "connect", opened)
    return losses
