"""The worker of a simulation: reward work, announcements of rates and retries, without end."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import structlog

from infrastructure.database.engine import Limits, create_engine, database_of
from infrastructure.database.failures import is_away, is_timeout
from server.causes import fault_of
from server.jobs.rate_announcements import RateAnnouncements
from tests.simulation.clock import SharedClock
from tests.support.flows import flows_on

LANES_MAX = 4
PAUSE_SECONDS = 0.03
RARE_PAUSE_SECONDS = 0.1
HASTY = Limits(
    statement=timedelta(milliseconds=350),
    idle_in_transaction=timedelta(milliseconds=350),
    transaction=timedelta(seconds=1.5),
)
"""While things break. Nobody waits for long for a worker that was stopped."""

THOROUGH_EVERY = timedelta(minutes=1)

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOrder:
    """What a worker is told: where everything is, and how much it decides at once.

    One that `is_hasty` gives up soon on what takes long. `starter` is the process that wants it.
    """

    name: str
    url: str
    clock: Path
    log: Path
    batch_size: int
    is_hasty: bool
    starter: int


def run(order: WorkerOrder) -> None:
    """Works until it is killed, or until whoever started it is gone."""
    with order.log.open("a", buffering=1, encoding="utf-8") as log:
        structlog.configure(
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.JSONRenderer(default=str),
            ],
            logger_factory=structlog.PrintLoggerFactory(log),
        )
        asyncio.run(_work(order))


async def _work(order: WorkerOrder) -> None:
    engine = create_engine(
        order.url,
        pool_size=LANES_MAX + 2,
        application_name=order.name,
        limits=HASTY if order.is_hasty else Limits(),
    )
    flows = flows_on(
        database_of(engine),
        clock=SharedClock(order.clock),
        batch_size=order.batch_size,
        lanes_max=LANES_MAX,
        thorough_every=THOROUGH_EVERY,
    )
    starter = order.starter
    async with asyncio.TaskGroup() as group:
        group.create_task(_again(flows.reward_work.run, PAUSE_SECONDS, starter))
        group.create_task(
            _again(RateAnnouncements(flow=flows.rate_announcement).run, RARE_PAUSE_SECONDS, starter)
        )
        group.create_task(_again(flows.delivery_retries.run, RARE_PAUSE_SECONDS, starter))


async def _again(job: Callable[[], Awaitable[object]], pause: float, starter: int) -> None:
    while _is_there(starter):
        try:
            await job()
        except Exception as raised:  # noqa: BLE001 - the job loop: a failed run ends no process
            if not is_away(raised) and not is_timeout(raised):
                _log.error("job failed", said=str(raised), **fault_of(raised))
        await asyncio.sleep(pause)


def _is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
