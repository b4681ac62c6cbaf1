"""Waiting for the parts of a stack, and saying what is wrong with them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from localmesh.errors import StackError
from localmesh.processes import Supervisor
from localmesh.progress import PartState, Reporter

_TIMEOUT_SECONDS = 30
_POLL_SECONDS = 0.03

# What a part still lacks; empty when it is ready.
Check = Callable[[], Awaitable[str]]


class Readiness:
    """Knows how to ask each part whether it is ready."""

    def __init__(self, *, supervisor: Supervisor, reporter: Reporter) -> None:
        self._supervisor = supervisor
        self._reporter = reporter
        self._checks: dict[str, Check] = {}

    def ask(self, name: str, check: Check) -> None:
        """Says how a part is asked from now on."""
        self._checks[name] = check

    async def wait(
        self, name: str, *, other_than: int | None = None, is_starting: bool = False
    ) -> None:
        """Returns once a part is ready, under another pid than `other_than`.

        While the stack is starting, no part may end; later it is just started again.

        Raises:
            StackError: it is not ready within the time limit, or some part ended.
        """
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        while complaint := await self._complaint(name, other_than):
            processes = self._supervisor.processes
            ended = [each for each, process in processes.items() if process.failure_count]
            if is_starting and ended:
                # Whichever part died, it is the one to tell about.
                raise self.failure(ended[0], "ended while the stack was starting")
            if time.monotonic() > deadline:
                within = f"was not ready within {_TIMEOUT_SECONDS} s"
                raise self.failure(name, f"{within}: {complaint}")
            await asyncio.sleep(_POLL_SECONDS)

    def failure(self, name: str, what: str) -> StackError:
        """Reports a part as failed. To be raised; it holds the end of the part's log."""
        self._reporter.part(name, PartState.FAILED, what)
        return StackError(f"{name} {what}\n{self._supervisor.tail(name)}")

    async def _complaint(self, name: str, other_than: int | None) -> str:
        process = self._supervisor.processes[name]
        if process.has_ended or process.pid == other_than:
            return "it is not running"
        return await self._checks[name]()
