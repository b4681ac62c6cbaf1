"""Runs a process of a deployment by the settings of its environment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import uvloop

from server.commands.database import explained_database_faults
from server.commands.settings import WrongConfigurationError, read_or_end
from server.logs import configure_logs
from server.preflight import UnusableDatabaseError
from server.settings.process import Settings


def run_process(run: Callable[[Settings], Awaitable[None]]) -> None:
    """Runs it to its end. Says what is wrong with the settings instead, if anything is."""
    settings = read_or_end(Settings)
    configure_logs(level=settings.log_level, form=settings.log_format)

    async def main() -> None:
        await run(settings)

    factory = uvloop.new_event_loop if settings.event_loop == "uvloop" else None
    try:
        with explained_database_faults(), asyncio.Runner(loop_factory=factory) as runner:
            runner.run(main())
    except UnusableDatabaseError as problem:
        raise WrongConfigurationError(str(problem)) from problem
