"""Two transactions at once, in an order that a test decides."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from typing import Any, TypeVar

from sqlalchemy import text

from infrastructure.database.transaction import Transaction

Result = TypeVar("Result")

WAIT_SECONDS_MAX = 10

_SOMEBODY_WAITS_FOR_US = text(
    """
    SELECT EXISTS (
        SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid)))
    """
)


def beside(call: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
    """Begins a call that is not inside of the transaction that this task may hold."""
    return asyncio.get_running_loop().create_task(call, context=Context())


async def until_awaited(tx: Transaction) -> None:
    """Returns once another transaction waits for this one."""
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while not (await tx.execute(_SOMEBODY_WAITS_FOR_US)).scalar_one():
            pass


async def at_once(*calls: Coroutine[Any, Any, Result]) -> list[Result | BaseException]:
    """What calls come to that begin together: results, and what was raised."""
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        return await asyncio.gather(*(beside(call) for call in calls), return_exceptions=True)
