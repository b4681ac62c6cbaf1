"""Does something again and again until the process is told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from infrastructure.database.clock import SYNCHRONISED_EVERY, DatabaseClock
from infrastructure.database.failures import is_away
from infrastructure.database.transaction import Database
from server.logs import fault_of

RETRY_SECONDS = 1.0

_log = structlog.get_logger()


async def repeatedly(
    name: str,
    run: Callable[[], Awaitable[float]],
    stopping: asyncio.Event,
    alarm: asyncio.Event,
) -> None:
    """Runs a job, sleeps as long as it says or until the alarm, and again."""
    while not stopping.is_set():
        alarm.clear()
        pause = await once(name, run)
        try:
            await asyncio.wait_for(alarm.wait(), pause)
        except TimeoutError:
            continue


async def once(name: str, run: Callable[[], Awaitable[float]]) -> float:
    """Runs a job and returns how long to sleep. A failed run is tried again soon."""
    try:
        return await run()
    except Exception as raised:  # noqa: BLE001 - the job loop: a failed run ends no process
        if is_away(raised):
            _log.warning("dependency away", job=name, fault=type(raised).__name__)
        else:
            _log.error("job failed", job=name, **fault_of(raised))
        return RETRY_SECONDS


def timekeeping(clock: DatabaseClock, database: Database) -> Callable[[], Awaitable[float]]:
    """The job that puts a process's clock right."""

    async def run() -> float:
        is_right = await clock.synchronise(database)
        return SYNCHRONISED_EVERY.total_seconds() if is_right else RETRY_SECONDS

    return run
