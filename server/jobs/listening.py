"""Hears from other processes that there is something to do."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from infrastructure.database.transaction import Database
from infrastructure.database.waking import listen
from server.repeating import RETRY_AFTER


class Listening:
    """Sets an alarm at each notification of a channel. A lost connection is made again."""

    def __init__(
        self, *, database: Database, channel: str, alarm: asyncio.Event, stopping: asyncio.Event
    ) -> None:
        self._database = database
        self._channel = channel
        self._alarm = alarm
        self._stopping = stopping

    async def run(self) -> timedelta:
        await listen(self._database, self._channel, self._alarm, self._stopping)
        return RETRY_AFTER
