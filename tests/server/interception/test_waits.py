"""Waits end in time, and nobody else's."""

from __future__ import annotations

import asyncio

import pytest

from server.interception.waits import LateError, Waits

SECONDS_MAX = 0.2


async def waiting(waits: Waits, seconds: float) -> str:
    with waits:
        await asyncio.sleep(seconds)
    return "came"


async def test_each_wait_ends_by_itself() -> None:
    """One late call would end the calls of others, or none would ever end."""
    waits = Waits(SECONDS_MAX)
    loop = asyncio.get_running_loop()
    begin = loop.time()
    answers = await asyncio.gather(
        *(waiting(waits, seconds) for seconds in (0, 60, 0.05, 60, 0.1)), return_exceptions=True
    )
    assert [type(each) for each in answers] == [str, LateError, str, LateError, str]
    assert SECONDS_MAX <= loop.time() - begin < 3 * SECONDS_MAX
    # A later one starts from anew.
    assert await waiting(waits, SECONDS_MAX / 2) == "came"
    with pytest.raises(LateError):
        await waiting(waits, 60)


async def test_who_is_ended_by_somebody_else_is_not_late() -> None:
    """A caller that hangs up would be written down as one that sent nothing."""
    waits = Waits(SECONDS_MAX)
    task = asyncio.create_task(waiting(waits, 60))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_who_is_ended_beside_somebody_late_is_not_late_either() -> None:
    """The same, in the moment in which another wait ends."""
    waits = Waits(60)
    late, ended = (asyncio.create_task(waiting(waits, 60)) for _ in range(2))
    await asyncio.sleep(0.01)
    ended.cancel()
    waits._began[late] -= 61  # noqa: SLF001 - as if it had begun then
    waits._look(asyncio.get_running_loop())  # noqa: SLF001 - in the same moment
    answers = await asyncio.gather(late, ended, return_exceptions=True)
    assert [type(each) for each in answers] == [LateError, asyncio.CancelledError]


async def test_what_is_raised_inside_passes() -> None:
    """A refusal would be lost."""
    with pytest.raises(KeyError), Waits(SECONDS_MAX):
        raise KeyError


async def test_when_nobody_waits_nothing_is_looked_for() -> None:
    """An idle process would wake up for nothing."""
    waits = Waits(0.02)
    assert await waiting(waits, 0.001) == "came"
    await asyncio.sleep(0.05)
    assert not waits._is_looking  # noqa: SLF001 - nothing else shows it
