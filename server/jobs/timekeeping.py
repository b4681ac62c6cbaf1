"""Keeps a process's clock right."""

from __future__ import annotations

from datetime import timedelta

from infrastructure.database.clock import SYNCHRONISED_EVERY, DatabaseClock
from infrastructure.database.transaction import Database
from server.repeating import RETRY_AFTER, Job


class Timekeeping:
    """Asks the database for the time that all processes agree on."""

    def __init__(self, *, clock: DatabaseClock, database: Database) -> None:
        self._clock = clock
        self._database = database

    async def run(self) -> timedelta:
        is_right = await self._clock.synchronise(self._database)
        return SYNCHRONISED_EVERY if is_right else RETRY_AFTER


class Synchronised:
    """The same job; each of its runs begins by putting the clock right."""

    def __init__(self, job: Job, *, clock: DatabaseClock, database: Database) -> None:
        self._job = job
        self._clock = clock
        self._database = database

    async def run(self) -> timedelta:
        await self._clock.synchronise(self._database)
        return await self._job.run()
