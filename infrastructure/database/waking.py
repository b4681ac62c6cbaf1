"""Tells other processes that there is something to do. Sends no data, and may be lost."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy import text

from infrastructure.database.transaction import Database, Transaction

_NOTIFY = text("SELECT pg_notify(:channel, '')")


async def notify(tx: Transaction, channel: str) -> None:
    """Wakes whoever listens. Never inside of a transaction of a hot path: it would queue them."""
    await tx.execute(_NOTIFY, {"channel": channel})


async def listen(
    database: Database, channel: str, woken: asyncio.Event, stopping: asyncio.Event
) -> None:
    """Sets `woken` at each notification, until `stopping` is set or the connection is lost.

    Holds one connection. Whoever listens again misses what was sent meanwhile, so listeners
    look for themselves from time to time.

    Raises:
        Exception: the connection cannot be had, whatever the driver makes of that.
    """
    lost = asyncio.Event()
    async with database.single() as tx:
        raw = await tx.connection.get_raw_connection()
        driver: Any = raw.driver_connection
        driver.add_termination_listener(lambda _: lost.set())
        await driver.add_listener(channel, lambda *_: woken.set())
        woken.set()
        await _either(lost, stopping)
        await tx.connection.invalidate()


async def _either(*events: asyncio.Event) -> None:
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
