"""Jobs that run again and again, and leave time for what they begin."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from server.repeating import REST_MAX, RESTS_FOR, Paced, Scheduled, repeatedly
from tests.support.jobs import Doing

TOOK = 0.02


async def test_a_paced_job_takes_a_fifth_of_the_time_however_often_it_is_woken() -> None:
    """With many merchants a worker would do nothing else than look for work."""
    stopping, alarm = asyncio.Event(), asyncio.Event()
    times: list[tuple[float, float]] = []
    loop_time = asyncio.get_running_loop().time

    async def do() -> None:
        begin = loop_time()
        await asyncio.sleep(TOOK)
        times.append((begin, loop_time()))
        # As if a lane ended at once.
        alarm.set()
        if len(times) == 4:
            stopping.set()

    looks = Scheduled(name="looks", job=Paced(Doing(do), stopping), alarm=alarm)
    await repeatedly(looks, stopping)

    for (begin, end), (next_begin, _) in pairwise(times):
        assert next_begin - end >= 0.95 * RESTS_FOR * (end - begin)


async def test_a_paced_job_that_fails_rests_as_well() -> None:
    """A database that answers late with a failure would be asked without a pause."""
    stopping = asyncio.Event()
    loop_time = asyncio.get_running_loop().time

    async def do() -> None:
        await asyncio.sleep(TOOK)
        raise RuntimeError

    job = Paced(Doing(do), stopping)
    begin = loop_time()
    for _ in range(2):
        await asyncio.gather(job.run(), return_exceptions=True)

    assert loop_time() - begin >= 0.95 * (2 + RESTS_FOR) * TOOK


async def test_a_job_that_rests_ends_at_once_when_it_is_told_to_stop() -> None:
    """A worker would be killed in the middle of something, because it did not end in time."""
    stopping = asyncio.Event()
    loop_time = asyncio.get_running_loop().time

    async def do() -> None:
        await asyncio.sleep(10 * TOOK)

    job = Paced(Doing(do), stopping)
    await job.run()
    stopping.set()
    begin = loop_time()
    await job.run()

    assert loop_time() - begin < 10 * TOOK * (1 + RESTS_FOR) / 2 < REST_MAX.total_seconds()
