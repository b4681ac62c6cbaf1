"""Does something again and again until the process is told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from infrastructure.database.clock import SYNCHRONISED_EVERY, DatabaseClock
from infrastructure.database.failures import is_away
from infrastructure.database.transaction import Database
from server.causes import cause_of, fault_of

RETRY_SECONDS = 1.0

RESTS_FOR = 4
"""How many times as long as a run took a paced job rests after it."""

REST_SECONDS_MAX = 5.0

Job = Callable[[], Awaitable[float]]
"""Does something once, and returns for how many seconds to sleep."""

_log = structlog.get_logger()


async def repeatedly(
    name: str,
    run: Job,
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


async def once(name: str, run: Job) -> float:
    """Runs a job and returns how long to sleep. A failed run is tried again soon."""
    try:
        return await run()
    except Exception as raised:  # noqa: BLE001 - the job loop: a failed run ends no process
        if is_away(raised):
            _log.warning("dependency away", job=name, **cause_of(raised))
        else:
            _log.error("job failed", job=name, **fault_of(raised))
        return RETRY_SECONDS


def paced(run: Job, stopping: asyncio.Event) -> Job:
    """The same job, which takes a fifth of the time at most, however often it is woken.

    After a run it rests for four times as long as that took, but not longer than five seconds, or
    until the process is told to stop.
    """
    loop_time = asyncio.get_running_loop().time
    next_time = loop_time()

    async def run_paced() -> float:
        nonlocal next_time
        if (pause := next_time - loop_time()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), pause)
        begin = loop_time()
        try:
            return await run()
        finally:
            end = loop_time()
            next_time = end + min(RESTS_FOR * (end - begin), REST_SECONDS_MAX)

    return run_paced


def timekeeping(clock: DatabaseClock, database: Database) -> Job:
    """The job that puts a process's clock right."""

    async def run() -> float:
        is_right = await clock.synchronise(database)
        return SYNCHRONISED_EVERY.total_seconds() if is_right else RETRY_SECONDS

    return run
