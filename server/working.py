"""The worker process: reward work, retries, housekeeping, until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta

import structlog

from domains.rewards.model.event import WORKERS
from infrastructure.database.waking import listen
from server.interception.refusals import is_dependency_away
from server.jobs.delivery_retries import DeliveryRetries
from server.jobs.housekeeping import Housekeeping
from server.jobs.reward_work import RewardWork
from server.logs import fault_of
from server.serving import stop_signal
from server.settings import Settings
from server.wiring import application, clock

SLEEP_SECONDS_MAX = 1.0
COLLECTOR_THRESHOLDS = (100_000, 50, 50)
RETRY_SECONDS = 1.0
HOUSEKEEPING_EVERY = timedelta(hours=1)

_log = structlog.get_logger()


async def work(settings: Settings) -> None:
    """Works until SIGTERM or SIGINT. What is being done then is finished first."""
    stopping = stop_signal()
    # A batch makes some hundred thousand objects that live until it is written. The collector's
    # usual threshold would have it walk them again and again, for a sixth of the time.
    gc.freeze()
    gc.set_threshold(*COLLECTOR_THRESHOLDS)
    async with application(settings, name="work") as app:
        rewards = RewardWork(flow=app.flows.reward, clock=clock)
        retries = DeliveryRetries(flow=app.flows.purchase_webhook)
        housekeeping = Housekeeping(
            database=app.database, purchases=app.domains.purchases, clock=clock
        )
        _log.info("working")

        async def run_retries() -> float:
            await retries.run()
            return SLEEP_SECONDS_MAX

        async def run_rewards() -> float:
            return _seconds_until(await rewards.run())

        async def run_housekeeping() -> float:
            await housekeeping.run()
            return HOUSEKEEPING_EVERY.total_seconds()

        async def run_listening() -> float:
            await listen(app.database, WORKERS, alarms["rewards"], stopping)
            return RETRY_SECONDS

        jobs = {
            "rewards": run_rewards,
            "retries": run_retries,
            "housekeeping": run_housekeeping,
            "listening": run_listening,
        }
        alarms = {name: asyncio.Event() for name in jobs}
        await asyncio.gather(
            *(_repeatedly(name, run, stopping, alarms[name]) for name, run in jobs.items()),
            _wake_all(stopping, alarms.values()),
        )
        _log.info("stopped")


def _seconds_until(due_time: datetime | None) -> float:
    if due_time is None:
        return SLEEP_SECONDS_MAX
    return max(0.0, min(SLEEP_SECONDS_MAX, (due_time - clock()).total_seconds()))


async def _wake_all(stopping: asyncio.Event, alarms: Iterable[asyncio.Event]) -> None:
    """Being told to stop wakes every job."""
    await stopping.wait()
    for alarm in alarms:
        alarm.set()


async def _repeatedly(
    name: str,
    run: Callable[[], Awaitable[float]],
    stopping: asyncio.Event,
    alarm: asyncio.Event,
) -> None:
    """Runs a job, sleeps as long as it says or until the alarm, and again.

    A failed run is tried again soon.
    """
    while not stopping.is_set():
        alarm.clear()
        try:
            pause = await run()
        except Exception as raised:  # noqa: BLE001 - the job loop: a failed run ends no worker
            pause = RETRY_SECONDS
            if is_dependency_away(raised):
                _log.warning("dependency away", job=name, fault=type(raised).__name__)
            else:
                _log.error("job failed", job=name, **fault_of(raised))
        try:
            await asyncio.wait_for(alarm.wait(), pause)
        except TimeoutError:
            continue
