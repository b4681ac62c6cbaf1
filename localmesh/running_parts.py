"""Starts the parts of a stack step by step, and waits until each is ready."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from localmesh.errors import StackError
from localmesh.parts.part import Part, PartContext
from localmesh.processes import Supervisor
from localmesh.progress import PartState, Reporter

_POLL_SECONDS = 0.03

# Parts of one step start side by side; a step begins when the one before it is ready.
Steps = Sequence[Sequence[Part]]


class RunningParts:
    """Parts that a supervisor runs. `context` is what they know of the stack, as it is now."""

    def __init__(
        self, steps: Steps, *, context: PartContext, supervisor: Supervisor, reporter: Reporter
    ) -> None:
        self.context = context
        self._steps = steps
        self._supervisor = supervisor
        self._reporter = reporter
        self._parts = {part.name: part for step in steps for part in step}
        # In the order in which they were ready first.
        self._ready: list[Part] = []

    async def start(self) -> None:
        """Starts all parts. They are the supervisor's to stop.

        Raises:
            StackError: one of them cannot run.
        """
        preparing = {
            name: asyncio.create_task(part.prepare(self.context))
            for name, part in self._parts.items()
        }
        for task in preparing.values():
            # If another part fails first, nobody awaits it; its own failure is looked at all the
            # same.
            task.add_done_callback(lambda task: task.cancelled() or task.exception())
        for step in self._steps:
            await self._start_step(step, preparing)

    async def until_ready(self, name: str, *, other_than: int | None = None) -> None:
        """Returns once a part is ready, under another pid than `other_than`.

        Raises:
            StackError: it is not ready within its time limit.
        """
        await self._until_ready(self._parts[name], other_than=other_than)

    async def _start_step(
        self, step: Sequence[Part], preparing: Mapping[str, asyncio.Task[None]]
    ) -> None:
        for part in step:
            self._report(part, PartState.STARTING)
        for part in step:
            await preparing[part.name]
        for part in step:
            if part.runs_to_its_end:
                await self._run(part)
        lasting = [part for part in step if not part.runs_to_its_end]
        await self._supervisor.start(*(part.child(self.context) for part in lasting))
        for part in lasting:
            await self._until_ready(part, is_starting=True)
            await part.complete(self.context)
            self._report(part, PartState.READY)
        self._ready += lasting
        for part in step:
            environment = {**self.context.environment, **part.additions(self.context)}
            self.context = replace(self.context, environment=environment)

    async def _run(self, part: Part) -> None:
        code = await self._supervisor.run(part.child(self.context))
        if code != 0:
            raise self._failure(part.name, f"ended with exit code {code}")
        self._report(part, PartState.READY)

    async def _until_ready(
        self, part: Part, *, other_than: int | None = None, is_starting: bool = False
    ) -> None:
        """While the stack is starting, no part may end; later it is just started again."""
        deadline = time.monotonic() + part.ready_seconds_max
        while reason := await self._why_not_ready(part, other_than):
            processes = self._supervisor.processes
            ended = [each for each, process in processes.items() if process.failure_count]
            if is_starting and ended:
                # Whichever part died, it is the one to name.
                raise self._failure(ended[0], "ended while the stack was starting")
            if time.monotonic() > deadline:
                within = f"was not ready within {part.ready_seconds_max:g} s"
                raise self._failure(part.name, f"{within}: {reason}")
            await asyncio.sleep(_POLL_SECONDS)

    async def _why_not_ready(self, part: Part, other_than: int | None) -> str:
        process = self._supervisor.processes[part.name]
        if process.has_ended or process.pid == other_than:
            return "it is not running"
        reason = await part.why_not_ready(self.context)
        for each in self._ready:
            # Once there is something in front of it, a part is ready when calls reach it.
            reason = reason or await each.why_not_passed_on(part.name, self.context)
        return reason

    def _report(self, part: Part, state: PartState) -> None:
        self._reporter.part(part.name, state, part.note(self.context, state))

    def _failure(self, name: str, what: str) -> StackError:
        """Reports a part as failed. To be raised; it holds the end of the part's log."""
        self._reporter.part(name, PartState.FAILED, what)
        return StackError(f"{name} {what}\n{self._supervisor.tail(name)}")
