"""Jobs of tests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta


class Doing:
    """A job that does what a test has it do, and may be run again at once."""

    def __init__(self, do: Callable[[], Awaitable[object]]) -> None:
        self._do = do

    async def run(self) -> timedelta:
        await self._do()
        return timedelta()
