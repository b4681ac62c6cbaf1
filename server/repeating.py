"""Does something again and again until the process is told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from server.interception.refusals import is_dependency_away
from server.logs import fault_of

RETRY_SECONDS = 1.0

_log = structlog.get_logger()


async def repeatedly(
    name: str,
    run: Callable[[], Awaitable[float]],
    stopping: asyncio.Event,
    alarm: asyncio.Event,
) -> None:
    """Runs a job, sleeps as long as it says or until the alarm, and again.

    A failed run is tried again soon.
    """
    while not stopping.is_set():
        alarm.clear()
        try:
            pause = await run()
        except Exception as raised:  # noqa: BLE001 - the job loop: a failed run ends no worker
            pause = RETRY_SECONDS
            if is_dependency_away(raised):
                _log.warning("dependency away", job=name, fault=type(raised).__name__)
            else:
                _log.error("job failed", job=name, **fault_of(raised))
        try:
            await asyncio.wait_for(alarm.wait(), pause)
        except TimeoutError:
            continue
