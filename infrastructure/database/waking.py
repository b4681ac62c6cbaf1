"""Tells other processes that there is something to do. Sends no data, and may be lost."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from infrastructure.database.transaction import Database, Transaction

_NOTIFY = text("SELECT pg_notify(:channel, '')")
_RECONNECT_SECONDS = 1.0


async def notify(tx: Transaction, channel: str) -> None:
    """Wakes whoever listens. Never inside of a transaction of a hot path: it would queue them."""
    await tx.execute(_NOTIFY, {"channel": channel})


async def listen(
    database: Database, channel: str, woken: asyncio.Event, stopping: asyncio.Event
) -> None:
    """Sets `woken` at each notification until `stopping` is set. Holds one connection.

    A lost connection is opened again; what was sent meanwhile is missed, so listeners look
    for themselves from time to time.
    """
    while not stopping.is_set():
        lost = asyncio.Event()
        try:
            async with database.single() as tx:
                raw = await tx.connection.get_raw_connection()
                driver: Any = raw.driver_connection
                driver.add_termination_listener(lambda _, lost=lost: lost.set())
                await driver.add_listener(channel, lambda *_: woken.set())
                woken.set()
                await _either(lost, stopping)
                await tx.connection.invalidate()
        except (OSError, DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await _within(stopping, _RECONNECT_SECONDS)


async def _either(*events: asyncio.Event) -> None:
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()


async def _within(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
