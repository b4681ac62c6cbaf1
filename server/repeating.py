"""Does something again and again until the process is told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

import structlog

from infrastructure.database.failures import is_away
from server.causes import cause_of, fault_of

RETRY_AFTER = timedelta(seconds=1)
"""How soon a run that failed is tried again."""

RESTS_FOR = 4
"""How many times as long as a run took a paced job rests after it."""

REST_MAX = timedelta(seconds=5)

_log = structlog.get_logger()


class Job(Protocol):
    """Something that a process does again and again."""

    async def run(self) -> timedelta:
        """Does it once; returns how long until the next time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """A job of a process, under the name that logs have for it.

    It sleeps as long as it says or until its alarm. What `comes_first` has run once before any
    other job begins.
    """

    name: str
    job: Job
    alarm: asyncio.Event = field(default_factory=asyncio.Event)
    comes_first: bool = False


async def run_first(jobs: Sequence[Scheduled]) -> None:
    """Runs once, in their order, those that come first."""
    for each in jobs:
        if each.comes_first:
            await once(each)


async def run_all(jobs: Sequence[Scheduled], stopping: asyncio.Event) -> None:
    """Runs all jobs side by side until the process is told to stop, which wakes every one."""

    async def wake_all() -> None:
        await stopping.wait()
        for each in jobs:
            each.alarm.set()

    await asyncio.gather(wake_all(), *(repeatedly(each, stopping) for each in jobs))


async def repeatedly(scheduled: Scheduled, stopping: asyncio.Event) -> None:
    """Runs a job, sleeps as long as it says or until the alarm, and again."""
    while not stopping.is_set():
        scheduled.alarm.clear()
        pause = await once(scheduled)
        with suppress(TimeoutError):
            await asyncio.wait_for(scheduled.alarm.wait(), pause.total_seconds())


async def once(scheduled: Scheduled) -> timedelta:
    """Runs a job and returns how long to sleep. A failed run is tried again soon."""
    try:
        return await scheduled.job.run()
    except Exception as raised:  # noqa: BLE001 - the job loop: a failed run ends no process
        if is_away(raised):
            _log.warning("dependency away", job=scheduled.name, **cause_of(raised))
        else:
            _log.error("job failed", job=scheduled.name, **fault_of(raised))
        return RETRY_AFTER


class Paced:
    """The same job, which takes a fifth of the time at most, however often it is woken.

    After a run it rests for four times as long as that took, but not longer than five seconds, or
    until the process is told to stop.
    """

    def __init__(self, job: Job, stopping: asyncio.Event) -> None:
        self._job = job
        self._stopping = stopping
        self._loop_time = asyncio.get_running_loop().time
        self._next_time = self._loop_time()

    async def run(self) -> timedelta:
        if (pause := self._next_time - self._loop_time()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
        begin = self._loop_time()
        try:
            return await self._job.run()
        finally:
            end = self._loop_time()
            self._next_time = end + min(RESTS_FOR * (end - begin), REST_MAX.total_seconds())
